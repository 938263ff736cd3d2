package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"sync"
	"time"
)

// How long to wait before a database that could not be used is tried again.
const (
	firstProbe = time.Second
	lastProbe  = time.Minute
)

// prober is the one goroutine that tries a refused database; there is none
// while the database is used.
type prober struct {
	mu     sync.Mutex
	cancel context.CancelFunc // nil while nothing is probed
	closed bool
	ended  sync.WaitGroup
}

// probe has a refused database tried until it can be used again. While it is
// refused the web door and all changes are answered without it, so on a quiet
// host nobody would ever write, and see that the disk has room again.
func (s *Store) probe() {
	p := &s.prober
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cancel != nil || p.closed {
		return
	}
	ctx, cancel := context.WithCancel(context.Background()) // Close ends it
	p.cancel = cancel
	p.ended.Go(func() {
		defer cancel()
		for delay := firstProbe; s.goesOn(ctx); delay = min(2*delay, lastProbe) {
			again := time.NewTimer(delay)
			select {
			case <-ctx.Done():
				again.Stop()
			case <-again.C:
				s.tryAgain(ctx)
			}
		}
	})
}

// goesOn reports whether there is still something to probe. A refusal is noted
// before probe looks for a prober: none that comes now is missed.
func (s *Store) goesOn(ctx context.Context) bool {
	p := &s.prober
	p.mu.Lock()
	defer p.mu.Unlock()
	if r := s.refused.Load(); ctx.Err() == nil && r != nil && r.passes() {
		return true
	}
	p.cancel = nil
	return false
}

// tryAgain writes a little, reads it back, and ends the refusal if both went
// well. On a full disk it does not even try: one small write may find room in
// the log where no event does, and the refusal would come and go.
func (s *Store) tryAgain(ctx context.Context) {
	r := s.refused.Load()
	if r == nil || !r.passes() || r.Reason == Full && noRoom(filepath.Dir(s.Path)) {
		return
	}
	err := s.write(ctx, func(tx *sql.Tx) error { return setMetaTime(ctx, tx, metaProbed, time.Now()) })
	if err == nil {
		_, err = s.metaTime(ctx, metaProbed)
	}
	if err == nil {
		s.refused.CompareAndSwap(r, nil) // not one that was noted meanwhile
		return
	}
	_ = s.note(err) // it may have turned into another one
}

// close ends the probing, for good.
func (p *prober) close() {
	p.mu.Lock()
	p.closed = true
	if p.cancel != nil {
		p.cancel()
	}
	p.mu.Unlock()
	p.ended.Wait()
}
