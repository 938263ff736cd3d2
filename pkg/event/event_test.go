package event

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/store"
	"clauster/pkg/wire"

	"github.com/google/go-cmp/cmp"
)

// id makes a UUIDv7 out of a number.
func id(n int) string { return fmt.Sprintf("019a0000-0000-7000-8000-%012x", n) }

// entry makes a trusted keeper's event of instance blog.
func entry(n int, e bridge.Event, at time.Time, more ...string) journal.Entry {
	f := map[string]string{"MESSAGE_ID": e.MessageID(), "CLAUSTER_EVENT": string(e), "CLAUSTER_SCHEMA": "1", "CLAUSTER_EVENT_ID": id(n),
		"CLAUSTER_INSTANCE": "blog", "CLAUSTER_PROJECT": "blog", "_SYSTEMD_UNIT": "clauster@blog.service", "_UID": "1000", "MESSAGE": "it happened"}
	for i := 0; i+1 < len(more); i += 2 {
		f[more[i]] = more[i+1]
	}
	made := journal.NewEntry(at, f)
	made.Cursor = fmt.Sprintf("s=1;i=%d;b=b;m=%d;t=%d;x=x", n, n, n)
	return made
}

func TestFromEntry(t *testing.T) {
	at := time.UnixMicro(1_700_000_000_000_000).UTC()
	screen := strings.Repeat("0123456789abcde\n", 512)
	got, ok := FromEntry(entry(1, bridge.EventCrash, at, "CLAUSTER_LABEL", "Blog", "CLAUSTER_RUN", "r", "CLAUSTER_STATUS", "crashed",
		"CLAUSTER_REASON", "it \xff broke", "CLAUSTER_EXIT_CODE", "1", "CLAUSTER_PROJECT", "other", "CLAUSTER_LAST_SCREEN", screen,
		"CLAUSTER_UNHEARD_OF", "x", "CLAUSTER_HINT", ""), journal.Origin{}, 7)
	want := wire.Event{ID: id(1), At: wire.Time{Time: at}, Kind: "crash", Instance: "blog", Project: "blog", Label: "Blog", Run: "r", Status: "crashed",
		Message: "it happened", Fields: map[string]string{"reason": "it � broke", "exit_code": "1", "last_screen": screen[len(screen)-4096+16:]}}
	if !ok {
		t.Fatal("not believed")
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	for name, e := range map[string]journal.Entry{
		"another unit":   entry(1, bridge.EventCrash, at, "_SYSTEMD_UNIT", "clauster-bridge-blog.scope"),
		"no instance":    entry(1, bridge.EventCrash, at, "CLAUSTER_INSTANCE", "../blog"),
		"no id":          entry(1, bridge.EventCrash, at, "CLAUSTER_EVENT_ID", ""),
		"id of a kind":   entry(1, bridge.EventCrash, at, "CLAUSTER_EVENT_ID", "{"+id(1)+"}"),
		"another schema": entry(1, bridge.EventCrash, at, "CLAUSTER_SCHEMA", "2"),
		"user mode":      entry(1, bridge.EventCrash, at, "_SYSTEMD_UNIT", "", "_SYSTEMD_USER_UNIT", "clauster@blog.service"),
		"another actor":  entry(1, bridge.EventRequested, at, "CLAUSTER_ACTOR_UID", "0"),
	} {
		if e, ok := FromEntry(e, journal.Origin{}, 7); ok {
			t.Errorf("%s is believed: %+v", name, e)
		}
	}
}

// A requested event is believed about its sender, and its words only of those
// who need not lie.
func TestFromEntryRequested(t *testing.T) {
	e := func(uid string) journal.Entry {
		return entry(1, bridge.EventRequested, time.Now(), "_UID", uid, "CLAUSTER_ACTOR_UID", uid, "CLAUSTER_ACTOR_LOGIN", "root", "CLAUSTER_VERB", "stop",
			"_SYSTEMD_UNIT", "session-3.scope", "_AUDIT_LOGINUID", "1001", "CLAUSTER_PEER_UNIT", "init.scope", "MESSAGE", "stop of blog requested by root",
			"CLAUSTER_STATUS", "crashed", "CLAUSTER_REASON", "x")
	}
	got, ok := FromEntry(e("1000"), journal.Origin{}, 7)
	if !ok || got.Message != "stop of blog requested by uid 1000" || got.Status != "" {
		t.Errorf("%v %+v", ok, got)
	}
	want := map[string]string{"verb": "stop", "actor_uid": "1000", "peer_unit": "session-3.scope", "actor_login_uid": "1001"}
	if diff := cmp.Diff(want, got.Fields); diff != "" {
		t.Error(diff)
	}
	if got, _ := FromEntry(e("7"), journal.Origin{}, 7); got.Message != "stop of blog requested by root" || got.Fields["actor_login"] != "root" {
		t.Errorf("%+v", got)
	}
}

// Every field that the words of pkg/bridge know is either kept or has a place
// of its own; lines' fields are no event's.
func TestFieldsAreDocumentedOnes(t *testing.T) {
	seen := map[string]bool{}
	for _, f := range readFields() {
		if seen[f] {
			t.Errorf("%s twice", f)
		}
		seen[f] = true
	}
}

func TestTidy(t *testing.T) {
	for in, want := range map[string]string{"häuser": "h", "hauser": "ha", "ab": "ab", "a\xff": "a�", "": ""} {
		if got := tidy(in, 2); got != want {
			t.Errorf("%q: %q, want %q", in, got, want)
		}
	}
}

func FuzzFromEntry(f *testing.F) {
	f.Add("crash", "blog", "clauster@blog.service", "0", "message", "screen")
	f.Add("requested", "blog:a", "session-1.scope", "1000", "\x1b[2Jx", strings.Repeat("x\n", 5000))
	f.Fuzz(func(t *testing.T, kind, instance, unit, uid, message, text string) {
		e := entry(1, bridge.Event(kind), time.Now(), "CLAUSTER_INSTANCE", instance, "_SYSTEMD_UNIT", unit, "_UID", uid, "CLAUSTER_ACTOR_UID", uid,
			"MESSAGE", message, "CLAUSTER_LAST_SCREEN", text, "CLAUSTER_REASON", text, "CLAUSTER_VERB", text, "CLAUSTER_ACTOR_LOGIN", text)
		ev, ok := FromEntry(e, journal.Origin{}, 7)
		if !ok {
			return
		}
		if ev.Instance != instance || ev.Kind != kind || !utf8.ValidString(ev.Message) || len(ev.Message) > 3*maxMessage {
			t.Errorf("%+v", ev)
		}
		for name, value := range ev.Fields {
			if !utf8.ValidString(value) || len(value) > 3*maxScreen || name != strings.ToLower(name) {
				t.Errorf("%s: %q", name, value)
			}
		}
	})
}

// source is a journal for tests: entries, then silence. A reader without a
// cursor is given history first.
type source struct {
	entries chan journal.Entry
	history []journal.Entry
	lost    bool
	hurried []journal.Entry // what is read after a nudge
	reads   atomic.Int64    // after nudges
	queries []journal.Query
}

func (s *source) Read(_ context.Context, _ journal.Query, each func(journal.Entry) error) error {
	for _, e := range s.history {
		if err := each(e); err != nil {
			return err
		}
	}
	return nil
}

func (s *source) After(_ context.Context, _ journal.Query, each func(journal.Entry) error) (bool, error) {
	s.reads.Add(1)
	for _, e := range s.hurried {
		if err := each(e); err != nil {
			return true, err
		}
	}
	return true, nil
}

func (s *source) Follow(ctx context.Context, w journal.Follower, each func(journal.Entry) error) error {
	s.queries = append(s.queries, w.Query)
	if s.lost {
		s.lost = false
		if err := w.Lost(); err != nil {
			return err
		}
	}
	for {
		select {
		case e := <-s.entries:
			if err := each(e); err != nil {
				return err
			}
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

func testStore(t testing.TB) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "clauster.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// run ingests entries until n events were committed, and gives them.
func run(t testing.TB, s *store.Store, src *source, n int, change func(*Options), entries ...journal.Entry) ([]Event, *Ingester) {
	t.Helper()
	if src.entries == nil {
		src.entries = make(chan journal.Entry, len(entries))
	}
	for _, e := range entries {
		src.entries <- e
	}
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []Event
	o := Options{Store: s, Log: slog.New(slog.DiscardHandler), Retention: func() time.Duration { return 0 }, Journal: src,
		OnCommit: func(all []Event) {
			if got = append(got, all...); len(got) >= n {
				cancel()
			}
		}}
	if change != nil {
		change(&o)
	}
	i := New(o)
	if n, ok := o.Journal.(*nudged); ok {
		n.nudge = i.Nudge
	}
	if err := i.Run(ctx); !errors.Is(err, context.Canceled) {
		t.Fatalf("%v after %d events", err, len(got))
	}
	return got, i
}

func TestIngestOnceAndOn(t *testing.T) {
	s, src := testStore(t), &source{}
	created, err := s.Created(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	old, fresh := created.Add(-time.Hour), created.Add(time.Second)
	forged := entry(9, bridge.EventCrash, fresh, "_SYSTEMD_UNIT", "cron.service")
	queued := 0
	src.history = []journal.Entry{entry(1, bridge.EventCrash, old), entry(1, bridge.EventCrash, old), forged}
	got, i := run(t, s, src, 2, func(o *Options) {
		o.OnStored = func(_ context.Context, _ *sql.Tx, e Event) error {
			if e.Live {
				queued++
			}
			return nil
		}
	}, entry(2, bridge.EventSpawn, fresh), entry(2, bridge.EventSpawn, fresh))
	if len(got) != 2 || got[0].Live || !got[1].Live || queued != 1 || got[1].Seq != 2 {
		t.Fatalf("%+v, queued %d", got, queued)
	}
	if st := i.State(); st.Stored != 2 || st.Ignored != 1 || !st.LastAt.Equal(fresh) || st.Err != nil {
		t.Errorf("%+v", st)
	}
	if p, _ := s.Position(t.Context()); p.Cursor != entry(2, bridge.EventSpawn, fresh).Cursor {
		t.Errorf("%+v", p)
	}
	// The next one begins there, and everything behind is news: the clock has jumped.
	got, _ = run(t, s, src, 1, nil, entry(3, bridge.EventReady, old))
	if len(got) != 1 || !got[0].Live || src.queries[1].After != entry(2, "", old).Cursor || src.queries[0].After != forged.Cursor {
		t.Fatalf("%+v, %+v", got, src.queries)
	}
}

// A cursor that is gone: said once, everything read again, nothing twice.
func TestIngestGap(t *testing.T) {
	s, src := testStore(t), &source{}
	created, _ := s.Created(t.Context())
	at := func(n int) time.Time { return created.Add(time.Duration(n) * time.Second).Truncate(time.Second) }
	run(t, s, src, 2, nil, entry(1, bridge.EventSpawn, at(1)), entry(2, bridge.EventReady, at(2)))
	src.lost, src.history = true, []journal.Entry{entry(2, bridge.EventReady, at(2)), entry(7, bridge.EventCrash, at(7))}
	got, i := run(t, s, src, 2, nil)
	if len(got) != 2 || got[0].Kind != KindGap || got[1].ID != id(7) || !got[1].Live || i.State().Gaps != 1 {
		t.Fatalf("%+v", got)
	}
	if got[0].Fields["from"] != at(2).Format(time.RFC3339) || !strings.Contains(got[0].Message, "may be missing") {
		t.Errorf("%+v", got[0])
	}
	run(t, s, src, 1, nil, entry(8, bridge.EventSpawn, at(8)))
	page, err := s.Events(t.Context(), store.EventQuery{Kinds: []string{KindGap}})
	if err != nil || len(page) != 1 {
		t.Fatalf("%v, %v", page, err)
	}
}

// Events that were deleted for their age are not brought back by reading the
// journal again, nor are they stored to be deleted.
func TestIngestRetention(t *testing.T) {
	s, src := testStore(t), &source{}
	created, _ := s.Created(t.Context())
	keep := func(o *Options) { o.Retention = func() time.Duration { return time.Hour } }
	src.history = []journal.Entry{entry(1, bridge.EventCrash, created.Add(-2*time.Hour)), entry(2, bridge.EventStop, created)}
	got, i := run(t, s, src, 1, keep)
	if len(got) != 1 || got[0].ID != id(2) {
		t.Fatalf("%+v", got)
	}
	if err := i.prune(t.Context()); err != nil { // run ends before it
		t.Fatal(err)
	}
	if p, err := s.Pruned(t.Context()); err != nil || p.IsZero() {
		t.Errorf("%v, %v", p, err)
	}
}

// The transaction of a hook that fails is undone and tried again.
func TestIngestHookFails(t *testing.T) {
	s, src := testStore(t), &source{}
	tries := 0
	got, i := run(t, s, src, 1, func(o *Options) {
		o.OnStored = func(_ context.Context, tx *sql.Tx, e Event) error {
			if tries++; tries == 1 {
				return errors.New("no")
			}
			return nil
		}
	}, entry(1, bridge.EventCrash, time.Now()))
	if len(got) != 1 || tries != 2 || i.State().Err != nil {
		t.Fatalf("%v, %d tries, %+v", got, tries, i.State())
	}
	c, err := s.Counters(t.Context())
	if err != nil || c[store.CountCrashes]["blog"] != 1 {
		t.Errorf("%v, %v", c, err)
	}
}

// After a nudge the journal is read at once; a flood of nudges is not followed
// by a flood of reads.
func TestNudge(t *testing.T) {
	s, src := testStore(t), &source{}
	run(t, s, src, 1, nil, entry(1, bridge.EventSpawn, time.Now()))
	src.hurried = []journal.Entry{entry(2, bridge.EventReady, time.Now())}
	n := &nudged{source: src}
	got, _ := run(t, s, src, 1, func(o *Options) { o.Journal = n })
	if len(got) != 1 || got[0].ID != id(2) {
		t.Fatalf("%+v", got)
	}
}

// nudged nudges when the journal is followed.
type nudged struct {
	*source
	nudge func()
}

func (n *nudged) Follow(ctx context.Context, w journal.Follower, each func(journal.Entry) error) error {
	n.nudge()
	return n.source.Follow(ctx, w, each)
}

func TestFloodOfNudges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		i := New(Options{Journal: src, Log: slog.New(slog.DiscardHandler)})
		i.newest = "x"
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { defer close(done); i.hurry(ctx, nil) }()
		for range 60000 { // for a minute
			i.Nudge()
			<-time.After(time.Millisecond)
		}
		cancel()
		<-done
		if n := src.reads.Load(); n < 60 || n > idleReads+70 {
			t.Errorf("%d reads", n)
		}
	})
}

// Nudges about events that are known already do not delay the next one, however
// long it goes on.
func TestNudgesOfLivelyBridges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := &source{}
		i := New(Options{Journal: src, Log: slog.New(slog.DiscardHandler)})
		i.newest = "x"
		ctx, cancel := context.WithCancel(t.Context())
		items := make(chan item, 1000)
		var hurry sync.WaitGroup
		hurry.Go(func() { i.hurry(ctx, items) })
		for n := range 200 {
			src.hurried = []journal.Entry{entry(n, bridge.EventCrash, time.Now())}
			before := src.reads.Load()
			i.Nudge()
			synctest.Wait()
			if src.reads.Load() == before {
				t.Fatalf("event %d waits for the follower", n)
			}
			src.hurried = nil
			for range 2 {
				i.Nudge()
				<-time.After(130 * time.Millisecond)
				synctest.Wait()
			}
		}
		cancel()
		hurry.Wait()
	})
}

func TestFloodOfRequests(t *testing.T) {
	f, at := newFlood(7), time.Now()
	req := func(uid string, at time.Time) journal.Entry {
		return entry(1, bridge.EventRequested, at, "_UID", uid, "CLAUSTER_ACTOR_UID", uid)
	}
	passed := map[string]int{}
	for range 2 * floodBurst {
		for _, uid := range []string{"0", "7", "1000"} {
			if f.passes(req(uid, at)) {
				passed[uid]++
			}
		}
	}
	if passed["0"] != 2*floodBurst || passed["7"] != 2*floodBurst || passed["1000"] != floodBurst {
		t.Errorf("%v", passed)
	}
	if f.passes(req("1000", at.Add(floodEvery/2))) || !f.passes(req("1000", at.Add(2*floodEvery))) || !f.passes(req("1001", at)) {
		t.Error("room comes back with time, to each sender alone")
	}
	if !f.passes(entry(1, bridge.EventCrash, at)) {
		t.Error("a keeper's event is limited")
	}
	for n := range 3 * floodUIDs {
		f.passes(req(fmt.Sprint(5000+n), at))
	}
	if len(f.senders) > floodUIDs {
		t.Errorf("%d senders", len(f.senders))
	}
}

func BenchmarkIngest(b *testing.B) {
	s := testStore(b)
	src := &source{entries: make(chan journal.Entry, batchSize)}
	ctx, cancel := context.WithCancel(b.Context())
	stored, done := make(chan int, 1024), make(chan error)
	i := New(Options{Store: s, Log: slog.New(slog.DiscardHandler), Retention: func() time.Duration { return 0 }, Journal: src,
		OnCommit: func(all []Event) { stored <- len(all) }})
	go func() { done <- i.Run(ctx) }()
	n, in := 0, 0
	at := time.Now()
	for b.Loop() {
		n++
		e := entry(n, bridge.EventReady, at, "CLAUSTER_REASON", "because", "CLAUSTER_PID", "17")
		for sent := false; !sent; {
			select {
			case src.entries <- e:
				sent = true
			case k := <-stored:
				in += k
			}
		}
	}
	for in < n {
		in += <-stored
	}
	cancel()
	<-done
}
