package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"time"

	"clauster/pkg/wire"
)

// Events gives a page of events; the query's names are those of
// GET /api/v1/events.
func (c *Client) Events(ctx context.Context, query url.Values) (wire.Events, error) {
	var page wire.Events
	err := c.Call(ctx, http.MethodGet, "/api/v1/events?"+query.Encode(), nil, &page)
	return page, err
}

// How long FollowEvents waits before it connects again; doubled up to the
// last while nothing comes.
const (
	firstWait = 250 * time.Millisecond
	lastWait  = 15 * time.Second
)

// FollowEvents gives events to f as they come: those after the event with id
// last, or from now on where that is "". When the API goes away (a restart, an
// upgrade) it connects again and misses nothing. It ends with f's first error,
// with ctx, or with a refusal; an API that cannot be reached at the first try
// is an error too.
func (c *Client) FollowEvents(ctx context.Context, query url.Values, last string, f func(wire.Event) error) error {
	connected := false
	for wait := firstWait; ; wait = min(2*wait, lastWait) {
		came := false
		err := c.streamEvents(ctx, query, last, func() { connected = true }, func(e wire.Event) error {
			came = true
			if e.ID != "" { // a gap of the stream itself has none
				last = e.ID
			}
			if err := f(e); err != nil {
				return &stopped{err}
			}
			return nil
		})
		var stop *stopped
		var problem *wire.Problem
		switch {
		case errors.As(err, &stop):
			return stop.err
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &problem) && problem.Code < http.StatusInternalServerError:
			return err
		case !connected:
			return err
		}
		if came {
			wait = firstWait
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// stopped marks an error of the caller's function.
type stopped struct{ err error }

func (s *stopped) Error() string { return s.err.Error() }

func (c *Client) streamEvents(ctx context.Context, query url.Values, last string, connected func(), f func(wire.Event) error) error {
	q := maps.Clone(query)
	if q == nil {
		q = url.Values{}
	}
	if last != "" {
		q.Set("last_event_id", last)
	}
	body, err := c.Open(ctx, "/api/v1/events/stream?"+q.Encode())
	if err != nil {
		return err
	}
	defer body.Close()
	connected()
	return readStream(body, func(m message) error {
		if m.name == "problem" {
			p := &wire.Problem{}
			if err := json.Unmarshal(m.data, p); err != nil {
				return fmt.Errorf("cannot read the API's stream: %w", err)
			}
			return p
		}
		var e wire.Event
		if err := json.Unmarshal(m.data, &e); err != nil {
			return fmt.Errorf("cannot read the API's stream: %w", err)
		}
		return f(e)
	})
}

// maxMessage bounds one message of a stream, in bytes.
const maxMessage = 1 << 20

// message is one server-sent event.
type message struct {
	name string
	data []byte
}

// readStream gives each message of a text/event-stream to f until the stream
// or f ends it; the stream's end is io.ErrUnexpectedEOF, as none has an end
// that is meant.
func readStream(r io.Reader, f func(message) error) error {
	lines := bufio.NewScanner(r)
	lines.Buffer(make([]byte, 0, 4096), maxMessage)
	var m message
	size := 0
	for lines.Scan() {
		line := lines.Bytes()
		if len(line) == 0 {
			if m.data != nil {
				if err := f(m); err != nil {
					return err
				}
			}
			m, size = message{}, 0
			continue
		}
		if size += len(line); size > maxMessage {
			return fmt.Errorf("cannot read a stream: a message is longer than %d bytes", maxMessage)
		}
		name, value, _ := bytes.Cut(line, []byte(":"))
		value = bytes.TrimPrefix(value, []byte(" "))
		switch string(name) { // "" is a comment, id is in the data too
		case "event":
			m.name = string(value)
		case "data":
			if m.data != nil {
				m.data = append(m.data, '\n')
			}
			m.data = append(slices.Grow(m.data, len(value)+1), value...)
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("cannot read a stream: %w", err)
	}
	return io.ErrUnexpectedEOF
}
