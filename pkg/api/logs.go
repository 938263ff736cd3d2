package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"sync/atomic"
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
	Host  string
	Tails *tail.Tails
	// Resolve finds the instance a path means.
	Resolve func(ctx context.Context, name string) (bridge.Instance, *wire.Problem)

	large atomic.Int32 // large answers under way
}

const (
	defaultLines = 200
	maxLines     = 1000
	logReadTime  = 10 * time.Second
	frameTime    = 10 * time.Second // for a viewer to take one frame
)

// An answer stays in memory until its reader has taken it, and readers have all
// the time of the world. So of the large ones there are few at once, and they
// have to be taken.
const (
	largeAnswer = 256 << 10
	maxLarge    = 16
	largeTime   = 60 * time.Second
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
		if refused := checkUpgrade(r.Request); refused != nil {
			return refused
		}
		return l.follow(r, instance, lines, after, socket)
	case strings.Contains(r.Header.Get("Accept"), "text/event-stream"):
		return l.follow(r, instance, lines, after, events)
	}
	return l.last(r, instance, lines)
}

// last answers with the newest lines.
func (l *Logs) last(r *Request, i bridge.Instance, lines int) Response {
	ctx, cancel := context.WithTimeout(r.Context(), logReadTime)
	defer cancel()
	found, err := l.Tails.Last(ctx, i, max(lines, 1))
	if err != nil {
		return noLog("read", i, err)
	}
	var body bytes.Buffer
	enc := json.NewEncoder(&body)
	enc.SetEscapeHTML(false) // six bytes for one
	if err := enc.Encode(wire.Log{Host: l.Host, Instance: i.String(), Lines: found[max(0, len(found)-lines):]}); err != nil {
		return Refuse(wire.Internal, "cannot encode the answer", "")
	}
	answer := Text{Media: "application/json", Body: body.Bytes()}
	if body.Len() <= largeAnswer {
		return answer
	}
	if l.large.Add(1) > maxLarge {
		l.large.Add(-1)
		return noLog("read", i, fmt.Errorf("%w: %d large answers are being taken", tail.ErrBusy, maxLarge))
	}
	return largeText{answer, func() { l.large.Add(-1) }}
}

// largeText is a Text that has to be taken in time.
type largeText struct {
	Text
	done func()
}

func (t largeText) write(w http.ResponseWriter, r *http.Request) {
	defer t.done()
	ctrl := http.NewResponseController(w)
	_ = ctrl.SetWriteDeadline(time.Now().Add(largeTime))
	t.Text.write(w, r)
	_ = ctrl.SetWriteDeadline(time.Time{}) // the connection may be used again
}

// noLog refuses what cannot be read or followed.
func noLog(verb string, i bridge.Instance, err error) Response {
	hint := "journalctl -u " + i.Unit()
	if errors.Is(err, tail.ErrBusy) {
		hint = "close viewers, ask for fewer lines or try again in a moment; on the host: " + hint
	}
	return Refuse(wire.Unavailable, fmt.Sprintf("cannot %s the log of %s: %v", verb, i, err), hint)
}

// follow answers with a log that goes on. The viewer is had before the answer
// begins: there may be none to have.
func (l *Logs) follow(r *Request, i bridge.Instance, lines int, after string, show func(http.ResponseWriter, *http.Request, view)) Response {
	ctx, cancel := context.WithTimeout(r.Context(), logReadTime)
	defer cancel()
	v, err := l.Tails.Follow(ctx, i, lines, after)
	if err != nil {
		return noLog("follow", i, err)
	}
	return Stream(func(w http.ResponseWriter, r *http.Request) {
		defer v.Close()
		show(w, r, view{v, i})
	})
}

// events is the log as server-sent events: «log» with a wire.LogLine each, and
// «skipped» with {"skipped": n} where the viewer was too slow.
func events(w http.ResponseWriter, r *http.Request, v view) {
	stream := newSSE(w)
	v.send(r.Context(), stream.ping, stream.send)
}

// socket is the log as a WebSocket: one JSON text message per line, and
// {"skipped": n}. The gate has looked at the Origin already; the library looks
// again, and knows nothing of allow-lists, so it is told what was let in.
func socket(w http.ResponseWriter, r *http.Request, v view) {
	c, err := websocket.Accept(w, r, &websocket.AcceptOptions{OriginPatterns: []string{originHost(r)}})
	if err != nil {
		return // Accept has answered
	}
	defer c.CloseNow()
	ctx := c.CloseRead(r.Context()) // nothing is expected from a viewer but its leaving
	inTime := func(do func(ctx context.Context) error) error {
		ctx, cancel := context.WithTimeout(ctx, frameTime)
		defer cancel()
		return do(ctx)
	}
	// Ping waits for the pong, and no line goes out meanwhile: a viewer that
	// answers none would stand still for good, and hold its place.
	ping := func() error { return inTime(c.Ping) }
	v.send(ctx, ping, func(_, _ string, value any) error {
		data, err := json.Marshal(value)
		if err != nil {
			return err
		}
		return inTime(func(ctx context.Context) error { return c.Write(ctx, websocket.MessageText, data) })
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

// view is one viewer of an instance's log.
type view struct {
	log      *tail.Viewer
	instance bridge.Instance
}

// send sends the log until the viewer, the log or the server ends.
func (v view) send(ctx context.Context, ping func() error, send func(name, id string, value any) error) {
	for {
		wait, cancel := context.WithTimeout(ctx, silence)
		found, skipped, err := v.log.Next(wait)
		cancel()
		if errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil {
			if ping() != nil {
				return
			}
			continue
		}
		if err != nil {
			if !errors.Is(err, context.Canceled) {
				_ = send("error", "", wire.NewProblem(wire.Unavailable, "cannot follow the log: "+err.Error(), "journalctl -f -u "+v.instance.Unit()))
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
