package home

import (
	"context"
	"errors"
	"sync"
	"time"
)

// Age is how an answer stands to now.
type Age struct {
	At    time.Time // when it was true
	Stale bool      // older than it should be: Err says why
	Err   error
}

const (
	// patience is how long somebody waits for a fresh answer while there is an
	// old one.
	patience = time.Second
	// oldest is how long an answer may stand in for one that cannot be had.
	oldest = 10 * time.Minute
	// errorAge is how long a failure is not tried again.
	errorAge = 2 * time.Second
)

// cell keeps one answer. Whoever finds it too old asks again; everybody else
// who comes meanwhile waits for the same question. Nothing happens by itself.
type cell[T any] struct {
	fetch func(context.Context) (T, error)
	fresh time.Duration

	mu     sync.Mutex
	value  T
	at     time.Time // of value; zero before the first
	err    error     // of the last question, nil where it succeeded
	asked  time.Time // when it was answered
	flight chan struct{}
}

// peek is the answer there is; at is zero where there is none.
func (c *cell[T]) peek() (value T, age Age) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.value, c.age()
}

// age is called with mu held.
func (c *cell[T]) age() Age {
	stale := c.at.IsZero() || time.Since(c.at) > c.fresh
	a := Age{At: c.at, Stale: stale}
	if stale {
		a.Err = c.err
	}
	return a
}

// due starts a question where one is due, in start, and gives its end; nil
// where the answer is fresh or has just failed.
func (c *cell[T]) due(ctx context.Context, start func(func()) bool) <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.flight != nil:
		return c.flight
	case !c.age().Stale, c.err != nil && time.Since(c.asked) < errorAge:
		return nil
	}
	flight := make(chan struct{})
	c.flight = flight
	started := start(func() {
		value, err := c.fetch(ctx)
		c.mu.Lock()
		defer c.mu.Unlock()
		c.asked, c.err, c.flight = time.Now(), err, nil
		switch {
		case err == nil:
			c.value, c.at = value, c.asked
		case definite(err) || time.Since(c.at) > oldest:
			var none T
			c.value, c.at = none, time.Time{}
		}
		close(flight)
	})
	if !started {
		c.flight = nil
		return nil
	}
	return flight
}

// definite errors are answers: what was true before is not any more.
func definite(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Kind == RefusedNotFound || e.Kind == RefusedRequest)
}

// get gives a fresh answer, or the last one with its age where a fresh one
// takes long or cannot be had. life bounds the question, ctx the waiting.
func (c *cell[T]) get(ctx, life context.Context, start func(func()) bool) (T, Age, error) {
	if flight := c.due(life, start); flight != nil {
		wait := time.NewTimer(patience)
		defer wait.Stop()
		var enough <-chan time.Time
		// What is older than oldest is not shown to who can wait: after a quiet hour
		// the first answer of a slow home was the state of an hour ago.
		if _, age := c.peek(); !age.At.IsZero() && time.Since(age.At) <= oldest {
			enough = wait.C
		}
		select {
		case <-flight:
		case <-enough:
		case <-ctx.Done():
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	age := c.age()
	switch {
	case !c.at.IsZero():
		return c.value, age, nil
	case c.err != nil:
		return c.value, age, c.err
	}
	return c.value, age, &notYetError{ctx.Err()}
}

// notYetError is the want of an answer: «context deadline exceeded» is a
// sentence to nobody.
type notYetError struct{ err error }

func (*notYetError) Error() string   { return "cannot say yet: clauster-home has not answered" }
func (e *notYetError) Unwrap() error { return e.err }

// Hint is the next command.
func (*notYetError) Hint() string { return "journalctl -u clauster-home" }
