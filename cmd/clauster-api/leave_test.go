package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/config"
	"clauster/pkg/door"
	"clauster/pkg/event"
	"clauster/pkg/journal"
	"clauster/pkg/store"

	"golang.org/x/sys/unix"
)

// leavingJournal is a journal whose follower hears nothing: only reads find its
// entries, and each is told of.
type leavingJournal struct {
	mu      sync.Mutex
	entries []journal.Entry
	read    func(n int) // before the n-th look at what there is; the first is history's
	reads   int
}

func (j *leavingJournal) write(n int) {
	e := journal.NewEntry(time.Now(), map[string]string{"MESSAGE_ID": bridge.EventCrash.MessageID(), "CLAUSTER_EVENT": "crash", "CLAUSTER_SCHEMA": "1",
		"CLAUSTER_EVENT_ID": fmt.Sprintf("019a0000-0000-7000-8000-%012x", n), "CLAUSTER_INSTANCE": "blog", "CLAUSTER_PROJECT": "blog",
		"_SYSTEMD_UNIT": "clauster@blog.service", "_UID": "1000"})
	e.Cursor = fmt.Sprint("cursor ", n)
	j.mu.Lock()
	defer j.mu.Unlock()
	j.entries = append(j.entries, e)
}

func (j *leavingJournal) Read(_ context.Context, q journal.Query, each func(journal.Entry) error) error {
	j.mu.Lock()
	j.reads++
	n, all := j.reads, j.entries
	j.mu.Unlock()
	if j.read != nil {
		j.read(n)
	}
	for _, e := range all {
		if q.After == e.Cursor {
			break
		}
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}

func (j *leavingJournal) After(ctx context.Context, q journal.Query, each func(journal.Entry) error) (bool, error) {
	return true, j.Read(ctx, q, each)
}

func (j *leavingJournal) Follow(ctx context.Context, _ journal.Follower, _ func(journal.Entry) error) error {
	<-ctx.Done()
	return ctx.Err()
}

// leaving is a daemon that leaves after a second without use, its wake socket
// as systemd keeps it, and what a keeper does.
func leaving(t *testing.T, j *leavingJournal) (d *daemon, kept int, tell func()) {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "clauster.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "wake"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	log := slog.New(slog.DiscardHandler)
	d = &daemon{log: log, settings: &settings{}, wake: []*net.UnixConn{c}, doors: door.Open(log), nouns: &nouns{store: s,
		ingester: event.New(event.Options{Store: s, Log: log, Journal: j, Retention: func() time.Duration { return 0 }})}}
	d.settings.current.Store(&config.Config{API: config.APIServer{IdleExitSeconds: 1}})
	ctx, cancel := context.WithCancel(context.Background())
	d.part(func() { _ = d.ingester.Run(ctx) })
	d.part(func() { door.Wake(c, d.woken) })
	t.Cleanup(func() {
		d.closeWake()
		cancel()
		d.parts.Wait()
		_ = d.doors.Drain(context.Background())
	})
	return d, int(f.Fd()), func() {
		if err := door.Rouse(c); err != nil {
			t.Error(err)
		}
	}
}

func stored(t *testing.T, d *daemon) int64 {
	t.Helper()
	n, err := d.store.LastSeq(context.Background())
	if err != nil {
		t.Error(err)
	}
	return n
}

// A crash at the very end of the idle time, its datagram sent while the journal
// is looked at a last time, after what that look sees: it was taken off the
// wake socket, and the process left with it.
func TestIdleExitLeavesADatagram(t *testing.T) {
	t.Parallel()
	j := &leavingJournal{}
	d, kept, tell := leaving(t, j)
	j.read = func(n int) {
		if n == 2 { // the last look, which has seen nothing
			j.write(1)
			tell()
			<-time.After(100 * time.Millisecond) // in which it could be taken
		}
	}
	d.wait(t.Context(), nil)
	var nothing [1]byte
	_, _, err := unix.Recvfrom(kept, nothing[:], unix.MSG_DONTWAIT)
	if n := stored(t, d); n == 0 && err != nil {
		t.Errorf("left with %d events stored and a wake socket that says: %v", n, err)
	}
}

// What the last look finds is stored before the exit, though nobody told of it.
func TestIdleExitLooksALastTime(t *testing.T) {
	t.Parallel()
	j := &leavingJournal{}
	d, _, _ := leaving(t, j)
	for d.ingester.Busy() {
		<-time.After(time.Millisecond)
	}
	j.write(1)
	d.wait(t.Context(), nil)
	if n := stored(t, d); n != 1 {
		t.Errorf("left with %d of 1 events stored", n)
	}
}

// A datagram is use: its entry may be late, and is waited for as long as
// anything else.
func TestWakeIsUse(t *testing.T) {
	t.Parallel()
	d, _, tell := leaving(t, &leavingJournal{})
	told := make(chan time.Time, 1)
	time.AfterFunc(500*time.Millisecond, func() {
		told <- time.Now()
		tell()
	})
	d.wait(t.Context(), nil)
	if after := time.Since(<-told); after < time.Second {
		t.Errorf("left %v after a datagram", after)
	}
}

// A journal that cannot be looked at keeps it, for another idle time each.
func TestNoIdleExitUnlooked(t *testing.T) {
	t.Parallel()
	d, _, _ := leaving(t, &leavingJournal{})
	for d.ingester.Busy() {
		<-time.After(time.Millisecond)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if d.leave(ctx, 0) || time.Since(d.bell.LastUse()) > time.Second {
		t.Error("left without a look, or looks again at once")
	}
	if !d.leave(t.Context(), 0) {
		t.Error("stays, with nothing to do")
	}
}
