package keeper

import (
	"errors"

	"clauster/pkg/control"
)

// Bounds of watching. One API needs one watcher for all who look at a log.
const (
	maxWatchers  = 4
	watcherLines = 1024
	watcherBytes = 256 << 10 // of text
)

// watcher is one client that is shown what goes to the journal. What it has
// not been sent waits here, bounded: one that does not keep up is told so and
// reads the journal meanwhile, as it would without a keeper. Its fields are
// guarded by the ledger's lock.
type watcher struct {
	ledger *ledger
	lines  []control.Line
	bytes  int
	behind bool          // lines were let go since it was last told where it is
	more   chan struct{} // there is something to send
}

var errTooManyWatchers = errors.New("there are 4 watchers already")

// watch adds a watcher.
func (g *ledger) watch() (*watcher, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for n, taken := range g.watchers {
		if taken == nil {
			w := &watcher{ledger: g, behind: true, more: make(chan struct{}, 1)}
			w.wake()
			g.watchers[n] = w
			return w, nil
		}
	}
	return nil, errTooManyWatchers
}

// leave takes a watcher away.
func (w *watcher) leave() {
	g := w.ledger
	g.mu.Lock()
	defer g.mu.Unlock()
	for n, other := range g.watchers {
		if other == w {
			g.watchers[n] = nil
		}
	}
}

// take queues a line, under the ledger's lock.
func (w *watcher) take(l control.Line) {
	switch {
	case w.behind: // nothing is queued before it knows where it is
	case len(w.lines) == watcherLines || w.bytes+len(l.Text) > watcherBytes:
		w.lines, w.bytes, w.behind = nil, 0, true
	default:
		w.lines = append(w.lines, l)
		w.bytes += len(l.Text)
	}
	w.wake()
}

func (w *watcher) wake() {
	select {
	case w.more <- struct{}{}:
	default:
	}
}

// next gives what is to be sent: where the watcher is, or lines.
func (w *watcher) next() (lines []control.Line, last uint64, behind bool) {
	g := w.ledger
	g.mu.Lock()
	defer g.mu.Unlock()
	lines, behind = w.lines, w.behind
	w.lines, w.bytes, w.behind = nil, 0, false
	return lines, g.last, behind
}

// watch turns the connection into a watcher until the client leaves.
func (s *server) watch(c *control.Conn) error {
	w, err := s.l.journal.watch()
	if err != nil {
		return c.Refuse(control.RefusedBusy, err.Error(), "")
	}
	stop, done := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(done)
		s.show(c, w, stop)
	}()
	for err == nil {
		var f control.Frame
		if f, err = c.Read(); err == nil && f.Type == control.TypeDetach {
			err = errDetached
		}
	}
	w.leave()
	close(stop)
	<-done
	return err
}

// show sends until the client does not take it or stop is closed.
func (s *server) show(c *control.Conn, w *watcher, stop <-chan struct{}) {
	for {
		select {
		case <-stop:
			return
		case <-w.more:
		}
		lines, last, behind := w.next()
		var err error
		if behind {
			err = c.Send(control.TypeWatching, control.Watching{Run: s.l.snapshot.Load().Run, Number: last})
		} else {
			err = c.SendLines(lines)
		}
		if err != nil {
			_ = c.Close() // wakes watch
			return
		}
	}
}
