package event

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// shelf is a store in memory that counts its queries.
type shelf struct {
	mu      sync.Mutex
	events  []wire.Event
	queries int
	fail    error
}

func (s *shelf) LastSeq(context.Context) (int64, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return int64(len(s.events)), nil
}

func (s *shelf) Events(_ context.Context, q store.EventQuery) ([]wire.Event, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.queries++
	if s.fail != nil {
		return nil, s.fail
	}
	if q.After >= int64(len(s.events)) {
		return nil, nil
	}
	from := s.events[q.After:]
	return append([]wire.Event(nil), from[:min(len(from), q.Limit)]...), nil
}

func (s *shelf) add(n int) []wire.Event {
	s.mu.Lock()
	defer s.mu.Unlock()
	first := len(s.events)
	for range n {
		seq := int64(len(s.events) + 1)
		s.events = append(s.events, wire.Event{Seq: seq, ID: fmt.Sprint(seq)})
	}
	return append([]wire.Event(nil), s.events[first:]...)
}

// Many readers from many places while events come in lumps: each sees each
// event behind its place once, in order.
func TestHubWithoutHoleOrDouble(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		const total = 3000
		s := &shelf{}
		s.add(50)
		h, err := NewHub(t.Context(), s)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for k := range 20 {
			after := int64(k * 10)
			if k%4 == 3 {
				after = h.Head()
			}
			slow := k%3 == 0
			wg.Go(func() {
				r, want := h.Subscribe(after), after
				for want < total {
					events, err := r.Next(t.Context())
					if err != nil {
						t.Error(err)
						return
					}
					for _, e := range events {
						if want++; e.Seq != want {
							t.Errorf("reader from %d: %d after %d", after, e.Seq, want-1)
							return
						}
					}
					if slow {
						<-time.After(10 * time.Millisecond) // of the bubble
					}
				}
			})
		}
		for n := 50; n < total; {
			lump := min(1+n%37, total-n)
			h.Publish(s.add(lump))
			n += lump
			<-time.After(time.Millisecond)
		}
		wg.Wait()
		if len(h.ring) > ringSize || h.Head() != total {
			t.Errorf("ring %d, head %d", len(h.ring), h.Head())
		}
	})
}

// A reader that keeps up costs no query.
func TestHubServesFromMemory(t *testing.T) {
	s := &shelf{}
	h, _ := NewHub(t.Context(), s)
	r := h.Subscribe(h.Head())
	for range 10 {
		h.Publish(s.add(3))
		if got, err := r.Next(t.Context()); err != nil || len(got) != 3 {
			t.Fatal(got, err)
		}
	}
	if s.queries != 0 {
		t.Errorf("%d queries", s.queries)
	}
}

func TestHubEnds(t *testing.T) {
	s := &shelf{}
	s.add(1)
	h, _ := NewHub(t.Context(), s)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := h.Subscribe(1).Next(ctx); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	s.fail = errors.New("no")
	if _, err := h.Subscribe(0).Next(t.Context()); !errors.Is(err, s.fail) {
		t.Error(err)
	}
	// Everything behind the place was deleted: wait, do not spin.
	s.fail, s.events = nil, nil
	if _, err := h.Subscribe(0).Next(ctx); !errors.Is(err, context.Canceled) || s.queries > 2 {
		t.Error(err, s.queries)
	}
}
