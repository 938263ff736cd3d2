package home

import (
	"context"
	"errors"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// source answers a cell; its calls are counted.
type source struct {
	mu    sync.Mutex
	calls int
	value int
	err   error
	takes time.Duration
}

func (s *source) fetch(ctx context.Context) (int, error) {
	s.mu.Lock()
	s.calls++
	value, err, takes := s.value, s.err, s.takes
	s.mu.Unlock()
	select {
	case <-time.After(takes):
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	return value, err
}

func (s *source) set(value int, err error, takes time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.value, s.err, s.takes = value, err, takes
}

func beside(f func()) bool { go f(); return true }

func newCell(s *source) *cell[int] { return &cell[int]{fetch: s.fetch, fresh: 5 * time.Second} }

// TestCellAge: one question within the age, however many ask.
func TestCellAge(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{value: 1, takes: 100 * time.Millisecond}
		c := newCell(s)
		var all sync.WaitGroup
		for range 20 {
			all.Go(func() {
				if v, age, err := c.get(t.Context(), t.Context(), beside); v != 1 || age.Stale || err != nil {
					t.Errorf("%d %+v %v", v, age, err)
				}
			})
		}
		all.Wait()
		<-time.After(4 * time.Second)
		s.set(2, nil, 0)
		if v, _, _ := c.get(t.Context(), t.Context(), beside); v != 1 || s.calls != 1 {
			t.Errorf("within the age: %d after %d calls", v, s.calls)
		}
		<-time.After(2 * time.Second)
		if v, _, _ := c.get(t.Context(), t.Context(), beside); v != 2 || s.calls != 2 {
			t.Errorf("after the age: %d after %d calls", v, s.calls)
		}
	})
}

// TestCellStale: an old answer with its age while a new one cannot be had, and
// not for ever; a failure is not tried again at once.
func TestCellStale(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{value: 1}
		c := newCell(s)
		get := func() (int, Age, error) { return c.get(t.Context(), t.Context(), beside) }
		if _, _, err := get(); err != nil {
			t.Fatal(err)
		}
		born := time.Now()
		s.set(0, errors.New("away"), 0)
		<-time.After(time.Minute)
		for range 3 {
			if v, age, err := get(); v != 1 || !age.Stale || age.Err == nil || !age.At.Equal(born) || err != nil {
				t.Errorf("%d %+v %v", v, age, err)
			}
		}
		if s.calls != 2 {
			t.Errorf("%d calls: a failure is tried again at once", s.calls)
		}
		<-time.After(oldest)
		if _, _, err := get(); err == nil || err.Error() != "away" {
			t.Errorf("after %s: %v", oldest, err)
		}
		s.set(2, nil, 0)
		<-time.After(errorAge)
		if v, age, err := get(); v != 2 || age.Stale || err != nil {
			t.Errorf("%d %+v %v", v, age, err)
		}
	})
}

// TestCellDefinite: «there is no such project» is no reason for an old answer.
func TestCellDefinite(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{value: 1}
		c := newCell(s)
		_, _, _ = c.get(t.Context(), t.Context(), beside)
		s.set(0, &Error{RefusedNotFound, "gone", ""}, 0)
		<-time.After(6 * time.Second)
		if v, _, err := c.get(t.Context(), t.Context(), beside); err == nil {
			t.Errorf("%d", v)
		}
	})
}

// TestCellPatience: a question that takes long is not waited for by who can
// have the old answer; its own goes on and is there for the next.
func TestCellPatience(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{value: 1}
		c := newCell(s)
		_, _, _ = c.get(t.Context(), t.Context(), beside)
		s.set(2, nil, 5*time.Second)
		<-time.After(6 * time.Second)
		begin := time.Now()
		if v, age, err := c.get(t.Context(), t.Context(), beside); v != 1 || !age.Stale || err != nil || time.Since(begin) != patience {
			t.Errorf("%d %+v %v after %s", v, age, err, time.Since(begin))
		}
		<-time.After(5 * time.Second)
		if v, _, _ := c.get(t.Context(), t.Context(), beside); v != 2 {
			t.Errorf("%d", v)
		}
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if _, _, err := newCell(s).get(gone, t.Context(), beside); !errors.Is(err, context.Canceled) {
			t.Errorf("nobody waits: %v", err)
		}
		synctest.Wait()
		<-time.After(10 * time.Second)
	})
}

// TestCellOldest: an answer of an hour ago is not shown to who waits for the one
// that is under way; who does not wait gets it with its age.
func TestCellOldest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := &source{value: 1}
		c := newCell(s)
		_, _, _ = c.get(t.Context(), t.Context(), beside)
		<-time.After(time.Hour)
		s.set(2, nil, 3*time.Second)
		gone, cancel := context.WithCancel(t.Context())
		cancel()
		if v, age, err := c.get(gone, t.Context(), beside); v != 1 || !age.Stale || err != nil {
			t.Errorf("at once: %d %+v %v", v, age, err)
		}
		if v, age, err := c.get(t.Context(), t.Context(), beside); v != 2 || age.Stale || err != nil {
			t.Errorf("waiting: %d %+v %v", v, age, err)
		}
	})
}
