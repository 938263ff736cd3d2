package event

import (
	"context"
	"os"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/store"
)

// each makes items of entries. They are looked at here, so that what waits is
// small.
func (i *Ingester) each(ctx context.Context, items chan<- item, old bool) func(journal.Entry) error {
	return func(e journal.Entry) error {
		i.feeding.Lock()
		defer i.feeding.Unlock()
		_, err := i.feed(ctx, items, e, old)
		return err
	}
}

// feed sends an entry on its way, and reports whether it is a keeper's event
// that has not come before. feeding is held.
func (i *Ingester) feed(ctx context.Context, items chan<- item, e journal.Entry, old bool) (news bool, err error) {
	it := item{to: store.Position{Cursor: e.Cursor, At: e.Time}, old: old}
	it.event, it.ok = FromEntry(e, i.Origin, os.Geteuid())
	switch {
	case !it.ok:
	case i.seen.has(it.event.ID):
		it.repeat = true // not asked of flood again, which would count it twice
	case !i.flood.passes(e):
		it.ok = false
	default:
		i.seen.add(it.event.ID)
		news = e.Event() != bridge.EventRequested
	}
	if err := i.put(ctx, items, it); err != nil {
		return false, err
	}
	if !old {
		i.newest = e.Cursor
	}
	return news, nil
}

// lose says that the position is gone. From here until history was read,
// nothing is read after a nudge: it would be old, and be delivered as news.
func (i *Ingester) lose(ctx context.Context, items chan<- item) error {
	i.feeding.Lock()
	defer i.feeding.Unlock()
	i.newest, i.fresh = "", false
	i.losses++
	i.update(func(*State) { i.use.caught = false })
	return i.put(ctx, items, item{lost: true})
}

// caughtUp says that history was read, up to its last entry.
func (i *Ingester) caughtUp(ctx context.Context, items chan<- item, last store.Position) error {
	i.feeding.Lock()
	defer i.feeding.Unlock()
	if err := i.put(ctx, items, item{to: last, end: true}); err != nil {
		return err
	}
	i.newest, i.fresh = last.Cursor, last.Cursor == ""
	i.update(func(*State) { i.use.caught = true })
	return nil
}

func (i *Ingester) put(ctx context.Context, items chan<- item, it item) error {
	i.update(func(*State) { i.use.pending++ })
	select {
	case items <- it:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// seenIDs is how many events are remembered: more than a follower can be behind
// the reads after nudges, and twice what one sender may write at once.
const seenIDs = 2 * floodBurst

// recent remembers the last ids it was given.
type recent struct {
	ids  []string
	next int
	set  map[string]bool
}

func (r *recent) has(id string) bool { return r.set[id] }

func (r *recent) add(id string) {
	switch {
	case r.set[id]:
		return
	case r.set == nil:
		r.set = map[string]bool{}
	}
	r.set[id] = true
	if len(r.ids) < seenIDs {
		r.ids = append(r.ids, id)
		return
	}
	delete(r.set, r.ids[r.next])
	r.ids[r.next] = id
	r.next = (r.next + 1) % seenIDs
}
