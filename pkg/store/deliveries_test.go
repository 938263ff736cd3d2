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

// outgoing is a delivery of an event that was queued at a second.
func outgoing(id, event, target string, second int64) Outgoing {
	at := wire.Time{Time: time.Unix(second, 0).UTC()}
	return Outgoing{Body: "body of " + id, Delivery: wire.Delivery{ID: id, EventID: event, Event: "crash", Instance: "blog", Channel: "webhook",
		Target: target, State: wire.DeliveryWaiting, Created: at, Updated: at, Next: at}}
}

func queue(t *testing.T, s *Store, all ...Outgoing) {
	t.Helper()
	err := s.Write(t.Context(), func(tx *sql.Tx) error {
		for _, o := range all {
			if err := s.QueueDelivery(t.Context(), tx, o); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func ids(all []Outgoing) []string {
	out := []string{}
	for _, o := range all {
		out = append(out, o.ID)
	}
	return out
}

func TestOutboxOnceInOrder(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	queue(t, s, outgoing("d1", "e1", "a", 10), outgoing("d0", "e2", "a", 10), outgoing("x", "e1", "b", 10))
	queue(t, s, outgoing("other-id", "e1", "a", 10)) // the same event again
	due, _, err := s.DueDeliveries(t.Context(), "webhook", "a", time.Unix(10, 0), 10)
	if d := cmp.Diff([]string{"d1", "d0"}, ids(due)); d != "" || err != nil {
		t.Error(d, err)
	}
	if d := cmp.Diff(outgoing("d1", "e1", "a", 10), due[0]); d != "" {
		t.Error(d)
	}
	due, next, err := s.DueDeliveries(t.Context(), "webhook", "a", time.Unix(9, 0), 10)
	if len(due) != 0 || !next.Equal(time.Unix(10, 0)) || err != nil {
		t.Error(due, next, err)
	}
	due, next, err = s.DueDeliveries(t.Context(), "webhook", "nobody", time.Unix(9, 0), 10)
	if len(due) != 0 || !next.IsZero() || err != nil {
		t.Error(due, next, err)
	}
}

// TestQueueIsUndone: an event that is not stored leaves no delivery behind.
func TestQueueIsUndone(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	broken := errors.New("broken")
	_, err := s.AddEvents(t.Context(), events("crash", "e1"), Position{}, func(tx *sql.Tx, e wire.Event) error {
		if err := s.QueueDelivery(t.Context(), tx, outgoing("d1", e.ID, "a", 10)); err != nil {
			return err
		}
		return broken
	})
	wait, waitErr := s.DeliveriesWait(t.Context())
	if !errors.Is(err, broken) || wait || waitErr != nil {
		t.Error(err, wait, waitErr)
	}
}

func TestEndAttempts(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	queue(t, s, outgoing("d1", "e1", "a", 10), outgoing("d2", "e2", "a", 10), outgoing("d3", "e3", "a", 10))
	at, later := time.Unix(20, 0).UTC(), time.Unix(80, 0).UTC()
	if _, err := s.ChangeDelivery(t.Context(), "d3", "cancel", at); err != nil {
		t.Fatal(err)
	}
	end := func(a ...Attempt) {
		t.Helper()
		if err := s.EndAttempts(t.Context(), "webhook", "a", at, a); err != nil {
			t.Fatal(err)
		}
	}
	end(Attempt{ID: "d1", State: wire.DeliveryWaiting, Next: later, Code: 500, Error: "the endpoint answered 500"})
	end(Attempt{ID: "d2", State: wire.DeliveryDead, Code: 404, Error: "the endpoint answered 404"})
	end(Attempt{ID: "d3", State: wire.DeliveryDone, Code: 200}) // cancelled while it ran
	want := map[string]wire.DeliveryState{"d1": wire.DeliveryWaiting, "d2": wire.DeliveryDead, "d3": wire.DeliveryCancelled}
	for id, state := range want {
		if d, err := s.Delivery(t.Context(), id); err != nil || d.State != state {
			t.Errorf("%s: %+v %v", id, d, err)
		}
	}
	d, _ := s.Delivery(t.Context(), "d1")
	if d.Attempts != 1 || d.Code != 500 || d.Error == "" || !d.Next.Equal(later) || !d.Updated.Equal(at) {
		t.Errorf("%+v", d)
	}
	targets, err := s.Targets(t.Context())
	wantTargets := []wire.Target{{Channel: "webhook", Target: "a", Healthy: true, LastSuccess: wire.Time{Time: at}, LastFailure: wire.Time{Time: at}, Waiting: 1, Dead: 1}}
	if d := cmp.Diff(wantTargets, targets); d != "" || err != nil {
		t.Error(d, err)
	}
	end(Attempt{ID: "d1", State: wire.DeliveryWaiting, Next: later, Error: "refused"})
	end(Attempt{ID: "d1", State: wire.DeliveryWaiting, Next: later, Error: "refused"})
	if targets, _ = s.Targets(t.Context()); targets[0].Healthy || targets[0].Failures != 2 || targets[0].Error != "refused" {
		t.Errorf("%+v", targets)
	}
	counts, err := s.DeliveryCounts(t.Context())
	if d := cmp.Diff([]DeliveryCount{{"webhook", wire.DeliveryCancelled, 1}, {"webhook", wire.DeliveryDead, 1}, {"webhook", wire.DeliveryWaiting, 1}}, counts); d != "" || err != nil {
		t.Error(d, err)
	}
}

// TestChangeDelivery is the table of what a person may do in which state.
func TestChangeDelivery(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	refused := wire.DeliveryState("")
	n := 0
	for _, test := range []struct{ from, retry, discard, cancel wire.DeliveryState }{
		{wire.DeliveryWaiting, wire.DeliveryWaiting, refused, wire.DeliveryCancelled},
		{wire.DeliveryDone, refused, refused, refused},
		{wire.DeliveryDead, wire.DeliveryWaiting, wire.DeliveryDiscarded, refused},
		{wire.DeliveryCancelled, wire.DeliveryWaiting, refused, refused},
		{wire.DeliveryDiscarded, refused, refused, refused},
	} {
		for verb, want := range map[string]wire.DeliveryState{"retry": test.retry, "discard": test.discard, "cancel": test.cancel} {
			n++
			id := fmt.Sprint("d", n)
			queue(t, s, outgoing(id, "e"+id, "a", 10))
			err := s.Write(t.Context(), func(tx *sql.Tx) error {
				_, err := tx.Exec("UPDATE deliveries SET state = ?, attempts = 6 WHERE id = ?", test.from, id)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			d, err := s.ChangeDelivery(t.Context(), id, verb, time.Unix(99, 0))
			var state *DeliveryStateError
			if want == refused {
				if !errors.As(err, &state) || state.State != test.from {
					t.Errorf("%s of %s: %v", verb, test.from, err)
				}
				continue
			}
			kept, _ := s.Delivery(t.Context(), id)
			if err != nil || d.State != want || kept.State != want || want == wire.DeliveryWaiting && !kept.Next.Equal(time.Unix(99, 0)) {
				t.Errorf("%s of %s: %+v %v", verb, test.from, kept, err)
			}
			if verb == "retry" && test.from != wire.DeliveryWaiting && kept.Attempts != 0 {
				t.Errorf("%s of %s has %d attempts left behind", verb, test.from, kept.Attempts)
			}
		}
	}
	if _, err := s.ChangeDelivery(t.Context(), "nothing", "retry", time.Unix(99, 0)); !errors.Is(err, ErrNoDelivery) {
		t.Error(err)
	}
}

func TestDeliveriesPages(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	s.Host = "here"
	queue(t, s, outgoing("1", "e1", "a", 10), outgoing("2", "e2", "b", 10), outgoing("3", "e3", "a", 10))
	for _, test := range []struct {
		filter DeliveryFilter
		want   string
	}{
		{DeliveryFilter{Limit: 9}, "321"},
		{DeliveryFilter{Limit: 2}, "32"},
		{DeliveryFilter{Limit: 9, Before: "2"}, "1"},
		{DeliveryFilter{Limit: 9, Target: "a"}, "31"},
		{DeliveryFilter{Limit: 9, Channel: "notification"}, ""},
		{DeliveryFilter{Limit: 9, State: wire.DeliveryDead}, ""},
		{DeliveryFilter{Limit: 9, State: wire.DeliveryWaiting, EventID: "e2", Event: "crash"}, "2"},
		{DeliveryFilter{Limit: 9, Event: "' OR 1=1 --"}, ""},
	} {
		page, err := s.Deliveries(t.Context(), test.filter)
		got := ""
		for _, d := range page {
			got += d.ID
			if d.Host != "here" {
				t.Errorf("%+v", d)
			}
		}
		if got != test.want || err != nil {
			t.Errorf("%+v: %s %v", test.filter, got, err)
		}
	}
}

func TestDeliveriesGoWithEvents(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	queue(t, s, outgoing("old", "e1", "a", 10), outgoing("waiting", "e2", "a", 10), outgoing("new", "e3", "b", 10))
	for id, at := range map[string]int64{"old": 20, "new": 200} {
		target := map[string]string{"old": "a", "new": "b"}[id]
		if err := s.EndAttempts(t.Context(), "webhook", target, time.Unix(at, 0), []Attempt{{ID: id, State: wire.DeliveryDone}}); err != nil {
			t.Fatal(err)
		}
	}
	deleted, more, err := s.DeleteEventsBefore(t.Context(), time.Unix(100, 0))
	page, _ := s.Deliveries(t.Context(), DeliveryFilter{Limit: 9})
	if deleted != 0 || more || err != nil || len(page) != 2 {
		t.Error(deleted, more, err, page)
	}
	if _, err := s.Delivery(t.Context(), "old"); !errors.Is(err, ErrNoDelivery) {
		t.Error(err)
	}
}

func TestAbandonDeliveries(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	queue(t, s, outgoing("due", "e1", "a", 10), outgoing("later", "e2", "a", 50))
	next, err := s.AbandonDeliveries(t.Context(), "webhook", "a", time.Unix(20, 0), "gone")
	d, _ := s.Delivery(t.Context(), "due")
	if err != nil || !next.Equal(time.Unix(50, 0)) || d.State != wire.DeliveryDead || d.Error != "gone" {
		t.Error(next, err, d)
	}
	waiting, err := s.WaitingTargets(t.Context())
	if err != nil || len(waiting) != 1 || waiting[0].Target != "a" {
		t.Error(waiting, err)
	}
}
