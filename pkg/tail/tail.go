// Package tail lets many viewers follow the log of an instance at the price of
// one. Per instance that somebody looks at, one journalctl runs and fills one
// bounded ring; a viewer is a position in it. A viewer that is slower than the
// log skips what has left the ring and is told how many lines that were, so
// that neither it nor the others cost memory.
package tail

import (
	"context"
	"sync"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/redact"
	"clauster/pkg/terminal"
	"clauster/pkg/wire"
)

// Bounds of one ring.
const (
	ringLines = 4096
	ringBytes = 2 << 20
	backlog   = 1000 // lines of the past that a ring begins with
)

// Source reads the journal; the functions of package journal are the real one.
type Source struct {
	Read, Follow func(ctx context.Context, q journal.Query, f func(journal.Entry) error) error
}

// Tails are the logs that are being followed. Its methods may be called from
// several goroutines.
type Tails struct {
	origin journal.Origin
	source Source

	mu   sync.Mutex
	open map[bridge.Instance]*ring
}

// New makes Tails of the bridges of one manager.
func New(o journal.Origin, s Source) *Tails {
	return &Tails{origin: o, source: s, open: map[bridge.Instance]*ring{}}
}

// Last reads the newest lines of an instance, oldest first.
func (t *Tails) Last(ctx context.Context, i bridge.Instance, lines int) ([]wire.LogLine, error) {
	found, _, err := t.last(ctx, i, lines)
	return found, err
}

func (t *Tails) last(ctx context.Context, i bridge.Instance, lines int) ([]wire.LogLine, string, error) {
	found, cursor := []wire.LogLine{}, ""
	q := journal.Query{Lines: lines, Matches: Matches(t.origin, i)}
	err := t.source.Read(ctx, q, func(e journal.Entry) error {
		found, cursor = append(found, line(e, i, t.origin)), e.Cursor
		return nil
	})
	return found, cursor, err
}

// Follow gives a viewer that begins with the newest lines. Close it.
func (t *Tails) Follow(ctx context.Context, i bridge.Instance, lines int) (*Viewer, error) {
	t.mu.Lock()
	r, ok := t.open[i]
	if !ok {
		r = newRing()
		t.open[i] = r
	}
	r.viewers++
	t.mu.Unlock()
	if !ok {
		t.begin(i, r)
	}
	select {
	case <-r.filled:
	case <-ctx.Done():
		t.leave(i, r)
		return nil, ctx.Err()
	}
	return &Viewer{ring: r, at: r.start(lines), leave: sync.OnceFunc(func() { t.leave(i, r) })}, nil
}

// begin fills the ring with the past and goes on with what comes.
func (t *Tails) begin(i bridge.Instance, r *ring) {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	r.group.Go(func() {
		past, cursor, err := t.last(ctx, i, backlog)
		for _, l := range past {
			r.add(l)
		}
		close(r.filled)
		q := journal.Query{After: cursor, Matches: Matches(t.origin, i)}
		if cursor == "" {
			q.Lines = -1
		}
		if err == nil {
			err = t.source.Follow(ctx, q, func(e journal.Entry) error {
				r.add(line(e, i, t.origin))
				return nil
			})
		}
		r.end(err)
	})
}

// leave gives a ring back; the last viewer ends it.
func (t *Tails) leave(i bridge.Instance, r *ring) {
	t.mu.Lock()
	r.viewers--
	last := r.viewers == 0
	if last && t.open[i] == r {
		delete(t.open, i)
	}
	t.mu.Unlock()
	if last {
		r.cancel()
		r.group.Wait()
	}
}

// Matches select the keeper's entries, what systemd says about the unit, and
// who asked for what.
func Matches(o journal.Origin, i bridge.Instance) []string {
	about := []string{"_PID=1", "UNIT=" + i.Unit()}
	if o.User {
		about = append(o.Matches("init.scope")[1:], "USER_UNIT="+i.Unit())
	}
	m := append(append(o.Matches(i.Unit()), "+"), about...)
	return append(m, "+", "MESSAGE_ID="+bridge.EventRequested.MessageID(), bridge.FieldInstance+"="+i.String())
}

// line makes an entry fit for a viewer.
func line(e journal.Entry, i bridge.Instance, o journal.Origin) wire.LogLine {
	l := wire.LogLine{At: wire.Time{Time: e.Time}, Priority: int(e.Priority()), Text: redact.String(terminal.StripString(e.Get("MESSAGE")))}
	if source := e.Get(bridge.FieldSource); source == "debug" || source == "terminal" {
		l.Source = source
	}
	if journal.Trusted(e, i, o) {
		l.Event = string(e.Event())
	}
	return l
}
