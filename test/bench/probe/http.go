package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"time"

	"clauster/pkg/client"
	"clauster/pkg/systemd"
)

const (
	apiSocket = client.SystemSocket
	apiUnit   = "clauster-api.service"
)

// connection is one kept-alive HTTP connection, as light as it can be: a client
// that costs as much as the server would make every server look alike.
type connection struct {
	net.Conn
	in   *bufio.Reader
	host string
}

// dial connects to a socket's path, or to HOST:PORT.
func dial(address string) (*connection, error) {
	network, host := "tcp", address
	if strings.HasPrefix(address, "/") {
		network, host = "unix", "clauster"
	}
	c, err := net.Dial(network, address)
	if err != nil {
		return nil, err
	}
	return &connection{c, bufio.NewReaderSize(c, 64<<10), host}, nil
}

// get asks once and reads the answer to its end.
func (c *connection) get(path string) (body int, err error) {
	_ = c.SetDeadline(time.Now().Add(20 * time.Second))
	if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: "+c.host+"\r\n\r\n"); err != nil {
		return 0, err
	}
	first, length := "", 0
	for {
		line, err := c.in.ReadSlice('\n')
		if err != nil {
			return 0, err
		}
		text := strings.TrimSpace(string(line))
		switch {
		case first == "":
			first = text
		case text == "":
			if !strings.HasPrefix(first, "HTTP/1.1 200") {
				return 0, fmt.Errorf("GET %s: %s", path, first)
			}
			return c.in.Discard(length)
		case len(text) > 15 && strings.EqualFold(text[:15], "content-length:"):
			if length, err = strconv.Atoi(strings.TrimSpace(text[15:])); err != nil {
				return 0, err
			}
		}
	}
}

// scrapeInterval is how often Prometheus asks, as people set it.
const scrapeInterval = 15 * time.Second

// scrape measures requests as Prometheus makes them, each by a connection of its
// own.
func scrape(n int, address, path string) (any, error) {
	var ms []float64
	for range n {
		time.Sleep(scrapeInterval)
		c, err := dial(address)
		if err != nil {
			return nil, err
		}
		begin := time.Now()
		size, err := c.get(path)
		took := time.Since(begin)
		c.Close()
		if err != nil || size == 0 {
			return nil, fmt.Errorf("%d bytes, %w", size, err)
		}
		ms = append(ms, milliseconds(took))
	}
	return figures(ms), nil
}

// latency measures requests, one after the other on one connection.
func latency(n int, address, path string) (any, error) {
	c, err := dial(address)
	if err != nil {
		return nil, err
	}
	defer c.Close()
	var ms []float64
	for i := range n + n/10 {
		begin := time.Now()
		if size, err := c.get(path); err != nil || size == 0 {
			return nil, fmt.Errorf("%d bytes, %w", size, err)
		}
		if took := time.Since(begin); i >= n/10 { // what comes before warms up
			ms = append(ms, float64(took.Nanoseconds())/1e6)
		}
	}
	return figures(ms), nil
}

// cold measures from connecting to the socket of a stopped service to the first
// byte of its answer.
func cold(ctx context.Context, n int, path string) (any, error) {
	bus, err := systemd.Connect(ctx, systemd.System)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	var ms []float64
	for range n {
		if err := stopped(ctx, bus); err != nil {
			return nil, err
		}
		begin := time.Now()
		c, err := dial(apiSocket)
		if err != nil {
			return nil, err
		}
		if _, err := io.WriteString(c, "GET "+path+" HTTP/1.1\r\nHost: clauster\r\n\r\n"); err != nil {
			return nil, err
		}
		_ = c.SetReadDeadline(begin.Add(20 * time.Second))
		_, err = c.in.ReadByte()
		ms = append(ms, milliseconds(time.Since(begin)))
		c.Close()
		if err != nil {
			return nil, err
		}
	}
	return figures(ms), nil
}

// stopped stops the API and waits until it is: a keeper's nudge may start it
// again meanwhile.
func stopped(ctx context.Context, bus *systemd.Bus) error {
	return until(10*time.Second, func() bool {
		_, err := bus.StopUnit(ctx, apiUnit)
		time.Sleep(200 * time.Millisecond) // what systemd still does of the stop is no part of a start
		state, _ := bus.ActiveState(ctx, apiUnit)
		return err == nil && state == "inactive"
	})
}

// apiPID is the service's main process.
func apiPID(ctx context.Context) (int, error) {
	bus, err := systemd.Connect(ctx, systemd.System)
	if err != nil {
		return 0, err
	}
	defer bus.Close()
	pid, err := bus.MainPID(ctx, apiUnit)
	if err == nil && pid == 0 {
		err = errors.New("cannot find the API: it does not run")
	}
	return pid, err
}
