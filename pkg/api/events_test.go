package api

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/event"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// happenings is a real store behind a real server.
type happenings struct {
	t     *testing.T
	store *store.Store
	hub   *event.Hub
	url   string
	n     int
}

func newHappenings(t *testing.T) *happenings {
	t.Helper()
	s, err := store.Open(t.Context(), filepath.Join(t.TempDir(), "clauster.db"))
	if err != nil {
		t.Fatal(err)
	}
	s.Host = "here"
	hub, err := event.NewHub(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	server := &Server{Table: NewTable(&Events{Host: "here", Store: s, Hub: hub}), Gate: scoped(auth.ScopeRead), Log: slog.New(slog.DiscardHandler)}
	web := httptest.NewServer(server.Handler(auth.UnixDoor))
	t.Cleanup(func() { web.Close(); s.Close() })
	return &happenings{t: t, store: s, hub: hub, url: web.URL}
}

func happeningID(n int) string { return fmt.Sprintf("0190%04x-0000-7000-8000-000000000000", n) }

// happen stores and publishes events of kinds spawn, ready, stop in turn.
func (h *happenings) happen(count int) {
	h.t.Helper()
	for range count {
		h.n++
		e := wire.Event{ID: happeningID(h.n), Kind: []string{"stop", "spawn", "ready"}[h.n%3], Instance: "blog", Project: "blog",
			At: wire.Time{Time: time.Date(2026, 1, 1, 0, h.n, 0, 0, time.UTC)}, Message: "it happened"}
		added, err := h.store.AddEvents(h.t.Context(), []wire.Event{e}, store.Position{}, nil)
		if err != nil {
			h.t.Fatal(err)
		}
		h.hub.Publish(added)
	}
}

func (h *happenings) get(path string, into any) int {
	h.t.Helper()
	res, err := http.Get(h.url + path)
	if err != nil {
		h.t.Fatal(err)
	}
	defer res.Body.Close()
	body, err := io.ReadAll(res.Body)
	if err != nil {
		h.t.Fatal(err)
	}
	if err := json.Unmarshal(body, into); err != nil {
		h.t.Fatalf("%s: %v\n%s", path, err, body)
	}
	return res.StatusCode
}

func TestEventPages(t *testing.T) {
	h := newHappenings(t)
	h.happen(25)
	for path, want := range map[string]string{
		"?limit=3":                                   "25 24 23 | 23",
		"?limit=3&before=23":                         "22 21 20 | 20",
		"?limit=3&order=asc":                         "1 2 3 | 3",
		"?limit=30&order=asc&after=23":               "24 25 |",
		"?kind=ready&limit=2":                        "23 20 | 20",
		"?kind=ready,stop&limit=3":                   "24 23 21 | 21",
		"?kind=ready&kind=stop&limit=3":              "24 23 21 | 21",
		"?instance=shop":                             "|",
		"?project=blog&since=2026-01-01T00:24:00Z":   "25 24 |",
		"?until=2026-01-01T01:02:00%2B01:00&limit=9": "1 |",
	} {
		var page wire.Events
		if code := h.get("/api/v1/events"+path, &page); code != http.StatusOK || page.Host != "here" {
			t.Errorf("%s: %d, of %q", path, code, page.Host)
		}
		var got []string
		for _, e := range page.Events {
			got = append(got, fmt.Sprint(e.Seq))
		}
		if s := strings.TrimSpace(strings.Join(append(got, "|", page.Next), " ")); s != want {
			t.Errorf("%s: %q, want %q", path, s, want)
		}
	}
	for _, path := range []string{"?limit=", "?after=", "?until=", "?limit=0", "?limit=501", "?limit=x", "?before=0", "?before=-1", "?after=x", "?order=up", "?since=yesterday", "?kind=", "?kind=nothing",
		"?instance=../etc", "/stream?kind=nothing", "/stream?last_event_id=1", "/stream?last_event_id=550e8400-e29b-41d4-a716-446655440000"} {
		var p wire.Problem
		if code := h.get("/api/v1/events"+path, &p); code != http.StatusUnprocessableEntity || p.Kind != wire.Invalid || !strings.HasPrefix(p.Detail, "cannot ") {
			t.Errorf("%s: %d %+v", path, code, p)
		}
	}
}

// watch opens a stream and gives its events, as "id kind seq" each.
func (h *happenings) watch(query, last string) <-chan string {
	h.t.Helper()
	ctx, cancel := context.WithCancel(h.t.Context())
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, h.url+"/api/v1/events/stream"+query, nil)
	if err != nil {
		h.t.Fatal(err)
	}
	if last != "" {
		req.Header.Set("Last-Event-ID", last)
	}
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		h.t.Fatal(err)
	}
	if media := res.Header.Get("Content-Type"); media != "text/event-stream" {
		h.t.Fatal(media)
	}
	out, done := make(chan string, 1000), make(chan struct{})
	go func() {
		defer close(done)
		defer res.Body.Close()
		id, kind := "", ""
		for lines := bufio.NewScanner(res.Body); lines.Scan(); {
			name, value, _ := strings.Cut(lines.Text(), ": ")
			switch name {
			case "id":
				id = value
			case "event":
				kind = value
			case "data":
				var e wire.Event
				if err := json.Unmarshal([]byte(value), &e); err != nil || e.ID != id {
					h.t.Errorf("%s: %v", value, err)
				}
				out <- fmt.Sprintf("%s %d", kind, e.Seq)
				id = ""
			}
		}
	}()
	h.t.Cleanup(func() { cancel(); <-done })
	return out
}

func (h *happenings) wants(got <-chan string, want ...string) {
	h.t.Helper()
	for _, w := range want {
		select {
		case g := <-got:
			if g != w {
				h.t.Fatalf("%q, want %q", g, w)
			}
		case <-time.After(10 * time.Second):
			h.t.Fatalf("nothing came, want %q", w)
		}
	}
}

func TestEventStream(t *testing.T) {
	h := newHappenings(t)
	h.happen(200)
	now, filtered := h.watch("", ""), h.watch("?kind=stop", "")
	after, byQuery := h.watch("", happeningID(20)), h.watch("?last_event_id="+happeningID(199), "")
	h.happen(3) // 201 to 203: stop, spawn, ready
	h.wants(now, "stop 201", "spawn 202", "ready 203")
	h.wants(filtered, "stop 201")
	h.wants(byQuery, "ready 200", "stop 201")
	for n := 21; n <= 203; n++ {
		h.wants(after, fmt.Sprintf("%s %d", []string{"stop", "spawn", "ready"}[n%3], n))
	}
}

// An id that is not stored: a gap first, then what has come since its time.
func TestEventStreamAfterUnknown(t *testing.T) {
	h := newHappenings(t)
	h.happen(5)
	at := time.Date(2026, 1, 1, 0, 3, 30, 0, time.UTC).UnixMilli()
	id := fmt.Sprintf("%08x-%04x-7000-8000-000000000000", at>>16, at&0xffff)
	h.wants(h.watch("", id), "gap 0", "spawn 4", "ready 5")
	h.happen(1)
	h.wants(h.watch("", "ffffffff-ffff-7fff-bfff-ffffffffffff"), "gap 0")
}
