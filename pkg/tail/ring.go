package tail

import (
	"context"
	"sync"

	"clauster/pkg/wire"
)

// ring holds the newest lines of one log. Lines are numbered; the oldest held
// is first, the next to come is next.
type ring struct {
	viewers int // guarded by Tails.mu
	cancel  context.CancelFunc
	group   sync.WaitGroup
	filled  chan struct{} // closed when the past is in

	mu      sync.Mutex
	lines   [ringLines]wire.LogLine
	first   uint64
	next    uint64
	bytes   int
	changed chan struct{} // closed and replaced when a line came, or the end
	ended   bool
	err     error
}

func newRing() *ring {
	return &ring{filled: make(chan struct{}), changed: make(chan struct{})}
}

func (r *ring) add(l wire.LogLine) {
	r.mu.Lock()
	defer r.mu.Unlock()
	for r.next-r.first == ringLines || r.next > r.first && r.bytes+len(l.Text) > ringBytes {
		old := &r.lines[r.first%ringLines]
		r.bytes -= len(old.Text)
		*old = wire.LogLine{}
		r.first++
	}
	r.lines[r.next%ringLines] = l
	r.next++
	r.bytes += len(l.Text)
	r.signal()
}

func (r *ring) end(err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended, r.err = true, err
	r.signal()
}

func (r *ring) signal() {
	close(r.changed)
	r.changed = make(chan struct{})
}

// start is the number of the first of the newest lines.
func (r *ring) start(lines int) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	if have := r.next - r.first; uint64(lines) < have {
		return r.next - uint64(lines)
	}
	return r.first
}

// behind is the number of the line after the one with an id. Where that has
// left the ring, it is the oldest held: what came after it may have left, too.
func (r *ring) behind(id string) uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	for at := r.next; at > r.first; at-- {
		if r.lines[(at-1)%ringLines].ID == id {
			return at
		}
	}
	return r.first
}

// take gives up to n lines from a number on, no more than atOnceBytes and one,
// and how many before them have left the ring.
func (r *ring) take(at uint64, n int) (lines []wire.LogLine, skipped uint64, changed <-chan struct{}, ended bool, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if at < r.first {
		skipped, at = r.first-at, r.first
	}
	for bytes := 0; at < r.next && len(lines) < n && bytes < atOnceBytes; at++ {
		lines = append(lines, r.lines[at%ringLines])
		bytes += len(r.lines[at%ringLines].Text)
	}
	return lines, skipped, r.changed, r.ended, r.err
}

// Viewer is one reader's place in a log. One goroutine uses it.
type Viewer struct {
	ring  *ring
	at    uint64
	leave func()
}

// Bounds of what one Next gives. A viewer that is slow keeps it for as long as
// it likes, whatever the ring has let go.
const (
	atOnce      = 256
	atOnceBytes = 64 << 10
)

// Next waits for lines. skipped counts those that were lost before them because
// the viewer was too slow. The error is ctx's, or why the log cannot be
// followed any longer.
func (v *Viewer) Next(ctx context.Context) (lines []wire.LogLine, skipped uint64, err error) {
	for {
		lines, skipped, changed, ended, err := v.ring.take(v.at, atOnce)
		v.at += skipped + uint64(len(lines))
		if len(lines) > 0 {
			return lines, skipped, nil
		}
		if ended {
			if err == nil {
				err = context.Canceled
			}
			return nil, 0, err
		}
		select {
		case <-changed:
		case <-ctx.Done():
			return nil, 0, ctx.Err()
		}
	}
}

// Close gives the place up.
func (v *Viewer) Close() { v.leave() }
