package store

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"clauster/pkg/wire"

	"github.com/google/go-cmp/cmp"
)

// events makes one event of a kind for each id.
func events(kind string, ids ...string) []wire.Event {
	var all []wire.Event
	for _, id := range ids {
		all = append(all, wire.Event{ID: id, Kind: kind, At: wire.Time{Time: time.UnixMicro(1_700_000_000_000_000).UTC()},
			Instance: "blog:a", Project: "blog", Label: "Blog", Run: "r1", Status: "running", Message: "it happened",
			Fields: map[string]string{"reason": "because <&>"}})
	}
	return all
}

func TestAddEventsOnceInOrderWithoutHoles(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	s.Host = "here"
	at := time.UnixMicro(17).UTC()
	var seen []int64
	each := func(_ *sql.Tx, e wire.Event) error { seen = append(seen, e.Seq); return nil }
	for _, ids := range [][]string{{"a", "b"}, {"b", "a", "c"}, {"c", "c", "d"}, {"a"}, {"e"}} {
		if _, err := s.AddEvents(t.Context(), events("crash", ids...), Position{"cursor-" + ids[0], at}, each); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff([]int64{1, 2, 3, 4, 5}, seen); diff != "" {
		t.Error(diff)
	}
	got, err := s.Events(t.Context(), EventQuery{Ascending: true})
	if err != nil {
		t.Fatal(err)
	}
	want := events("crash", "a", "b", "c", "d", "e")
	for i := range want {
		want[i].Seq, want[i].Host = int64(i+1), "here"
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if p, err := s.Position(t.Context()); err != nil || p != (Position{"cursor-e", at}) {
		t.Errorf("%v, %v", p, err)
	}
	counters, err := s.Counters(t.Context())
	if err != nil || counters[CountCrashes]["blog"] != 5 {
		t.Errorf("%v, %v", counters, err)
	}
	if seq, err := s.EventSeq(t.Context(), "d"); err != nil || seq != 4 {
		t.Errorf("%d, %v", seq, err)
	}
	if _, err := s.EventSeq(t.Context(), "z"); !errors.Is(err, ErrNoEvent) {
		t.Error(err)
	}
}

// The error of a hook leaves neither event nor position nor count.
func TestAddEventsAllOrNothing(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	no := errors.New("no")
	_, err := s.AddEvents(t.Context(), events("crash", "a", "b"), Position{"c", time.Now()}, func(_ *sql.Tx, e wire.Event) error {
		if e.ID == "b" {
			return no
		}
		return nil
	})
	if !errors.Is(err, no) {
		t.Fatal(err)
	}
	page, _ := s.Events(t.Context(), EventQuery{})
	p, _ := s.Position(t.Context())
	counters, _ := s.Counters(t.Context())
	if len(page) != 0 || p.Cursor != "" || len(counters) != 0 {
		t.Fatalf("%v, %v, %v", page, p, counters)
	}
}

func TestEventQueries(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	base := time.UnixMicro(1_700_000_000_000_000).UTC()
	var all []wire.Event
	for i := range 20 {
		e := wire.Event{ID: fmt.Sprint("e", i), At: wire.Time{Time: base.Add(time.Duration(i) * time.Minute)}, Kind: []string{"spawn", "ready", "stop"}[i%3],
			Project: []string{"blog", "shop"}[i%2], Instance: []string{"blog", "shop", "blog:a", "shop"}[i%4]}
		all = append(all, e)
	}
	if _, err := s.AddEvents(t.Context(), all, Position{}, nil); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		q    EventQuery
		want string
	}{
		{EventQuery{Limit: 3}, "e19 e18 e17"},
		{EventQuery{Limit: 3, Ascending: true}, "e0 e1 e2"},
		{EventQuery{Kinds: []string{"stop"}, Limit: 2}, "e17 e14"},
		{EventQuery{Kinds: []string{"stop", "ready"}, Limit: 3, Before: 10}, "e8 e7 e5"},
		{EventQuery{Instance: "blog:a"}, "e18 e14 e10 e6 e2"},
		{EventQuery{Project: "shop", After: 15}, "e19 e17 e15"},
		{EventQuery{Since: base.Add(3 * time.Minute), Until: base.Add(5 * time.Minute)}, "e4 e3"},
		{EventQuery{Instance: "none"}, ""},
	} {
		page, err := s.Events(t.Context(), c.q)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		for i, e := range page {
			if i > 0 {
				got += " "
			}
			got += e.ID
		}
		if got != c.want {
			t.Errorf("%+v: %q, want %q", c.q, got, c.want)
		}
	}
	for at, want := range map[time.Duration]int64{0: 0, 3 * time.Minute: 3, -time.Hour: 0, time.Hour: 20} {
		if seq, err := s.SeqBefore(t.Context(), base.Add(at)); err != nil || seq != want {
			t.Errorf("before %v: %d, %v", at, seq, err)
		}
	}
}

func TestDeleteEventsBefore(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	base := time.UnixMicro(1_700_000_000_000_000).UTC()
	var all []wire.Event
	for i := range pruneChunk + 10 {
		all = append(all, wire.Event{ID: fmt.Sprint(i), Kind: "crash", Project: "blog", At: wire.Time{Time: base.Add(time.Duration(i) * time.Second)}})
	}
	if _, err := s.AddEvents(t.Context(), all, Position{}, nil); err != nil {
		t.Fatal(err)
	}
	cut := base.Add((pruneChunk + 5) * time.Second)
	if n, more, err := s.DeleteEventsBefore(t.Context(), cut); n != pruneChunk || !more || err != nil {
		t.Fatalf("%d, %v, %v", n, more, err)
	}
	if n, more, err := s.DeleteEventsBefore(t.Context(), cut); n != 5 || more || err != nil {
		t.Fatalf("%d, %v, %v", n, more, err)
	}
	if p, err := s.Pruned(t.Context()); err != nil || !p.Equal(cut) {
		t.Errorf("%v, %v", p, err)
	}
	if page, _ := s.Events(t.Context(), EventQuery{}); len(page) != 5 {
		t.Errorf("%d left", len(page))
	}
	if c, _ := s.Counters(t.Context()); c[CountCrashes]["blog"] != pruneChunk+10 {
		t.Errorf("deleting changed the count: %v", c)
	}
}

func BenchmarkAddEvents(b *testing.B) {
	for _, batch := range []int{1, 128} {
		b.Run(fmt.Sprint(batch), func(b *testing.B) {
			s := testOpen(b, filepath.Join(b.TempDir(), "clauster.db"))
			n := 0
			for b.Loop() {
				ids := make([]string, batch)
				for i := range ids {
					ids[i] = fmt.Sprint("id-", n)
					n++
				}
				if _, err := s.AddEvents(b.Context(), events("ready", ids...), Position{"c", time.Now()}, nil); err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(n), "ns/event")
		})
	}
}
