package event

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
)

// From the nudge to the end of the transaction there is no instant at which
// nothing seems to be under way.
func TestBusyUntilStored(t *testing.T) {
	s := testStore(t)
	created, _ := s.Created(t.Context())
	p := newTape(entry(1, bridge.EventSpawn, created))
	looked, goOn := make(chan struct{}), make(chan struct{})
	storing, stored := make(chan struct{}), make(chan struct{})
	p.after = func() {
		looked <- struct{}{}
		<-goOn
	}
	i := New(Options{Store: s, Log: slog.New(slog.DiscardHandler), Journal: &deaf{tape: p}, Retention: func() time.Duration { return 0 },
		OnStored: func(_ context.Context, _ *sql.Tx, e Event) error {
			if e.ID == id(2) {
				storing <- struct{}{}
				<-stored
			}
			return nil
		}})
	if !i.Busy() {
		t.Error("not busy although nothing was read yet")
	}
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = i.Run(ctx)
	}()
	until(t, "caught up", func() bool { return !i.Busy() })
	i.Nudge()
	if !i.Busy() {
		t.Error("not busy with a nudge")
	}
	<-looked
	if !i.Busy() {
		t.Error("not busy with a read")
	}
	p.write(entry(2, bridge.EventCrash, created))
	goOn <- struct{}{}
	<-storing
	until(t, "at the end of the reads", func() bool {
		i.mu.Lock()
		defer i.mu.Unlock()
		return !i.use.hurrying
	})
	if !i.Busy() {
		t.Error("not busy with an event that is not stored")
	}
	close(stored)
	until(t, "idle", func() bool { return !i.Busy() })
	if last, err := s.LastSeq(t.Context()); err != nil || last != 2 {
		t.Errorf("idle with %d events stored, %v", last, err)
	}
	cancel()
	<-done
	i.Nudge()
	if i.Busy() || i.Look(t.Context()) != nil {
		t.Error("busy without a Run: nobody could ever leave")
	}
}

// deaf is a journal whose follower hears nothing.
type deaf struct {
	*tape
	broken error
}

func (d *deaf) After(ctx context.Context, q journal.Query, each func(journal.Entry) error) (bool, error) {
	if d.broken != nil {
		return false, d.broken
	}
	return d.tape.After(ctx, q, each)
}

func (d *deaf) Follow(ctx context.Context, _ journal.Follower, _ func(journal.Entry) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// A look finds what neither a nudge nor the follower told of, and fails where
// it could not look.
func TestLook(t *testing.T) {
	s := testStore(t)
	created, _ := s.Created(t.Context())
	d := &deaf{tape: newTape(entry(1, bridge.EventSpawn, created))}
	i := New(Options{Store: s, Log: slog.New(slog.DiscardHandler), Journal: d, Retention: func() time.Duration { return 0 }})
	ctx, cancel := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = i.Run(ctx)
	}()
	until(t, "caught up", func() bool { return !i.Busy() })
	d.write(entry(2, bridge.EventCrash, created))
	if err := i.Look(t.Context()); err != nil {
		t.Error(err)
	}
	until(t, "idle", func() bool { return !i.Busy() })
	if last, err := s.LastSeq(t.Context()); err != nil || last != 2 {
		t.Errorf("%d events, %v", last, err)
	}
	d.broken = errors.New("no journalctl")
	if err := i.Look(t.Context()); !errors.Is(err, d.broken) {
		t.Errorf("it looked: %v", err)
	}
	cancel()
	<-done
}

// onceBroken is a journal without events that cannot be read at first.
type onceBroken struct {
	deaf
	reads int
}

func (j *onceBroken) Read(context.Context, journal.Query, func(journal.Entry) error) error {
	if j.reads++; j.reads == 1 {
		return errors.New("journald is away for a moment")
	}
	return nil
}

// A first read that failed is forgotten when the second works, also in a
// journal without events, where nothing else would ever say so.
func TestTroubleEndsWithoutEvents(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &onceBroken{}
		i := New(Options{Journal: j, Log: slog.New(slog.DiscardHandler)})
		done := make(chan error)
		go func() {
			_, err := i.readHistory(t.Context(), make(chan item, 1))
			done <- err
		}()
		synctest.Wait()
		if i.State().Err == nil || i.State().Since.IsZero() {
			t.Error("no word of it")
		}
		if err := <-done; err != nil || j.reads != 2 || i.State().Err != nil {
			t.Errorf("%v, %d reads, %v", err, j.reads, i.State().Err)
		}
	})
}

// A store that works says nothing of the journal, nor the other way round.
func TestFaultsOfJournalAndStore(t *testing.T) {
	i := New(Options{})
	journal, disk := errors.New("no journal"), errors.New("no room")
	i.trouble(&i.following, journal)
	i.trouble(&i.storing, nil)
	if got := i.State().Err; !errors.Is(got, journal) {
		t.Errorf("%v", got)
	}
	i.trouble(&i.storing, disk)
	i.trouble(&i.following, nil)
	if got := i.State(); !errors.Is(got.Err, disk) || got.Since.IsZero() {
		t.Errorf("%+v", got)
	}
	i.trouble(&i.storing, nil)
	if got := i.State(); got.Err != nil || !got.Since.IsZero() {
		t.Errorf("%+v", got)
	}
}

// What is read after a nudge and then followed counts once: a sender has the
// whole of its burst.
func TestFloodCountsAnEventOnce(t *testing.T) {
	items := make(chan item, 2*floodBurst+2)
	i := New(Options{Log: slog.New(slog.DiscardHandler)})
	at, ok, repeats := time.Now(), 0, 0
	for range 2 {
		for n := range floodBurst + 1 {
			e := entry(n, bridge.EventRequested, at, "CLAUSTER_ACTOR_UID", "4711", "_UID", "4711")
			if err := i.each(t.Context(), items, false)(e); err != nil {
				t.Fatal(err)
			}
			switch it := <-items; {
			case it.repeat:
				repeats++
			case it.ok:
				ok++
			}
		}
	}
	if ok != floodBurst || repeats != floodBurst {
		t.Errorf("%d of %d, %d repeats", ok, floodBurst, repeats)
	}
}

// However many ids were seen, the newest are known, and no more.
func TestRecent(t *testing.T) {
	var r recent
	for n := range 3 * seenIDs {
		r.add(fmt.Sprint(n))
		r.add(fmt.Sprint(n))
	}
	if len(r.ids) != seenIDs || len(r.set) != seenIDs || !r.has(fmt.Sprint(2*seenIDs)) || r.has(fmt.Sprint(2*seenIDs-1)) {
		t.Errorf("%d, %d", len(r.ids), len(r.set))
	}
}

// A read after a nudge begins behind what is on its way, not behind what
// somebody is about to send: the position stored with it would be behind an
// entry that is nowhere yet.
func TestNoReadOvertakes(t *testing.T) {
	src := &source{hurried: []journal.Entry{entry(3, bridge.EventCrash, time.Now())}}
	i := New(Options{Journal: src, Log: slog.New(slog.DiscardHandler)})
	i.newest = entry(1, "", time.Now()).Cursor
	items := make(chan item)
	var both sync.WaitGroup
	both.Go(func() { _ = i.each(t.Context(), items, false)(entry(2, bridge.EventCrash, time.Now())) })
	until(t, "on its way", func() bool {
		i.mu.Lock()
		defer i.mu.Unlock()
		return i.use.pending > 0
	})
	both.Go(func() { _, _ = i.readAfter(t.Context(), items) })
	<-time.After(20 * time.Millisecond)
	if n := src.reads.Load(); n != 0 {
		t.Errorf("%d reads behind an entry that was not sent", n)
	}
	if first, second := <-items, <-items; first.event.ID != id(2) || second.event.ID != id(3) {
		t.Errorf("%s before %s", first.event.ID, second.event.ID)
	}
	both.Wait()
}
