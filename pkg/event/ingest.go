package event

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"sync"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// KindGap is the kind of the event that says that the journal lost some.
const KindGap = "gap"

const (
	batchSize   = 128       // entries in one transaction, while catching up
	ignoredStep = 1000      // foreign entries after which the position is stored without an event
	pruneEvery  = time.Hour // at most, and only when something is stored
	firstRetry  = time.Second
	lastRetry   = time.Minute
)

// Event is an event in the transaction that stores it. Live is false for
// history: what happened before the store was made, and is not news.
type Event struct {
	wire.Event
	Live bool
}

// Options make an Ingester.
type Options struct {
	Store  *store.Store
	Hub    *Hub // may be nil
	Origin journal.Origin
	Log    *slog.Logger
	// Retention is how long events are kept, 0 for ever; asked at each pruning.
	Retention func() time.Duration
	// OnStored, where it is set, runs in the transaction of each new event, so
	// that what it writes is there if and only if the event is. Its error undoes
	// the transaction, which is then tried again.
	OnStored func(ctx context.Context, tx *sql.Tx, e Event) error
	// OnCommit, where it is set, runs after a transaction with new events.
	OnCommit func([]Event)
	// Journal is what is read; nil for the real one.
	Journal Journal
}

// Journal reads journal entries.
type Journal interface {
	// Read is journal.Read, After journal.After, Follow journal.Follower.Run.
	Read(ctx context.Context, q journal.Query, each func(journal.Entry) error) error
	After(ctx context.Context, q journal.Query, each func(journal.Entry) error) (known bool, err error)
	Follow(ctx context.Context, w journal.Follower, each func(journal.Entry) error) error
}

// journalctl is the real Journal.
type journalctl struct{}

func (journalctl) Read(ctx context.Context, q journal.Query, each func(journal.Entry) error) error {
	return journal.Read(ctx, q, each)
}

func (journalctl) After(ctx context.Context, q journal.Query, each func(journal.Entry) error) (bool, error) {
	return journal.After(ctx, q, each)
}

func (journalctl) Follow(ctx context.Context, w journal.Follower, each func(journal.Entry) error) error {
	return w.Run(ctx, each)
}

// Ingester takes events out of the journal into the store. There is one for a
// store.
type Ingester struct {
	Options
	created time.Time // of the store
	pruned  time.Time // last deletion of old events by this process
	seqless int       // entries since the position was stored last
	recent  recent    // ids of what was stored last: most come twice, nudged and followed
	nudges  chan struct{}

	mu     sync.Mutex
	state  State
	flood  *flood
	newest string // cursor of the newest entry that was read, stored or not; "" while history is read
}

// State is how the ingester is, for health checks.
type State struct {
	LastAt  time.Time // of the newest entry that was stored; zero for none
	Stored  int64     // new events since the process began
	Ignored int64     // entries that were not believed, or too many of one sender
	Gaps    int64
	Err     error     // why it does not get on at the moment; nil while it does
	Since   time.Time // of Err
}

// New makes an ingester; Run works it.
func New(o Options) *Ingester {
	if o.Journal == nil {
		o.Journal = journalctl{}
	}
	own := os.Geteuid()
	if o.Origin.User {
		own = 0 // agents have our uid
	}
	return &Ingester{Options: o, nudges: make(chan struct{}, 1), flood: newFlood(own)}
}

// State gives how the ingester is.
func (i *Ingester) State() State {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.state
}

// item is one entry on its way from the journal to the store. Only what is
// kept of it travels: an entry may be megabytes of an agent's.
type item struct {
	event wire.Event
	ok    bool // there is an event
	to    store.Position
	old   bool // read while the journal is read from its beginning
	lost  bool // the position is gone; nothing else is set
}

// Run follows the journal until ctx ends. Its error is ctx's, or says that
// going on is of no use: a damaged store, no journalctl. It may be called again.
func (i *Ingester) Run(ctx context.Context) error {
	from, err := i.Store.Position(ctx)
	if err != nil {
		return err
	}
	if i.created, err = i.Store.Created(ctx); err != nil {
		return err
	}
	i.update(func(s *State) { s.LastAt = from.At; i.newest = from.Cursor })
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	items := make(chan item, batchSize)
	var readers, closer sync.WaitGroup
	readers.Go(func() { cancel(i.read(ctx, from.Cursor, items)) })
	readers.Go(func() { i.hurry(ctx, items) })
	closer.Go(func() { readers.Wait(); close(items) })
	err = i.write(ctx, items)
	cancel(err)
	closer.Wait()
	if err == nil {
		err = context.Cause(ctx)
	}
	return err
}

// errLost ends a following whose cursor is not in the journal any more.
var errLost = errors.New("the position in the journal is gone")

// read feeds items: history first, where there is no cursor, then what comes.
func (i *Ingester) read(ctx context.Context, cursor string, items chan<- item) error {
	for {
		if cursor == "" {
			var err error
			if cursor, err = i.readHistory(ctx, items); err != nil {
				return err
			}
			i.update(func(*State) { i.newest = cursor })
		}
		w := journal.Follower{
			Query: journal.Query{Matches: matches(), After: cursor, Fields: readFields()},
			Lost:  func() error { return errLost },
			Trouble: func(err error) {
				if err != nil {
					i.Log.Warn("cannot follow the journal, trying again", "error", err)
				}
				i.trouble(err)
			},
		}
		err := i.Journal.Follow(ctx, w, i.each(ctx, items, false))
		switch {
		case errors.Is(err, errLost):
			cursor = ""
			i.update(func(*State) { i.newest = "" })
			if err := put(ctx, items, item{lost: true}); err != nil {
				return err
			}
		case err == nil:
			return errors.New("cannot follow the journal: it ended")
		default:
			return err
		}
	}
}

// readHistory reads all that the journal has, once it can be read, and gives
// the cursor of the last entry.
func (i *Ingester) readHistory(ctx context.Context, items chan<- item) (cursor string, err error) {
	each := i.each(ctx, items, true)
	for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
		err := i.Journal.Read(ctx, journal.Query{Matches: matches(), Fields: readFields()}, func(e journal.Entry) error {
			cursor = e.Cursor
			return each(e)
		})
		if err == nil || ctx.Err() != nil {
			return cursor, err
		}
		i.Log.Warn("cannot read the journal, trying again", "error", err)
		i.trouble(err)
		if err := pause(ctx, delay); err != nil {
			return "", err
		}
	}
}

// each makes items of entries. They are looked at here, so that what waits is
// small.
func (i *Ingester) each(ctx context.Context, items chan<- item, old bool) func(journal.Entry) error {
	return func(e journal.Entry) error {
		it := item{to: store.Position{Cursor: e.Cursor, At: e.Time}, old: old}
		it.event, it.ok = FromEntry(e, i.Origin, os.Geteuid())
		i.mu.Lock()
		it.ok = it.ok && i.flood.passes(e)
		if !old {
			i.newest = e.Cursor
		}
		i.mu.Unlock()
		return put(ctx, items, it)
	}
}

func put(ctx context.Context, items chan<- item, it item) error {
	select {
	case items <- it:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func matches() []string {
	var m []string
	for _, e := range bridge.Events() {
		m = append(m, "MESSAGE_ID="+e.MessageID())
	}
	return m
}

// write stores what has come, as much as there is at once.
func (i *Ingester) write(ctx context.Context, items <-chan item) error {
	batch := make([]item, 0, batchSize)
	for {
		it, ok := <-items
		if !ok {
			return nil
		}
		batch = append(batch[:0], it)
	more:
		for len(batch) < batchSize {
			select {
			case it, ok := <-items:
				if !ok {
					break more
				}
				batch = append(batch, it)
			default:
				break more
			}
		}
		if err := i.store(ctx, batch); err != nil {
			return err
		}
	}
}

// store stores a batch, trying again while that is of any use: a full disk has
// room one day. What waits meanwhile waits in the journal.
func (i *Ingester) store(ctx context.Context, batch []item) error {
	for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
		var err error
		batch, err = i.storeSome(ctx, batch)
		var refused *store.RefusedError
		switch {
		case err == nil:
			i.trouble(nil)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused) && refused.Reason == store.Damaged:
			return err
		}
		i.Log.Error("cannot store events, trying again", "error", err)
		i.trouble(err)
		if err := pause(ctx, delay); err != nil {
			return err
		}
	}
}

// storeSome is one transaction for each stretch of a batch without a lost
// position in it. It gives back what is still to be stored.
func (i *Ingester) storeSome(ctx context.Context, batch []item) ([]item, error) {
	for len(batch) > 0 {
		if batch[0].lost {
			if err := i.storeGap(ctx); err != nil {
				return batch, err
			}
			batch = batch[1:]
			continue
		}
		n := 1
		for n < len(batch) && !batch[n].lost {
			n++
		}
		if err := i.storeEntries(ctx, batch[:n]); err != nil {
			return batch, err
		}
		batch = batch[n:]
	}
	return nil, nil
}

func (i *Ingester) storeEntries(ctx context.Context, batch []item) error {
	pruned, err := i.cutoff(ctx, batch)
	if err != nil {
		return err
	}
	var events []wire.Event
	live := map[string]bool{} // by id: a repeat is as live as the first
	ignored := 0
	for _, it := range batch {
		switch {
		case !it.ok:
			ignored++
		case i.recent.has(it.event.ID):
		case it.old && it.event.At.Before(pruned):
			// Deleted for its age, or to be deleted at once.
		default:
			events = append(events, it.event)
			// Behind the cursor everything is news, whatever the clock says.
			live[it.event.ID] = !it.old || !it.event.At.Before(i.created)
		}
	}
	i.seqless += ignored
	if len(events) == 0 && i.seqless < ignoredStep {
		i.update(func(s *State) { s.Ignored += int64(ignored) })
		return nil // foreign entries cost no write; they are read again after a restart
	}
	to := batch[len(batch)-1].to
	if err := i.commit(ctx, events, to, live); err != nil {
		i.seqless -= ignored
		return err
	}
	i.seqless = 0
	i.update(func(s *State) { s.Ignored += int64(ignored); s.LastAt = to.At })
	return i.prune(ctx)
}

// cutoff is the time before which history is not stored.
func (i *Ingester) cutoff(ctx context.Context, batch []item) (time.Time, error) {
	if !batch[len(batch)-1].old {
		return time.Time{}, nil
	}
	pruned, err := i.Store.Pruned(ctx)
	if keep := i.Retention(); err == nil && keep > 0 {
		if t := time.Now().Add(-keep); t.After(pruned) {
			pruned = t
		}
	}
	return pruned, err
}

// storeGap says that the position is gone, and forgets it, in one transaction:
// killed behind it we read from the beginning without saying it again.
func (i *Ingester) storeGap(ctx context.Context) error {
	from, err := i.Store.Position(ctx)
	if err != nil {
		return err
	}
	gap := gapEvent(from.At, time.Now().UTC().Truncate(time.Microsecond))
	i.Log.Warn(gap.Message)
	if err := i.commit(ctx, []wire.Event{gap}, store.Position{}, map[string]bool{gap.ID: true}); err != nil {
		return err
	}
	i.update(func(s *State) { s.Gaps++ })
	return nil
}

func (i *Ingester) commit(ctx context.Context, events []wire.Event, to store.Position, live map[string]bool) error {
	var each func(*sql.Tx, wire.Event) error
	if i.OnStored != nil {
		each = func(tx *sql.Tx, e wire.Event) error { return i.OnStored(ctx, tx, Event{e, live[e.ID]}) }
	}
	added, err := i.Store.AddEvents(ctx, events, to, each)
	if err != nil {
		return fmt.Errorf("cannot store events: %w", err)
	}
	i.update(func(s *State) { s.Stored += int64(len(added)) })
	for _, e := range events {
		i.recent.add(e.ID)
	}
	if i.Hub != nil {
		i.Hub.Publish(added)
	}
	if i.OnCommit != nil && len(added) > 0 {
		all := make([]Event, len(added))
		for n, e := range added {
			all[n] = Event{e, live[e.ID]}
		}
		i.OnCommit(all)
	}
	return nil
}

// prune deletes a few thousand of what is too old; where there is more, the
// next event goes on with it.
func (i *Ingester) prune(ctx context.Context) error {
	keep := i.Retention()
	if keep <= 0 || time.Since(i.pruned) < pruneEvery {
		return nil
	}
	deleted, more, err := i.Store.DeleteEventsBefore(ctx, time.Now().Add(-keep))
	if err != nil {
		// What was to be stored is stored: no reason to store it again.
		i.Log.Warn("cannot delete old events", "error", err)
		return ctx.Err()
	}
	if !more {
		i.pruned = time.Now()
	}
	if deleted > 0 {
		i.Log.Info("old events were deleted", "events", deleted)
	}
	return nil
}

// recent remembers the last ids it was given.
type recent struct {
	ids  [4 * batchSize]string
	next int
	set  map[string]bool
}

func (r *recent) has(id string) bool { return r.set[id] }

func (r *recent) add(id string) {
	if r.set[id] {
		return
	}
	if r.set == nil {
		r.set = make(map[string]bool, len(r.ids))
	}
	delete(r.set, r.ids[r.next])
	r.ids[r.next], r.set[id] = id, true
	r.next = (r.next + 1) % len(r.ids)
}

func (i *Ingester) update(f func(*State)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f(&i.state)
}

func (i *Ingester) trouble(err error) {
	i.update(func(s *State) {
		switch {
		case err == nil:
			s.Since = time.Time{}
		case s.Err == nil:
			s.Since = time.Now()
		}
		s.Err = err
	})
}
