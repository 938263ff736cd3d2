// Package client calls the API over its unix socket: what clauster-ctl and
// scripts in Go use for events, deliveries, health and figures. What only
// needs systemd, the journal or a keeper does not go through here and works
// without the API.
package client

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"strings"
	"syscall"

	"clauster/pkg/wire"
)

// SystemSocket is the API's socket of the system manager; in user mode it is
// $XDG_RUNTIME_DIR/clauster/api.sock.
const SystemSocket = "/run/clauster/api.sock"

// maxAnswer bounds an answer that is read whole.
const maxAnswer = 64 << 20

// Client speaks to one API. It may be used by several goroutines.
type Client struct {
	Socket string
	http   *http.Client
}

// New makes a client of a unix socket; it connects with the first call.
func New(socket string) *Client {
	dial := func(ctx context.Context, _, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, "unix", socket)
	}
	return &Client{Socket: socket, http: &http.Client{Transport: &http.Transport{DialContext: dial}}}
}

// UnreachableError means that nothing answers on the socket.
type UnreachableError struct {
	Socket string
	Err    error
}

// Error says which socket.
func (e *UnreachableError) Error() string {
	var why syscall.Errno
	if errors.As(e.Err, &why) { // «dial unix SOCKET: connect:» before it says nothing new
		return fmt.Sprintf("cannot reach the API at %s: %v", e.Socket, why)
	}
	return fmt.Sprintf("cannot reach the API at %s: %v", e.Socket, e.Err)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Hint is the next command.
func (e *UnreachableError) Hint() string {
	if errors.Is(e.Err, fs.ErrPermission) || errors.Is(e.Err, syscall.EACCES) {
		return "run it with sudo, or as a member of group clauster"
	}
	if errors.Is(e.Err, fs.ErrNotExist) || errors.Is(e.Err, syscall.ECONNREFUSED) {
		return "systemctl enable --now clauster-api.socket clauster-wake.socket"
	}
	return "systemctl status clauster-api.service, then: journalctl -u clauster-api"
}

// Call sends a request with a JSON body (nil for none) and reads the JSON
// answer into out (nil to ignore it). A refusal is a *wire.Problem, an API that
// is away an *UnreachableError.
func (c *Client) Call(ctx context.Context, method, path string, in, out any) error {
	res, err := c.open(ctx, method, path, in)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if out == nil {
		return nil
	}
	if err := json.NewDecoder(io.LimitReader(res.Body, maxAnswer)).Decode(out); err != nil {
		return fmt.Errorf("cannot read the API's answer to %s %s: %w", method, path, err)
	}
	return nil
}

// Open is GET for an answer that is a stream or no JSON; the caller closes it.
func (c *Client) Open(ctx context.Context, path string) (io.ReadCloser, error) {
	res, err := c.open(ctx, http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	return res.Body, nil
}

func (c *Client) open(ctx context.Context, method, path string, in any) (*http.Response, error) {
	var body io.Reader
	if in != nil {
		data, err := json.Marshal(in)
		if err != nil {
			return nil, fmt.Errorf("cannot encode the request: %w", err)
		}
		body = bytes.NewReader(data)
	}
	req, err := http.NewRequestWithContext(ctx, method, "http://clauster"+path, body)
	if err != nil {
		return nil, fmt.Errorf("cannot make the request: %w", err)
	}
	if in != nil {
		req.Header.Set("Content-Type", "application/json")
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, &UnreachableError{c.Socket, errors.Unwrap(err)}
	}
	if res.StatusCode < 400 {
		return res, nil
	}
	defer res.Body.Close()
	data, _ := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	p := &wire.Problem{}
	if !strings.HasPrefix(res.Header.Get("Content-Type"), wire.ProblemType) || json.Unmarshal(data, p) != nil || p.Detail == "" {
		return nil, fmt.Errorf("cannot understand the API's answer to %s %s: status %s", method, path, res.Status)
	}
	return nil, p
}
