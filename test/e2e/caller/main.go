// Command caller speaks HTTP inside a machine, as whoever runs it.
//
//	caller call [-s SOCKET] [-H "Name: value"]… [-d BODY] METHOD URL
//	    prints {"status", "header", "body"} and, with TLS, the name in the
//	    certificate as "peer"; an unreachable server is exit code 7
//	caller sink ADDRESS FILE [STATUS [LOCATION]]
//	    answers every request with STATUS and appends it to FILE as a JSON line
//	caller hammer SOCKET CLIENTS SECONDS PATH
//	    asks without pause, every second client by a new connection each time,
//	    and prints {"answered", "refused", "cut", "bad"}
//	caller stream SOCKET PATH FILE [LAST-EVENT-ID]
//	    appends each server-sent event's id and name to FILE, and dials again with
//	    the last id whenever the stream ends
//	caller view sse|ws SOCKET PATH FILE [stamped]
//	    appends each line of a log to FILE, and dials again with the last line's
//	    id whenever it ends;
//	    stamped: with the Unix microseconds of its arrival before it
//	caller probe FILE COUNT MILLISECONDS
//	    appends debug lines "probe «Unix microseconds»" to FILE at that distance
//	caller raw ADDRESS
//	    sends standard input and prints what comes back
//	caller loris ADDRESS CONNECTIONS SECONDS
//	    holds connections that ask nothing: half of them never end their header, half were answered
//
// It imports nothing of pkg: it is the outside world.
package main

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

func main() { os.Exit(run(os.Args[1:])) }

func run(args []string) int {
	var err error
	switch {
	case len(args) > 2 && args[0] == "call":
		err = call(args[1:])
	case len(args) > 2 && args[0] == "sink":
		err = sink(args[1:])
	case len(args) == 5 && args[0] == "hammer":
		err = hammer(args[1:])
	case len(args) > 3 && args[0] == "stream":
		err = stream(args[1:])
	case len(args) == 5 && args[0] == "view":
		err = view(args[1], args[2], args[3], args[4], false)
	case len(args) == 6 && args[0] == "view" && args[5] == "stamped":
		err = view(args[1], args[2], args[3], args[4], true)
	case len(args) == 4 && args[0] == "probe":
		err = probe(args[1:])
	case len(args) == 2 && args[0] == "raw":
		err = raw(args[1])
	case len(args) == 4 && args[0] == "loris":
		err = loris(args[1], args[2], args[3])
	default:
		err = errors.New("usage: caller call|sink|hammer|stream|view|probe|raw|loris …")
	}
	if err == nil {
		return 0
	}
	fmt.Fprintln(os.Stderr, "error:", err)
	if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ENOENT) || errors.Is(err, syscall.EACCES) {
		return 7
	}
	return 1
}

// through makes a client of a unix socket, or of the network for "".
func through(socket string) *http.Client {
	// Any certificate will do: the tests look at its name.
	t := &http.Transport{MaxIdleConnsPerHost: 1, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	if socket != "" {
		t.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		}
	}
	return &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
}

type headers []string

func (h *headers) String() string     { return strings.Join(*h, ", ") }
func (h *headers) Set(v string) error { *h = append(*h, v); return nil }

func call(args []string) error {
	var header headers
	flags := flag.NewFlagSet("call", flag.ContinueOnError)
	socket, body := flags.String("s", "", ""), flags.String("d", "", "")
	flags.Var(&header, "H", "")
	if err := flags.Parse(args); err != nil || flags.NArg() != 2 {
		return errors.New("usage: caller call [-s SOCKET] [-H HEADER]… [-d BODY] METHOD URL")
	}
	req, err := http.NewRequest(flags.Arg(0), flags.Arg(1), strings.NewReader(*body))
	if err != nil {
		return err
	}
	if *body != "" {
		req.Header.Set("Content-Type", "application/json")
	}
	for _, line := range header {
		name, value, _ := strings.Cut(line, ": ")
		if strings.EqualFold(name, "Host") {
			req.Host = value
			continue
		}
		req.Header.Set(name, value)
	}
	res, err := through(*socket).Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	text, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	answer := map[string]any{"status": res.StatusCode, "header": res.Header, "body": string(text)}
	if res.TLS != nil {
		answer["peer"] = res.TLS.PeerCertificates[0].Subject.CommonName
	}
	return json.NewEncoder(os.Stdout).Encode(answer)
}

func sink(args []string) error {
	out, err := os.OpenFile(args[1], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	status := http.StatusNoContent
	if len(args) > 2 {
		if status, err = strconv.Atoi(args[2]); err != nil {
			return err
		}
	}
	location := ""
	if len(args) > 3 {
		location = args[3]
	}
	var mu sync.Mutex
	return http.ListenAndServe(args[0], http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		line, _ := json.Marshal(map[string]any{"at": time.Now().UnixMicro(), "path": r.URL.Path, "header": r.Header, "body": string(body)})
		mu.Lock()
		_, _ = out.Write(append(line, '\n'))
		mu.Unlock()
		if location != "" {
			w.Header().Set("Location", location)
		}
		w.WriteHeader(status)
	}))
}

// hammer asks from several clients. Refused are connections that could not be
// made, cut are answers that broke off, bad are other answers than 200.
func hammer(args []string) error {
	clients, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	seconds, err := strconv.Atoi(args[2])
	if err != nil {
		return err
	}
	var answered, refused, cut, bad atomic.Int64
	end := time.Now().Add(time.Duration(seconds) * time.Second)
	var group sync.WaitGroup
	for i := range clients {
		group.Go(func() {
			c := through(args[0])
			c.Transport.(*http.Transport).DisableKeepAlives = i%2 == 1 // a client asks twice only on a used connection
			for time.Now().Before(end) {
				res, err := c.Get("http://clauster" + args[3])
				switch {
				case errors.Is(err, syscall.ECONNREFUSED), errors.Is(err, syscall.ENOENT):
					refused.Add(1)
				case err != nil:
					cut.Add(1)
				default:
					_, err = io.Copy(io.Discard, res.Body)
					res.Body.Close()
					switch {
					case err != nil:
						cut.Add(1)
					case res.StatusCode != http.StatusOK:
						bad.Add(1)
					default:
						answered.Add(1)
					}
				}
			}
		})
	}
	group.Wait()
	return json.NewEncoder(os.Stdout).Encode(map[string]int64{"answered": answered.Load(), "refused": refused.Load(), "cut": cut.Load(), "bad": bad.Load()})
}

func stream(args []string) error {
	out, err := os.OpenFile(args[2], os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	last := ""
	if len(args) > 3 {
		last = args[3]
	}
	c := through(args[0])
	for {
		req, err := http.NewRequest(http.MethodGet, "http://clauster"+args[1], nil)
		if err != nil {
			return err
		}
		req.Header.Set("Accept", "text/event-stream")
		if last != "" {
			req.Header.Set("Last-Event-ID", last)
		}
		res, err := c.Do(req)
		if err == nil && res.StatusCode == http.StatusOK {
			last = follow(res.Body, out, last)
		} else {
			fmt.Fprintln(out, "down")
			time.Sleep(20 * time.Millisecond)
		}
		if err == nil {
			res.Body.Close()
		}
	}
}

func follow(in io.Reader, out io.Writer, last string) string {
	name := ""
	lines := bufio.NewScanner(in)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		field, value, _ := strings.Cut(lines.Text(), ": ")
		switch field {
		case "id":
			last = value
		case "event":
			name = value
		case "data":
			fmt.Fprintln(out, last, name)
		}
	}
	return last
}
