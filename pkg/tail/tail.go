// Package tail lets many viewers follow the log of an instance at the price of
// one. Per instance that somebody looks at, one journalctl runs and fills one
// bounded ring; a viewer is a position in it. journald tells those who follow
// it a quarter of a second late, so the keeper of a living bridge is listened
// to beside it: what it gives first is not taken from the journal again. A viewer that is slower than the
// log skips what has left the ring and is told how many lines that were, so
// that neither it nor the others cost memory.
package tail

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/journal"
	"clauster/pkg/wire"
)

// Bounds of one ring.
const (
	ringLines = 4096
	ringBytes = 2 << 20
	backlog   = 1000 // lines of the past that a ring begins with
)

// Bounds of all together: each of them is a journalctl. One for every request
// and every instance that somebody looked at filled TasksMax=, and where there
// is no process left the reader of events has none, and Go ends the program for
// want of a thread.
const (
	maxReads    = 8  // readings of the past at once
	maxFollowed = 64 // instances that are followed
)

// ErrBusy means that as many logs are read or followed as may be.
var ErrBusy = errors.New("too many logs are being looked at")

// Source is where lines come from: the journal (the functions of package
// journal are the real ones) and keepers.
type Source struct {
	Read, Follow func(ctx context.Context, q journal.Query, f func(journal.Entry) error) error
	// Watch, where it is set, hands on what an instance's keeper writes to the
	// journal until the keeper ends that, or ctx ends. An error means no more
	// than that the journal alone is left. The functions are called one at a
	// time.
	Watch func(ctx context.Context, i bridge.Instance, watching func(control.Watching), line func(control.Line)) error
}

// Tails are the logs that are being followed. Its methods may be called from
// several goroutines.
type Tails struct {
	origin journal.Origin
	source Source
	reads  chan struct{} // holds a token for each Last

	mu       sync.Mutex
	open     map[bridge.Instance]*ring
	followed int // rings with a journalctl, those that are just ending included
}

// New makes Tails of the bridges of one manager.
func New(o journal.Origin, s Source) *Tails {
	return &Tails{origin: o, source: s, reads: make(chan struct{}, maxReads), open: map[bridge.Instance]*ring{}}
}

// Last reads the newest lines of an instance, oldest first: as many as asked
// for, fewer where they are longer than a ring's bytes. Where too many read
// already it waits its turn, until ctx ends.
func (t *Tails) Last(ctx context.Context, i bridge.Instance, lines int) ([]wire.LogLine, error) {
	select {
	case t.reads <- struct{}{}:
		defer func() { <-t.reads }()
	case <-ctx.Done():
		return nil, fmt.Errorf("%w: %w", ErrBusy, ctx.Err())
	}
	found, first, bytes := []wire.LogLine{}, 0, 0
	q := journal.Query{Lines: lines, Matches: Matches(t.origin, i)}
	err := t.source.Read(ctx, q, func(e journal.Entry) error {
		if !shown(e, i, t.origin) {
			return nil
		}
		l := line(e, i, t.origin)
		found = append(found, l)
		for bytes += len(l.Text); bytes > ringBytes; first++ {
			bytes -= len(found[first].Text)
			found[first] = wire.LogLine{} // or its text would stay
		}
		return nil
	})
	return found[first:], err
}

// Follow gives a viewer that begins with the newest lines or, where after is
// not empty, behind the line with that id. A line that is too long ago is none:
// the viewer then begins with the oldest line at hand. Close it. The error is
// ErrBusy where it would be one instance too many, or ctx's.
func (t *Tails) Follow(ctx context.Context, i bridge.Instance, lines int, after string) (*Viewer, error) {
	t.mu.Lock()
	r, ok := t.open[i]
	if !ok && t.followed == maxFollowed {
		t.mu.Unlock()
		return nil, ErrBusy
	}
	if !ok {
		r = newRing()
		t.open[i] = r
		t.followed++
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
	at := r.start(lines)
	if after != "" {
		at = r.behind(after)
	}
	return &Viewer{ring: r, at: at, leave: sync.OnceFunc(func() { t.leave(i, r) })}, nil
}

// begin fills the ring with the past and goes on with what comes.
func (t *Tails) begin(i bridge.Instance, r *ring) {
	ctx, cancel := context.WithCancel(context.Background())
	r.cancel = cancel
	m := &merge{add: r.add}
	began := make(chan struct{}, 1) // a keeper has begun to serve
	began <- struct{}{}             // perhaps long ago
	asked := make(chan struct{})    // it answers, or there is none
	r.group.Go(func() { r.end(t.follow(ctx, i, m, r.filled, asked, began)) })
	r.group.Go(func() { t.watch(ctx, i, m, sync.OnceFunc(func() { close(asked) }), began) })
}

// askedWait is how long the past waits for the keeper's answer.
const askedWait = 200 * time.Millisecond

// follow gives the journal's lines to m until ctx or the journal ends. The past
// is read once the keeper has said where its lines begin: that place is in it
// then, and nothing has to be held until journald tells of it.
func (t *Tails) follow(ctx context.Context, i bridge.Instance, m *merge, filled chan<- struct{}, asked <-chan struct{}, began chan<- struct{}) error {
	select {
	case <-asked:
	case <-time.After(askedWait):
	case <-ctx.Done():
	}
	cursor := ""
	err := t.source.Read(ctx, journal.Query{Lines: backlog, Matches: Matches(t.origin, i)}, func(e journal.Entry) error {
		cursor = e.Cursor
		if shown(e, i, t.origin) {
			m.fromJournal(numbered(e, i, t.origin), line(e, i, t.origin))
		}
		return nil
	})
	close(filled)
	if err != nil {
		return err
	}
	q := journal.Query{After: cursor, Matches: Matches(t.origin, i)}
	if cursor == "" {
		q.Lines = -1
	}
	return t.source.Follow(ctx, q, func(e journal.Entry) error {
		if !shown(e, i, t.origin) {
			return nil
		}
		l := line(e, i, t.origin)
		m.fromJournal(numbered(e, i, t.origin), l)
		if serves(bridge.Event(l.Event)) {
			select {
			case began <- struct{}{}:
			default:
			}
		}
		return nil
	})
}

// serves reports whether an event says that a keeper has begun to serve.
func serves(e bridge.Event) bool {
	return e == bridge.EventSpawn || e == bridge.EventReattached || e == bridge.EventReloaded
}

// watch listens to the instance's keeper, and to the next one after it.
func (t *Tails) watch(ctx context.Context, i bridge.Instance, m *merge, asked func(), began <-chan struct{}) {
	defer asked()
	if t.source.Watch == nil {
		return
	}
	watching := func(w control.Watching) { m.watching(w); asked() }
	for {
		select {
		case <-began:
		case <-ctx.Done():
			return
		}
		_ = t.source.Watch(ctx, i, watching, func(l control.Line) { m.fromKeeper(l, lineOfKeeper(l)) })
		asked()
	}
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
		t.mu.Lock()
		t.followed-- // its journalctl has ended
		t.mu.Unlock()
	}
}
