package delivery

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"clauster/pkg/config"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

func open(t *testing.T) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "clauster.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// hooks is a configuration with webhooks alone, private targets allowed.
func hooks(urls ...string) *config.Config {
	return &config.Config{InstanceName: "here", Webhooks: config.Webhooks{Enabled: true, URLs: urls, TimeoutSeconds: 5, Secret: "whsec_MDEyMzQ1Njc4OWFiY2RlZg==",
		Events: map[string]bool{"spawn": true, "ready": true, "stop": true, "crash": true, "error": true}}}
}

func start(t *testing.T, s *store.Store, cfg *config.Config) *Courier {
	t.Helper()
	c := New(Options{Config: cfg, Outbox: s, Version: "9", Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := c.Close(ctx); err != nil {
			t.Error("cannot close the courier:", err)
		}
	})
	return c
}

func event(id, kind string) wire.Event {
	return wire.Event{ID: id, Kind: kind, Instance: "blog", Project: "blog", Label: "blog", Status: "crashed", Message: "it ended",
		Fields: map[string]string{"resume_mode": "standard", "spawn_mode": "same-dir", "reason": "claude ended with exit status 1", "hint": "clauster-ctl logs blog", "verdict": "exit"}}
}

// happen stores events as the event side does.
func happen(t *testing.T, s *store.Store, c *Courier, events ...wire.Event) {
	t.Helper()
	_, err := s.AddEvents(t.Context(), events, store.Position{Cursor: "c", At: time.Now()}, func(tx *sql.Tx, e wire.Event) error { return c.Queue(t.Context(), tx, e) })
	if err != nil {
		t.Fatal(err)
	}
	c.Wake()
}

// post is what an endpoint was sent.
type sent struct {
	id, timestamp, signature, agent, media, body string
}

// endpoint is a receiver; answer gives the status for the nth request.
type endpoint struct {
	*httptest.Server
	got chan sent
}

func receive(t *testing.T, answer func(n int, w http.ResponseWriter, r *http.Request)) *endpoint {
	t.Helper()
	e := &endpoint{got: make(chan sent, 1000)}
	var mu sync.Mutex
	n := 0
	e.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		body, _ := io.ReadAll(r.Body)
		h := r.Header.Get
		mu.Lock()
		n++
		nth := n
		mu.Unlock()
		e.got <- sent{h("webhook-id"), h("webhook-timestamp"), h("webhook-signature"), h("User-Agent"), h("Content-Type"), string(body)}
		if answer != nil {
			answer(nth, w, r)
		}
	}))
	t.Cleanup(e.Close)
	return e
}

func (e *endpoint) next(t *testing.T) sent {
	t.Helper()
	select {
	case s := <-e.got:
		return s
	case <-time.After(10 * time.Second):
		t.Fatal("nothing was received")
		return sent{}
	}
}

// until waits for a condition of the outbox.
func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	tick := time.NewTicker(2 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(10 * time.Second); !ok(); <-tick.C {
		if time.Now().After(end) {
			t.Fatal("never came: " + what)
		}
	}
}

func deliveries(t *testing.T, s *store.Store) []wire.Delivery {
	t.Helper()
	all, err := s.Deliveries(t.Context(), store.DeliveryFilter{Limit: 100})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestWebhook(t *testing.T) {
	s, e := open(t), receive(t, nil)
	c := start(t, s, hooks(e.URL+"/hook?key=secret"))
	happen(t, s, c, event("e1", "crash"), event("e2", "health"))
	got := e.next(t)
	if got.id != "e1" || got.agent != "clauster/9" || got.media != "application/json" || got.signature != sign([]byte("0123456789abcdef"), "e1", got.timestamp, got.body) {
		t.Errorf("%+v", got)
	}
	const want = `{"event":"crash","project":"blog","label":"blog","status":"crashed","resume_mode":"standard","spawn_mode":"same-dir","session_ref":null}`
	if got.body != want {
		t.Errorf("%s", got.body)
	}
	until(t, "the end of it", func() bool { return !c.Busy() })
	all := deliveries(t, s)
	if len(all) != 1 || all[0].State != wire.DeliveryDone || all[0].Code != 200 || all[0].Attempts != 1 {
		t.Errorf("%+v", all)
	}
	targets, err := c.Targets(t.Context())
	if err != nil || len(targets) != 1 || !targets[0].Healthy || targets[0].LastSuccess.IsZero() {
		t.Errorf("%+v %v", targets, err)
	}
}

// TestInOrder: one request at a time, in the order of the events.
func TestInOrder(t *testing.T) {
	var running, most int
	var mu sync.Mutex
	e := receive(t, func(int, http.ResponseWriter, *http.Request) {
		mu.Lock()
		running--
		mu.Unlock()
	})
	inner := e.Config.Handler
	e.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		mu.Lock()
		running++
		most = max(most, running)
		mu.Unlock()
		inner.ServeHTTP(w, r)
	})
	s := open(t)
	c := start(t, s, hooks(e.URL))
	for i := range 20 {
		happen(t, s, c, event(fmt.Sprintf("e%02d", i), "ready"))
	}
	for i := range 20 {
		if got := e.next(t); got.id != fmt.Sprintf("e%02d", i) {
			t.Errorf("number %d is %s", i, got.id)
		}
	}
	if most != 1 {
		t.Errorf("%d requests at once", most)
	}
}

// TestSlowEndpointDelaysNobody: one that never answers, one that is not there,
// one that is well.
func TestSlowEndpointDelaysNobody(t *testing.T) {
	release := make(chan struct{})
	slow := receive(t, func(int, http.ResponseWriter, *http.Request) { <-release })
	well := receive(t, nil)
	defer close(release)
	s := open(t)
	c := start(t, s, hooks(slow.URL, "http://127.0.0.1:9/", well.URL))
	happen(t, s, c, event("e1", "crash"), event("e2", "crash"))
	slow.next(t)
	began := time.Now()
	if a, b := well.next(t), well.next(t); a.id != "e1" || b.id != "e2" || time.Since(began) > 2*time.Second {
		t.Error(a, b, time.Since(began))
	}
	if !c.Busy() {
		t.Error("it is not busy while an endpoint is slow")
	}
}

// TestFailures: what counts as one, and that nothing of a URL is in what is
// kept of it.
func TestFailures(t *testing.T) {
	for name, test := range map[string]struct {
		answer http.HandlerFunc
		code   int
		err    string
	}{
		"500": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) }, 500, "the endpoint answered 500"},
		"redirect": {func(w http.ResponseWriter, r *http.Request) {
			http.Redirect(w, r, "http://127.0.0.1:1/x", http.StatusTemporaryRedirect)
		}, 307, "redirects are not followed"},
		"304": {func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(304) }, 304, "redirects are not followed"},
		"garbage": {func(w http.ResponseWriter, _ *http.Request) {
			conn, _, _ := http.NewResponseController(w).Hijack()
			fmt.Fprint(conn, "HTTP/1.1 what secret-key-123 http://a/secret-key-123 session_01ABCDEFGHJKMNPQRSTVWXYZ00\r\n\r\n")
			conn.Close()
		}, 0, "malformed"},
		"hangup": {func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, 0, "EOF"},
	} {
		t.Run(name, func(t *testing.T) {
			e := receive(t, func(_ int, w http.ResponseWriter, r *http.Request) { test.answer(w, r) })
			s := open(t)
			c := start(t, s, hooks("http://user:pass-word-1@"+e.Listener.Addr().String()+"/secret-key-123?token=query-token-9"))
			happen(t, s, c, event("e1", "crash"))
			until(t, "a failure", func() bool { return deliveries(t, s)[0].Attempts == 1 })
			d := deliveries(t, s)[0]
			if d.State != wire.DeliveryWaiting || d.Code != test.code || !contains(d.Error, test.err) || !d.Next.After(time.Now().Add(50*time.Second)) {
				t.Errorf("%+v", d)
			}
			targets, _ := c.Targets(t.Context())
			text, _ := json.Marshal([]any{d, targets})
			for _, secret := range []string{"secret-key", "pass-word", "query-token", "session_01"} {
				if contains(string(text), secret) {
					t.Errorf("%s is in %s", secret, text)
				}
			}
			if len(targets) != 1 || targets[0].Healthy || targets[0].Failures != 1 || targets[0].Waiting != 1 {
				t.Errorf("%+v", targets)
			}
		})
	}
}

// TestHugeAnswer: an endpoint that never stops talking costs nothing.
func TestHugeAnswer(t *testing.T) {
	e := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
		for {
			if _, err := w.Write(make([]byte, 1<<16)); err != nil {
				return
			}
		}
	})
	s := open(t)
	c := start(t, s, hooks(e.URL))
	happen(t, s, c, event("e1", "crash"))
	until(t, "delivery", func() bool { return deliveries(t, s)[0].State == wire.DeliveryDone })
}

// TestReload: what waits for a target that is gone dies when it is due, with
// the reason; the others lose nothing.
func TestReload(t *testing.T) {
	down := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(503) })
	up := receive(t, nil)
	s := open(t)
	c := start(t, s, hooks(down.URL))
	happen(t, s, c, event("e1", "crash"))
	until(t, "a failure", func() bool { return deliveries(t, s)[0].Attempts == 1 })
	c.Reload(hooks(up.URL))
	happen(t, s, c, event("e2", "crash"))
	if got := up.next(t); got.id != "e2" {
		t.Error(got)
	}
	old := func() wire.Delivery {
		page, _ := s.Deliveries(t.Context(), store.DeliveryFilter{EventID: "e1", Limit: 1})
		return page[0]
	}
	if old().State != wire.DeliveryWaiting || !c.Busy() {
		t.Errorf("%+v", old())
	}
	if _, err := s.ChangeDelivery(t.Context(), old().ID, "retry", time.Now()); err != nil {
		t.Fatal(err)
	}
	c.Wake()
	until(t, "its death", func() bool { return old().State == wire.DeliveryDead })
	if old().Error != notConfigured || len(down.got) != 1 {
		t.Errorf("%+v", old())
	}
	c.Reload(hooks(up.URL, down.URL)) // it is back
	if _, err := s.ChangeDelivery(t.Context(), old().ID, "retry", time.Now()); err != nil {
		t.Fatal(err)
	}
	c.Wake()
	until(t, "another try", func() bool { return old().Attempts == 1 && old().Code == 503 })
}

// TestOutboxOfABefore: what a Courier left behind, the next one delivers.
func TestOutboxOfABefore(t *testing.T) {
	s := open(t)
	block := make(chan struct{})
	e := receive(t, func(n int, _ http.ResponseWriter, r *http.Request) {
		if n == 1 {
			select {
			case <-block:
			case <-r.Context().Done():
			}
		}
	})
	defer close(block)
	c := New(Options{Config: hooks(e.URL), Outbox: s, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	happen(t, s, c, event("e1", "crash"))
	first := e.next(t)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	if err := c.Close(gone); err == nil {
		t.Error("nothing was broken off")
	}
	if d := deliveries(t, s)[0]; d.State != wire.DeliveryWaiting || d.Attempts != 0 {
		t.Errorf("%+v", d)
	}
	start(t, s, hooks(e.URL))
	if again := e.next(t); again.id != first.id || again.body != first.body {
		t.Error(first, again)
	}
}

// TestOrphansAtStart: deliveries of a target that was taken out while the API
// was down.
func TestOrphansAtStart(t *testing.T) {
	s := open(t)
	c := New(Options{Config: hooks("http://127.0.0.1:9/gone"), Outbox: s, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	happen(t, s, c, event("e1", "crash"))
	start(t, s, hooks())
	until(t, "its death", func() bool { return deliveries(t, s)[0].State == wire.DeliveryDead })
}

// TestNoConfigurationYet: while no configuration without a fault is known, what
// waits is neither tried nor given up; the first one delivers it.
func TestNoConfigurationYet(t *testing.T) {
	s := open(t)
	e := receive(t, nil)
	c := New(Options{Config: hooks(e.URL + "/x"), Outbox: s, Log: slog.New(slog.NewTextHandler(io.Discard, nil))})
	if err := c.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	happen(t, s, c, event("e1", "crash"))
	held := start(t, s, nil)
	held.Wake()
	if len(held.workers) != 0 || deliveries(t, s)[0].State != wire.DeliveryWaiting {
		t.Errorf("%d workers, %+v", len(held.workers), deliveries(t, s)[0])
	}
	held.Reload(hooks(e.URL + "/x"))
	if got := e.next(t); got.id != "e1" {
		t.Errorf("%+v", got)
	}
	until(t, "its delivery", func() bool { return deliveries(t, s)[0].State == wire.DeliveryDone })
	held.Reload(hooks())
}
