package event

import (
	"context"
	"sync"

	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// ringSize is how many of the newest events are kept in memory, for all
// readers together: a reader that keeps up costs no query.
const ringSize = 128

// pageSize bounds what a reader is given at once.
const pageSize = 64

// Pager reads stored events; *store.Store is the real one.
type Pager interface {
	Events(ctx context.Context, q store.EventQuery) ([]wire.Event, error)
	LastSeq(ctx context.Context) (int64, error)
}

// Hub gives stored events to readers. It has no buffer per reader: a reader is
// a place in the store's order, is woken when there is something behind that
// place, and takes it from the ring, or from the store where it is late. Its
// methods may be called from several goroutines.
type Hub struct {
	pager Pager

	mu      sync.Mutex
	head    int64         // seq of the newest event
	ring    []wire.Event  // the newest, in order
	changed chan struct{} // closed at the next publication
}

// NewHub makes a hub whose head is the store's newest event.
func NewHub(ctx context.Context, p Pager) (*Hub, error) {
	head, err := p.LastSeq(ctx)
	if err != nil {
		return nil, err
	}
	return &Hub{pager: p, head: head, changed: make(chan struct{})}, nil
}

// Publish tells readers of events that were committed, in their order.
func (h *Hub) Publish(events []wire.Event) {
	if len(events) == 0 {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.head = events[len(events)-1].Seq
	h.ring = append(h.ring, events...)
	if over := len(h.ring) - ringSize; over > 0 {
		h.ring = append(h.ring[:0:0], h.ring[over:]...) // not in place: the array behind would keep what was dropped
	}
	close(h.changed)
	h.changed = make(chan struct{})
}

// Head is the place of the newest event.
func (h *Hub) Head() int64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.head
}

// Subscribe makes a reader of everything after a place: 0 for all that is
// stored, Head for what comes from now on. It holds nothing and need not be
// ended. A reader is used by one goroutine.
func (h *Hub) Subscribe(after int64) *Reader { return &Reader{hub: h, at: after} }

// Reader is a place in the events' order.
type Reader struct {
	hub *Hub
	at  int64
}

// Next waits for events behind the reader's place and gives some of them, in
// order, without a hole and without a double. It ends with ctx, or with an
// error of the store; after either the reader may be used again.
func (r *Reader) Next(ctx context.Context) ([]wire.Event, error) {
	for {
		events, wait := r.hub.behind(r.at)
		switch {
		case len(events) > 0:
			r.at = events[len(events)-1].Seq
			return events, nil
		case wait == nil:
			page, err := r.page(ctx)
			if err != nil || len(page) > 0 {
				return page, err
			}
		default:
			select {
			case <-wait:
			case <-ctx.Done():
				return nil, ctx.Err()
			}
		}
	}
}

// page reads from the store what is not in the ring any more.
func (r *Reader) page(ctx context.Context) ([]wire.Event, error) {
	head := r.hub.Head() // before the query: what is stored later is not skipped
	page, err := r.hub.pager.Events(ctx, store.EventQuery{After: r.at, Ascending: true, Limit: pageSize})
	if err != nil {
		return nil, err
	}
	if len(page) > 0 {
		r.at = page[len(page)-1].Seq
	} else {
		r.at = max(r.at, head) // deleted meanwhile
	}
	return page, nil
}

// behind gives the events behind a place out of the ring; or what to wait for
// where there are none; or neither, where only the store has them.
func (h *Hub) behind(at int64) ([]wire.Event, <-chan struct{}) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if at >= h.head {
		return nil, h.changed
	}
	if len(h.ring) == 0 || h.ring[0].Seq > at+1 {
		return nil, nil
	}
	i := 0
	for h.ring[i].Seq <= at {
		i++
	}
	return append([]wire.Event(nil), h.ring[i:min(len(h.ring), i+pageSize)]...), nil
}
