package systemd

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/godbus/dbus/v5"
)

// startOn starts a unit as the API does, and gives the job's result.
func startOn(t *testing.T, b *Bus) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
	defer cancel()
	wait, err := b.Begin(ctx, Start, "clauster@b.service")
	if err != nil {
		return err.Error()
	}
	result, err := wait(ctx)
	if err != nil {
		return err.Error()
	}
	return result
}

// Two starts share a connection, and the client of the first one hangs up while
// its request is on the way: the second one heard nothing of its job, for ever.
func TestJobsAreHeardAfterTheFirstCallerHasGone(t *testing.T) {
	fake := newFakeBus(t)
	b := fake.connect()
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := b.Begin(gone, Start, "clauster@a.service"); !errors.Is(err, context.Canceled) {
		t.Errorf("the first: %v", err)
	}
	if got := startOn(t, b); got != "done" {
		t.Errorf("the second, on the same connection: %s", got)
	}
	if n := fake.asked("AddMatch"); n != 2 {
		t.Errorf("%d matches were asked for", n)
	}
}

// An attempt to listen that failed is said to those who made a job meanwhile,
// and made again for the next one.
func TestListeningForJobsIsTriedAgain(t *testing.T) {
	for _, member := range []string{"AddMatch", "GetNameOwner"} {
		t.Run(member, func(t *testing.T) {
			fake := newFakeBus(t)
			fake.fails[member] = "org.freedesktop.DBus.Error.LimitsExceeded"
			b := fake.connect()
			if got := startOn(t, b); got != "cannot start clauster@b.service: cannot listen for job results: org.freedesktop.DBus.Error.LimitsExceeded" {
				t.Errorf("while the bus refuses: %s", got)
			}
			for range 2 {
				if got := startOn(t, b); got != "done" {
					t.Errorf("then: %s", got)
				}
			}
			if n := fake.asked("GetNameOwner"); n != 2 {
				t.Errorf("listened %d times", n)
			}
		})
	}
}

// The first job is asked for before the bus has answered that we listen, and
// after we asked it to.
func TestListeningForJobsCostsNoRoundTrip(t *testing.T) {
	fake := newFakeBus(t)
	fake.silent = map[string]bool{"AddMatch": true, "GetNameOwner": true}
	if got := startOn(t, fake.connect()); got != "done" {
		t.Error(got)
	}
	want := []string{"Hello", "AddMatch", "AddMatch", "GetNameOwner", "StartUnit"}
	if got := fake.heard(); !slices.Equal(got, want) {
		t.Errorf("%v, want %v", got, want)
	}
}

// Of many first jobs at once every one is heard, and the bus is asked once.
func TestFirstJobsAtOnce(t *testing.T) {
	fake := newFakeBus(t)
	b := fake.connect()
	var wg sync.WaitGroup
	for range 20 {
		wg.Go(func() {
			if got := startOn(t, b); got != "done" {
				t.Error(got)
			}
		})
	}
	wg.Wait()
	if n := fake.asked("AddMatch"); n != 2 {
		t.Errorf("%d matches were asked for", n)
	}
}

// systemd answers several calls for a unit with one job: its result is for all
// who wait, whenever they begin to. The second of two starts never had an answer.
func TestOneJobOfSeveralCalls(t *testing.T) {
	const path = "/org/freedesktop/systemd1/job/7"
	w := &jobWaiter{waiting: map[dbus.ObjectPath][]chan string{}, recent: map[dbus.ObjectPath]ended{}}
	before := []<-chan string{w.result(path), w.result(path)}
	w.done(path, ended{"forged", ":1.66"})
	w.done(path, ended{"done", ":1.1"})
	w.know(":1.1")
	w.done(path, ended{"forged", ":1.66"})
	for n, c := range append(before, w.result(path), w.result(path)) {
		select {
		case got := <-c:
			if got != "done" {
				t.Errorf("%d: %s", n, got)
			}
		default:
			t.Errorf("%d has no result", n)
		}
	}
	for n := range 3 * maxRecent {
		w.done(dbus.ObjectPath(fmt.Sprint("/", n)), ended{"done", ":1.1"})
	}
	if len(w.recent) > maxRecent || len(w.order) > maxRecent || len(w.waiting) != 0 {
		t.Errorf("%d results, %d in order, %d waiting", len(w.recent), len(w.order), len(w.waiting))
	}
	// Another systemd counts its jobs anew.
	w.know(":1.2")
	select {
	case got := <-w.result("/5"):
		t.Errorf("a job of the systemd before: %s", got)
	default:
	}
}
