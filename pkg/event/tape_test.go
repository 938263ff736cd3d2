package event

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/store"
)

// tape is a journal that can be written to, cut off at its beginning, and held
// up: entries are found by their cursors, as in the real one.
type tape struct {
	mu      sync.Mutex
	entries []journal.Entry
	changed chan struct{}
	lost    chan struct{} // a follower whose cursor is not there says so
	each    func(reading string, n int)
	after   func()
}

func newTape(entries ...journal.Entry) *tape {
	return &tape{entries: entries, changed: make(chan struct{}), lost: make(chan struct{}, 1)}
}

func (p *tape) write(e ...journal.Entry) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.entries = append(p.entries, e...)
	close(p.changed)
	p.changed = make(chan struct{})
}

// behind gives what is behind a cursor, and what to wait for; known is false
// where it is not there.
func (p *tape) behind(cursor string) (all []journal.Entry, changed chan struct{}, known bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if cursor == "" {
		return p.entries, p.changed, true
	}
	for n, e := range p.entries {
		if e.Cursor == cursor {
			return p.entries[n+1:], p.changed, true
		}
	}
	return nil, p.changed, false
}

func (p *tape) give(reading string, all []journal.Entry, each func(journal.Entry) error) error {
	for n, e := range all {
		if p.each != nil {
			p.each(reading, n)
		}
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}

func (p *tape) Read(_ context.Context, _ journal.Query, each func(journal.Entry) error) error {
	all, _, _ := p.behind("")
	return p.give("read", all, each)
}

func (p *tape) After(_ context.Context, q journal.Query, each func(journal.Entry) error) (bool, error) {
	if p.after != nil {
		p.after()
	}
	all, _, known := p.behind(q.After)
	return known, p.give("after", all, each)
}

func (p *tape) Follow(ctx context.Context, w journal.Follower, each func(journal.Entry) error) error {
	at := w.Query.After
	for {
		all, changed, known := p.behind(at)
		if !known {
			return w.Lost()
		}
		if err := p.give("follow", all, each); err != nil {
			return err
		}
		if len(all) > 0 {
			at = all[len(all)-1].Cursor
		}
		select {
		case <-changed:
		case <-p.lost:
			return w.Lost()
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// ingesting runs an ingester of a tape until the test stops it, and gives what
// was stored, with whether it was news.
func ingesting(t *testing.T, s *store.Store, p *tape) (i *Ingester, stored <-chan Event, stop func()) {
	t.Helper()
	all := make(chan Event, 1000)
	i = New(Options{Store: s, Log: slog.New(slog.DiscardHandler), Journal: p, Retention: func() time.Duration { return 0 },
		OnStored: func(context.Context, *sql.Tx, Event) error { return nil },
		OnCommit: func(events []Event) {
			for _, e := range events {
				all <- e
			}
		}})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = i.Run(ctx)
	}()
	stop = sync.OnceFunc(func() {
		cancel()
		<-done
	})
	t.Cleanup(stop)
	return i, all, stop
}

func next(t *testing.T, stored <-chan Event) Event {
	t.Helper()
	select {
	case e := <-stored:
		return e
	case <-time.After(20 * time.Second):
		t.Fatal("nothing is stored")
		return Event{}
	}
}

func none(t *testing.T, stored <-chan Event) {
	t.Helper()
	select {
	case e := <-stored:
		t.Fatalf("stored, too: %+v", e)
	default:
	}
}

func until(t *testing.T, what string, f func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !f(); <-time.After(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("never %s", what)
		}
	}
}

// A nudge while a journal is read again whose position was lost once read all
// of it as news: a webhook for each crash of the last months.
func TestNudgeWhileALostJournalIsReadAgain(t *testing.T) {
	s := testStore(t)
	created, _ := s.Created(t.Context())
	p := newTape() // without events at first, so that a nudge may read from the beginning
	i, stored, _ := ingesting(t, s, p)
	until(t, "caught up", func() bool { return !i.Busy() })
	p.write(entry(2, bridge.EventCrash, created.Add(time.Second)))
	if e := next(t, stored); !e.Live {
		t.Errorf("%+v", e)
	}
	reading, goOn := make(chan struct{}), make(chan struct{})
	p.mu.Lock()
	p.entries = []journal.Entry{entry(1, bridge.EventCrash, created.Add(-30*24*time.Hour))}
	p.each = func(how string, n int) {
		if how == "read" && n == 0 {
			select {
			case <-reading:
			default:
				close(reading)
				<-goOn
			}
		}
	}
	p.mu.Unlock()
	p.lost <- struct{}{}
	<-reading
	i.Nudge()
	until(t, "read after the nudge", func() bool {
		i.mu.Lock()
		defer i.mu.Unlock()
		return !i.use.asked && !i.use.hurrying
	})
	close(goOn)
	if e := next(t, stored); e.Kind != KindGap {
		t.Errorf("%+v", e)
	}
	if e := next(t, stored); e.ID != id(1) || e.Live {
		t.Errorf("history is news: %+v", e)
	}
	until(t, "caught up", func() bool { return !i.Busy() })
	none(t, stored)
}

// What a read after a nudge has in hand when the position is lost is left to
// history: its position must not be stored before that is read.
func TestLostWhileReadAfterANudge(t *testing.T) {
	p := newTape(entry(1, bridge.EventCrash, time.Now()), entry(2, bridge.EventCrash, time.Now()), entry(3, bridge.EventCrash, time.Now()))
	i := New(Options{Journal: p, Log: slog.New(slog.DiscardHandler)})
	i.newest = p.entries[0].Cursor
	items := make(chan item, 10)
	p.each = func(_ string, n int) {
		if n == 1 {
			if err := i.lose(t.Context(), items); err != nil {
				t.Error(err)
			}
		}
	}
	if _, err := i.readAfter(t.Context(), items); err != nil {
		t.Error(err)
	}
	if first, second := <-items, <-items; first.event.ID != id(2) || !second.lost || len(items) != 0 || i.newest != "" {
		t.Errorf("%+v, %+v, %d more, at %q", first, second, len(items), i.newest)
	}
}

// Killed within history: the next process reads it again, and the rest of it
// is no news. Its position was stored once, and all behind it delivered.
func TestKilledWithinHistory(t *testing.T) {
	s := testStore(t)
	created, _ := s.Created(t.Context())
	p := newTape()
	for n := range 10 {
		p.entries = append(p.entries, entry(n, bridge.EventCrash, created.Add(-time.Hour)))
	}
	held, goOn := make(chan struct{}), make(chan struct{})
	p.each = func(_ string, n int) {
		if n == 5 {
			close(held)
			<-goOn
		}
	}
	_, stored, stop := ingesting(t, s, p)
	<-held
	for n := range 5 {
		if e := next(t, stored); e.ID != id(n) || e.Live {
			t.Fatalf("%+v", e)
		}
	}
	if at, err := s.Position(t.Context()); err != nil || at.Cursor != "" {
		t.Errorf("%+v, %v", at, err)
	}
	p.each = nil
	go close(goOn)
	stop()
	for len(stored) > 0 {
		<-stored
	}
	after, err := s.LastSeq(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	i, stored, stop := ingesting(t, s, p)
	until(t, "caught up", func() bool { return !i.Busy() })
	for n := int(after); n < 10; n++ {
		if e := next(t, stored); e.ID != id(n) || e.Live {
			t.Errorf("%+v", e)
		}
	}
	none(t, stored)
	stop()
	if at, err := s.Position(t.Context()); err != nil || at.Cursor != p.entries[9].Cursor {
		t.Errorf("%+v, %v", at, err)
	}
}

// What is older than the retention is left out of history also where news comes
// in the same transaction.
func TestRetentionBesideNews(t *testing.T) {
	i := New(Options{Store: testStore(t), Log: slog.New(slog.DiscardHandler), Retention: func() time.Duration { return time.Hour }})
	batch := []item{{old: true, ok: true}, {old: false, ok: true}}
	if at, err := i.cutoff(t.Context(), batch); err != nil || at.IsZero() {
		t.Errorf("%v, %v", at, err)
	}
}
