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
	history bool      // the journal is being read from its beginning, as far as items were stored
	nudges  chan struct{}
	looks   chan chan error

	// feeding is held from the look at an entry until it is on its way, so that
	// all up to newest are: a read behind newest must not overtake one that is
	// not, and store a position behind it.
	feeding sync.Mutex
	newest  string // cursor of the newest entry on its way or stored; "" while history is read
	fresh   bool   // history was read and held nothing
	losses  int    // positions that were lost
	seen    recent // ids of the newest events: most come twice, nudged and followed
	flood   *flood

	mu                 sync.Mutex
	state              State
	following, storing fault
	use                use
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

// fault is why something does not get on, and since when. Journal and store
// have one each: when one of them gets on, that tells nothing of the other.
type fault struct {
	err   error
	since time.Time
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
	return &Ingester{Options: o, nudges: make(chan struct{}, 1), looks: make(chan chan error), flood: newFlood(own)}
}

// State gives how the ingester is.
func (i *Ingester) State() State {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.state
	worst := i.storing
	if worst.err == nil {
		worst = i.following
	}
	s.Err, s.Since = worst.err, worst.since
	return s
}

// item is one entry on its way from the journal to the store. Only what is
// kept of it travels: an entry may be megabytes of an agent's.
type item struct {
	event  wire.Event
	ok     bool // there is an event
	repeat bool // that is on its way already, or stored
	to     store.Position
	old    bool // read while the journal is read from its beginning
	end    bool // the journal was read from its beginning up to here; no entry
	lost   bool // the position is gone; nothing else is set
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
	i.begin(from)
	defer i.end()
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

// begin forgets what an earlier Run had on its way.
func (i *Ingester) begin(from store.Position) {
	i.history, i.seqless = from.Cursor == "", 0
	i.feeding.Lock()
	i.newest, i.fresh, i.seen = from.Cursor, false, recent{}
	i.feeding.Unlock()
	i.update(func(s *State) {
		s.LastAt = from.At
		i.use = use{caught: from.Cursor != "", asked: i.use.asked, over: make(chan struct{})}
	})
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
		i.update(func(*State) { i.use.pending -= len(batch) })
	}
}

func (i *Ingester) update(f func(*State)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	f(&i.state)
}

// trouble says of a fault of ours why it is there, nil that it is over.
func (i *Ingester) trouble(f *fault, err error) {
	i.update(func(*State) {
		switch {
		case err == nil:
			*f = fault{}
		case f.err == nil:
			*f = fault{err, time.Now()}
		default:
			f.err = err
		}
	})
}
