package event

import (
	"context"
	"database/sql"
	"log/slog"
	"os"
	"sync"
	"time"

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
	fresh  bool   // history was read and held nothing
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
