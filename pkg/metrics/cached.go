package metrics

import (
	"context"
	"sync"
	"time"
)

// Look is one look at something: what was found, when, and how long it took.
// The zero At means that nobody has looked yet.
type Look[T any] struct {
	Value T // of the last look that worked
	Err   error
	At    time.Time
	Took  time.Duration
	Began time.Time // of the look under way; zero without one
}

// Cached remembers the last look at something slow. One look is under way at a
// time, bounded by a limit.
type Cached[T any] struct {
	fetch        func(context.Context) (T, error)
	fresh, limit time.Duration

	mu      sync.Mutex
	last    Look[T]
	pending chan struct{} // closed when the look under way ends; nil without one
	ctx     context.Context
	stop    context.CancelFunc
	done    sync.WaitGroup
}

// NewCached makes a Cached of a function that gives up when its context ends,
// at the latest after limit. What is older than fresh is looked at again.
func NewCached[T any](fresh, limit time.Duration, fetch func(context.Context) (T, error)) *Cached[T] {
	c := &Cached[T]{fetch: fetch, fresh: fresh, limit: limit}
	c.ctx, c.stop = context.WithCancel(context.Background())
	return c
}

// Get gives the last look at once. Where that is not fresh another one starts,
// for whoever asks next.
func (c *Cached[T]) Get() Look[T] {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.start()
	return c.last
}

// Wait is Get, but waits for the look that it started or found under way, as
// long as ctx lasts.
func (c *Cached[T]) Wait(ctx context.Context) Look[T] {
	c.mu.Lock()
	pending := c.start()
	c.mu.Unlock()
	if pending != nil {
		select {
		case <-pending:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.last
}

// start looks again where it is time to, and gives what to wait for; nil where
// the last look is fresh. c.mu is held.
func (c *Cached[T]) start() chan struct{} {
	if c.pending != nil {
		return c.pending
	}
	if c.ctx.Err() != nil || !c.last.At.IsZero() && time.Since(c.last.At) < c.fresh {
		return nil
	}
	pending := make(chan struct{})
	c.pending, c.last.Began = pending, time.Now()
	c.done.Go(func() {
		ctx, cancel := context.WithTimeout(c.ctx, c.limit)
		defer cancel()
		began := time.Now()
		value, err := c.fetch(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.last.Err, c.last.At, c.last.Took, c.last.Began = err, time.Now(), time.Since(began), time.Time{}
		if err == nil {
			c.last.Value = value
		}
		c.pending = nil
		close(pending)
	})
	return pending
}

// Close ends the look under way and waits for it.
func (c *Cached[T]) Close() {
	c.stop()
	c.done.Wait()
}
