package api

import (
	"encoding/json"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/bridge"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

func keyStore(t *testing.T) *store.Store {
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func TestOneKeyIsOneStart(t *testing.T) {
	f := &fakeFleet{gate: make(chan struct{}), began: make(chan struct{}, 1)}
	s := keyStore(t)
	send := serveInstances(t, f, s)
	post := func(body, key string) *httptest.ResponseRecorder {
		return send(writer(), "POST", "/api/v1/instances", body, IdempotencyHeader, key)
	}
	answers := make(chan *httptest.ResponseRecorder, 3)
	for range 3 {
		go func() { answers <- post(`{"project":"blog"}`, "k1") }()
	}
	<-f.began
	close(f.gate)
	for range 3 {
		rec := <-answers
		var got wire.Started
		if err := json.Unmarshal(rec.Body.Bytes(), &got); err != nil || rec.Code != 201 || !got.Created {
			t.Errorf("%d %s %v", rec.Code, rec.Body, err)
		}
	}
	if len(f.asked) != 1 {
		t.Errorf("asked %v", f.asked)
	}
	if rec := post(`{"project":"other"}`, "k1"); rec.Code != 409 {
		t.Errorf("another body: %d", rec.Code)
	}
	for _, bad := range []string{"", "a b", "ä", strings.Repeat("x", 129)} {
		if rec := post(`{"project":"blog"}`, bad); rec.Code != 400 {
			t.Errorf("key %q: %d", bad, rec.Code)
		}
	}
	other := auth.Principal{Kind: auth.Token, Name: "ci", ID: "2", Scope: auth.ScopeWrite}
	if rec := send(other, "POST", "/api/v1/instances", `{"project":"other"}`, IdempotencyHeader, "k1"); rec.Code != 200 {
		t.Errorf("another principal: %d", rec.Code)
	}
	// The next process knows the answer.
	rec := serveInstances(t, f, s)(writer(), "POST", "/api/v1/instances", `{"project":"blog"}`, IdempotencyHeader, "k1")
	if rec.Code != 201 || rec.Header().Get(replayedHeader) != "true" || len(f.asked) != 2 {
		t.Errorf("replayed: %d %v %v", rec.Code, rec.Header(), f.asked)
	}
}

// What was refused before anything happened may be tried again under the same
// key; what was tried is not tried twice.
func TestKeysOfFailures(t *testing.T) {
	f := &fakeFleet{fails: wire.NewProblem(wire.Conflict, "full", "")}
	send := serveInstances(t, f, keyStore(t))
	post := func() *httptest.ResponseRecorder {
		return send(writer(), "POST", "/api/v1/instances", `{"project":"blog"}`, IdempotencyHeader, "k")
	}
	if rec := post(); rec.Code != 409 {
		t.Fatal(rec.Code)
	}
	f.fails = wire.NewProblem(wire.Failed, "it does not start", "")
	for range 2 {
		if rec := post(); rec.Code != 502 || rec.Header().Get("Content-Type") != wire.ProblemType {
			t.Errorf("%d %s", rec.Code, rec.Body)
		}
	}
	if len(f.asked) != 2 {
		t.Errorf("asked %v", f.asked)
	}
}

// A process that was killed in flight leaves a key without an answer: the next
// one begins again, and joins what it finds.
func TestKeyOfAnEarlierProcess(t *testing.T) {
	f, s := &fakeFleet{running: true}, keyStore(t)
	send := serveInstances(t, f, s)
	q := wire.StartRequest{Project: "blog", Mode: bridge.PTY}
	r := &Request{Request: httptest.NewRequest("POST", "/api/v1/instances", nil)}
	if _, _, err := s.ClaimKey(t.Context(), principalKey(writer()), "k", requestHash(r, q), time.Now()); err != nil {
		t.Fatal(err)
	}
	rec := send(writer(), "POST", "/api/v1/instances", `{"project":"blog","mode":"pty"}`, IdempotencyHeader, "k")
	if rec.Code != 200 || !f.again {
		t.Errorf("%d %s, again %v", rec.Code, rec.Body, f.again)
	}
}

func TestKeysNeedTheStore(t *testing.T) {
	send := serveInstances(t, &fakeFleet{}, nil)
	rec := send(writer(), "POST", "/api/v1/instances", `{"project":"blog"}`, IdempotencyHeader, "k")
	if rec.Code != 503 || !strings.Contains(rec.Body.String(), string(wire.StoreRefused)) {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
}
