package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/coder/websocket"

	"clauster/pkg/auth"
	"clauster/pkg/bridge"
	"clauster/pkg/tail"
	"clauster/pkg/wire"
)

// Logs is the resource of what bridges said: from the journal, so also of
// bridges that are long dead.
type Logs struct {
	Tails *tail.Tails
	// Resolve finds the instance a path means.
	Resolve func(ctx context.Context, name string) (bridge.Instance, *wire.Problem)
}

const (
	defaultLines = 200
	maxLines     = 1000
	logReadTime  = 10 * time.Second
	frameTime    = 10 * time.Second // for a viewer to take one frame
)

// Routes gives its one route, in its three forms.
func (l *Logs) Routes() []Route {
	return []Route{{Method: http.MethodGet, Path: "/api/v1/instances/{instance}/logs", Access: auth.ScopeRead, Handle: l.get,
		Summary: "The last lines of a log as JSON; with Accept: text/event-stream or as a WebSocket it goes on with what comes",
		Query: []Param{{"lines", "how many lines of the past, at most 1000 (default 200)", whole(0, maxLines)},
			{"last_event_id", "id of a line: a stream goes on behind it; as the header Last-Event-ID, for clients that cannot set one", matchingOrEmpty(tail.IDPattern)}}, Answer: wire.Log{}}}
}

func (l *Logs) get(r *Request) Response {
	lines := defaultLines
	if q := r.URL.Query(); q.Has("lines") {
		text := q.Get("lines")
		n, err := strconv.Atoi(text)
		if err != nil || n < 0 || n > maxLines {
			return Refuse(wire.Invalid, fmt.Sprintf("cannot show %q lines: it is a number up to %d", text, maxLines), "")
		}
		lines = n
	}
	after := r.Header.Get("Last-Event-ID")
	if after == "" {
		after = r.URL.Query().Get("last_event_id")
	}
	if ok, _ := regexp.MatchString(tail.IDPattern, after); after != "" && !ok {
		return Refuse(wire.Invalid, fmt.Sprintf("cannot go on after %.100q: it is not the id of a line", after), "leave Last-Event-ID away to begin with the newest lines")
	}
	instance, problem := l.Resolve(r.Context(), r.PathValue("instance"))
	if problem != nil {
		return Refusal{problem}
	}
	switch {
	case strings.EqualFold(r.Header.Get("Upgrade"), "websocket"):
		return Stream(func(w http.ResponseWriter, r *http.Request) { l.socket(w, r, instance, lines, after) })
	case strings.Contains(r.Header.Get("Accept"), "text/event-stream"):
		return Stream(func(w http.ResponseWriter, r *http.Request) { l.events(w, r, instance, lines, after) })
	}
	ctx, cancel := context.WithTimeout(r.Context(), logReadTime)
	defer cancel()
	found, err := l.Tails.Last(ctx, instance, max(lines, 1))
	if err != nil {
		return Refuse(wire.Unavailable, "cannot read the log: "+err.Error(), "journalctl -u "+instance.Unit())
	}
	return JSON{Value: wire.Log{Instance: instance.String(), Lines: found[max(0, len(found)-lines):]}}
}

// events is the log as server-sent events: «log» with a wire.LogLine each, and
// «skipped» with {"skipped": n} where the viewer was too slow.
func (l *Logs) events(w http.ResponseWriter, r *http.Request, i bridge.Instance, lines int, after string) {
	stream := newSSE(w)
	l.view(r.Context(), i, lines, after, stream.ping, stream.send)
}

// socket is the log as a WebSocket: one JSON text message per line, and
// {"skipped": n}. The gate has looked at the Origin already; the library looks
// again, and knows nothing of allow-lists, so it is told what was let in.
func (l *Logs) socket(w http.ResponseWriter, r *http.Request, i bridge.Instance, lines int, after string) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: []string{originHost(r)}})
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	ctx := c.CloseRead(r.Context()) // nothing is expected from a viewer but its leaving
	ping := func() error { return c.Ping(ctx) }
	l.view(ctx, i, lines, after, ping, func(_, _ string, value any) error {
		data, err := json.Marshal(value)
		if err != nil {
			return err
		}
		ctx, cancel := context.WithTimeout(ctx, frameTime)
		defer cancel()
		return c.Write(ctx, websocket.MessageText, data)
	})
	c.Close(websocket.StatusGoingAway, "the server ends")
}

// originHost is the host of a request's Origin, which the gate has admitted.
func originHost(r *http.Request) string {
	_, host, _ := strings.Cut(r.Header.Get("Origin"), "://")
	return host
}

// silence is after how long without a line a stream shows that it lives.
const silence = 20 * time.Second

// view sends a log until the viewer, the log or the server ends.
func (l *Logs) view(ctx context.Context, i bridge.Instance, lines int, after string, ping func() error, send func(name, id string, value any) error) {
	v, err := l.Tails.Follow(ctx, i, lines, after)
	if err != nil {
		return
	}
	defer v.Close()
	for {
		wait, cancel := context.WithTimeout(ctx, silence)
		found, skipped, err := v.Next(wait)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			if ping() != nil {
				return
			}
			continue
		}
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				_ = send("error", "", wire.NewProblem(wire.Unavailable, "cannot follow the log: "+err.Error(), "journalctl -f -u "+i.Unit()))
			}
			return
		}
		if skipped > 0 {
			if send("skipped", "", map[string]uint64{"skipped": skipped}) != nil {
				return
			}
		}
		for _, line := range found {
			if send("log", line.ID, line) != nil {
				return
			}
		}
	}
}
