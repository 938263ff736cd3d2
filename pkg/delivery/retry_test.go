package delivery

import (
	"context"
	"io"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"clauster/pkg/store"
	"clauster/pkg/wire"

	"github.com/google/go-cmp/cmp"
)

// lab is a Courier over a real outbox whose sending is the test's.
func lab(t *testing.T, s Outbox, most int, pause time.Duration, send func(due []store.Outgoing) result) *Courier {
	t.Helper()
	c := New(Options{Config: hooks(), Outbox: s, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	p := *c.plan.Load()
	p.lines = map[key]*line{}
	p.webhooks = hooks("x").Webhooks
	p.add(key{Webhook, "lab"}, &line{most: most, pause: pause, send: func(_ context.Context, due []store.Outgoing) result { return send(due) }})
	c.plan.Store(&p)
	return c
}

// inBubble runs a test on synctest's clock with a store that lives in it.
func inBubble(t *testing.T, test func(t *testing.T, s *store.Store)) {
	path := filepath.Join(t.TempDir(), "clauster.db")
	synctest.Test(t, func(t *testing.T) {
		s, err := store.Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		defer s.Close()
		test(t, s)
	})
}

// pass lets time pass, and everybody do what is due by then.
func pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// TestRetryTimes: at once, then after 1, 2, 4, 8 and 16 minutes, then dead.
func TestRetryTimes(t *testing.T) {
	inBubble(t, func(t *testing.T, s *store.Store) {
		began := time.Now()
		var tries []time.Duration
		c := lab(t, s, 1, 0, func([]store.Outgoing) result {
			tries = append(tries, time.Since(began).Round(time.Second))
			return result{err: "it is down"}
		})
		defer c.Close(t.Context())
		happen(t, s, c, event("e1", "crash"))
		pass(2 * time.Hour)
		m := time.Minute
		if d := cmp.Diff([]time.Duration{0, m, 3 * m, 7 * m, 15 * m, 31 * m}, tries); d != "" {
			t.Error(d)
		}
		if d := deliveries(t, s)[0]; d.State != wire.DeliveryDead || d.Attempts != 6 || d.Error != "it is down" || !d.Next.IsZero() {
			t.Errorf("%+v", d)
		}
		if c.Busy() {
			t.Error("a dead letter keeps it busy")
		}
	})
}

// TestRetryLater: what works at the third try is delivered then, and a new
// event does not wait for it.
func TestRetryLater(t *testing.T) {
	inBubble(t, func(t *testing.T, s *store.Store) {
		began := time.Now()
		got := map[string]time.Duration{}
		c := lab(t, s, 1, 0, func(due []store.Outgoing) result {
			if due[0].EventID == "e1" && due[0].Attempts < 2 {
				return result{503, "the endpoint answered 503"}
			}
			got[due[0].EventID] = time.Since(began).Round(time.Second)
			return result{code: 204}
		})
		defer c.Close(t.Context())
		happen(t, s, c, event("e1", "crash"))
		pass(10 * time.Second)
		happen(t, s, c, event("e2", "crash"))
		pass(10 * time.Minute)
		if d := cmp.Diff(map[string]time.Duration{"e1": 3 * time.Minute, "e2": 10 * time.Second}, got); d != "" {
			t.Error(d)
		}
		for _, d := range deliveries(t, s) {
			if d.State != wire.DeliveryDone || d.Error != "" || d.Code != 204 {
				t.Errorf("%+v", d)
			}
		}
	})
}

// TestMerged: the first at once, then at most one message in 30 s with all
// that came meanwhile, each of them delivered.
func TestMerged(t *testing.T) {
	inBubble(t, func(t *testing.T, s *store.Store) {
		began := time.Now()
		type message struct {
			At     time.Duration
			Events int
		}
		var got []message
		c := lab(t, s, mergeMost, mergePause, func(due []store.Outgoing) result {
			got = append(got, message{time.Since(began).Round(time.Second), len(due)})
			return result{}
		})
		defer c.Close(t.Context())
		happen(t, s, c, event("first", "crash"))
		pass(time.Second)
		for _, id := range []string{"a", "b", "c", "d"} {
			happen(t, s, c, event(id, "crash"))
			pass(time.Second)
		}
		pass(5 * time.Minute)
		happen(t, s, c, event("last", "crash"))
		pass(time.Minute)
		if d := cmp.Diff([]message{{0, 1}, {30 * time.Second, 4}, {305 * time.Second, 1}}, got); d != "" {
			t.Error(d)
		}
		for _, d := range deliveries(t, s) {
			if d.State != wire.DeliveryDone {
				t.Errorf("%+v", d)
			}
		}
	})
}

// forgetful is an outbox on a full disk: it does not take results.
type forgetful struct {
	*store.Store
	full *atomic.Bool
}

func (f forgetful) EndAttempts(ctx context.Context, channel, target string, at time.Time, a []store.Attempt) error {
	if f.full.Load() {
		return context.DeadlineExceeded
	}
	return f.Store.EndAttempts(ctx, channel, target, at, a)
}

// TestFullDisk: a result that cannot be kept is kept later; nothing is sent
// again for it.
func TestFullDisk(t *testing.T) {
	inBubble(t, func(t *testing.T, s *store.Store) {
		var full atomic.Bool
		full.Store(true)
		sends := 0
		c := lab(t, forgetful{s, &full}, 1, 0, func([]store.Outgoing) result { sends++; return result{code: 200} })
		defer c.Close(t.Context())
		happen(t, s, c, event("e1", "crash"), event("e2", "crash"))
		pass(10 * time.Minute)
		if sends != 1 || deliveries(t, s)[0].State != wire.DeliveryWaiting {
			t.Error(sends, deliveries(t, s))
		}
		full.Store(false)
		pass(2 * time.Minute)
		if all := deliveries(t, s); sends != 2 || all[0].State != wire.DeliveryDone || all[1].State != wire.DeliveryDone {
			t.Error(sends, all)
		}
	})
}

const childVariable = "DELIVERY_TEST_CHILD"

// TestKilledBetweenPostAndCommit: the endpoint has the event and answered, the
// process is killed before that is written down. The next process sends it
// again under the same id.
func TestKilledBetweenPostAndCommit(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clauster.db")
	e := receive(t, nil)
	cmd := exec.Command(os.Args[0], "-test.run=^TestChildThatIsKilled$")
	cmd.Env = append(os.Environ(), childVariable+"="+path, "DELIVERY_TEST_URL="+e.URL)
	err := cmd.Run()
	if cmd.ProcessState == nil || cmd.ProcessState.Success() {
		t.Fatal("the child was not killed:", err)
	}
	first := e.next(t)
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	start(t, s, hooks(e.URL))
	again := e.next(t)
	if first.id != "e1" || again.id != first.id || again.body != first.body {
		t.Error(first, again)
	}
	until(t, "delivery", func() bool { return deliveries(t, s)[0].State == wire.DeliveryDone })
	if len(e.got) > 0 {
		t.Error("it was sent a third time")
	}
}

// killed dies where the result would be kept.
type killed struct{ *store.Store }

func (k killed) EndAttempts(context.Context, string, string, time.Time, []store.Attempt) error {
	p, _ := os.FindProcess(os.Getpid())
	_ = p.Kill()
	select {}
}

// TestChildThatIsKilled is the other process of the test above.
func TestChildThatIsKilled(t *testing.T) {
	path := os.Getenv(childVariable)
	if path == "" {
		t.Skip("only as a child")
	}
	s, err := store.Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	c := New(Options{Config: hooks(os.Getenv("DELIVERY_TEST_URL")), Outbox: killed{s}, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	happen(t, s, c, event("e1", "crash"))
	<-time.After(10 * time.Second)
}
