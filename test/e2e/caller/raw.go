package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/coder/websocket"
)

// dial connects to a path or an address of TCP.
func dial(to string) (net.Conn, error) {
	if strings.HasPrefix(to, "/") {
		return net.Dial("unix", to)
	}
	return net.Dial("tcp", to)
}

// raw sends standard input as it is and prints what comes back until the end of
// the connection, or for three seconds.
func raw(to string) error {
	c, err := dial(to)
	if err != nil {
		return err
	}
	defer c.Close()
	go func() { _, _ = io.Copy(c, os.Stdin) }() // ends with the process at the latest
	_ = c.SetReadDeadline(time.Now().Add(3 * time.Second))
	_, _ = io.Copy(os.Stdout, c) // cut off is an answer, too
	return nil
}

// loris keeps so many connections open that ask nothing, and makes a new one
// for each that it loses: every other one never finishes its header, one line
// at a time; the rest had an answer and keep their connection.
func loris(to string, connections, seconds string) error {
	n, err := strconv.Atoi(connections)
	if err != nil {
		return err
	}
	s, err := strconv.Atoi(seconds)
	if err != nil {
		return err
	}
	end := time.Now().Add(time.Duration(s) * time.Second)
	var made, lost atomic.Int64
	var group sync.WaitGroup
	for i := range n {
		hold := dribble
		if i%2 == 0 {
			hold = rest
		}
		group.Go(func() {
			for time.Now().Before(end) {
				c, err := dial(to)
				if err != nil {
					time.Sleep(100 * time.Millisecond)
					continue
				}
				made.Add(1)
				if hold(c, end) {
					lost.Add(1)
				}
				c.Close()
			}
		})
	}
	group.Wait()
	fmt.Printf("{\"made\":%d,\"lost\":%d}\n", made.Load(), lost.Load())
	return nil
}

const unfinished = "GET /healthz HTTP/1.1\r\nHost: localhost:7621\r\n"

// dribble reports whether it was cut off before the end.
func dribble(c net.Conn, end time.Time) bool {
	_, err := io.WriteString(c, unfinished)
	for err == nil && time.Now().Before(end) {
		time.Sleep(500 * time.Millisecond)
		_, err = io.WriteString(c, "X-A: b\r\n")
	}
	return err != nil
}

// rest reports whether it was cut off before the end.
func rest(c net.Conn, end time.Time) bool {
	_ = c.SetReadDeadline(end)
	_, _ = io.WriteString(c, unfinished+"\r\n")
	_, err := io.Copy(io.Discard, c)
	return err == nil // end of file
}

// view follows a log and appends what it gets to a file, a JSON object a line,
// «connected» first of each connection. It dials again whenever the log ends.
func view(kind, socket, path, file string, stamped bool) error {
	f, err := os.OpenFile(file, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	out := io.Writer(f)
	if stamped {
		out = stamps{f}
	}
	once := viewSSE
	if kind == "ws" {
		once = viewSocket
	}
	last := "" // as a browser's EventSource does
	for {
		if err := once(socket, path, out, &last); err != nil {
			fmt.Fprintln(out, "down", err)
		}
		time.Sleep(20 * time.Millisecond)
	}
}

func viewSSE(socket, path string, out io.Writer, last *string) error {
	req, err := http.NewRequest(http.MethodGet, "http://clauster"+path, nil)
	if err != nil {
		return err
	}
	req.Header.Set("Accept", "text/event-stream")
	if *last != "" {
		req.Header.Set("Last-Event-ID", *last)
	}
	res, err := through(socket).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return errors.New(res.Status)
	}
	fmt.Fprintln(out, "connected")
	lines := bufio.NewScanner(res.Body)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if id, found := strings.CutPrefix(lines.Text(), "id: "); found {
			*last = id
		}
		if data, found := strings.CutPrefix(lines.Text(), "data: "); found {
			fmt.Fprintln(out, data)
		}
	}
	return lines.Err()
}

func viewSocket(socket, path string, out io.Writer, last *string) error {
	ctx := context.Background()
	if *last != "" {
		path += "&last_event_id=" + *last
	}
	c, _, err := websocket.Dial(ctx, "ws://clauster"+path, &websocket.DialOptions{HTTPClient: through(socket)})
	if err != nil {
		return err
	}
	defer c.CloseNow()
	fmt.Fprintln(out, "connected")
	for {
		_, data, err := c.Read(ctx)
		if err != nil {
			return err
		}
		var line struct{ ID string }
		if json.Unmarshal(data, &line) == nil && line.ID != "" {
			*last = line.ID
		}
		fmt.Fprintln(out, string(data))
	}
}
