package api

import (
	"context"
	"encoding/xml"
	"errors"
	"io"
	"log/slog"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"clauster/pkg/auth"
	"clauster/pkg/bridge"
	"clauster/pkg/fleet"
	"clauster/pkg/wire"
)

// fakeFleet is table and operator of one instance.
type fakeFleet struct {
	mu        sync.Mutex
	away      error
	asked     []string
	request   bridge.Request
	restarted bridge.Request
	by        string
	again     bool
	running   bool
	fails     error
	gate      chan struct{} // where set, a start waits for it
	began     chan struct{}
	link      string
}

func (f *fakeFleet) Wait(context.Context) error { return f.away }
func (f *fakeFleet) Version() uint64            { return 1 }
func (f *fakeFleet) List() []wire.Instance      { return []wire.Instance{f.bridge("blog").Instance} }

func (f *fakeFleet) bridge(name string) fleet.Bridge {
	i, _ := bridge.ParseInstance(name)
	return fleet.Bridge{Name: i, Instance: wire.Instance{Host: "here", Instance: name, Project: i.Project, Unit: i.Unit(), Status: bridge.Running}}
}

func (f *fakeFleet) Get(i bridge.Instance) (fleet.Bridge, bool) { return f.bridge(i.String()), true }

func (f *fakeFleet) Resolve(name string) (bridge.Instance, error) {
	switch name {
	case "shop":
		return bridge.Instance{}, &fleet.AmbiguousError{Name: "shop", Candidates: []string{"shop:a", "shop:b"}}
	case "nix":
		return bridge.Instance{}, &fleet.UnknownError{Name: name}
	}
	return bridge.ParseInstance(name)
}

func (f *fakeFleet) note(what string, by string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.asked = append(f.asked, what)
	if by != "" {
		f.by = by
	}
}

func (f *fakeFleet) Start(_ context.Context, by string, i bridge.Instance, r bridge.Request, again bool) (fleet.Bridge, bool, error) {
	f.note("start "+i.String(), by)
	if f.began != nil {
		f.began <- struct{}{}
	}
	if f.gate != nil {
		<-f.gate
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	f.request, f.again = r, again
	created := !f.running
	f.running = f.fails == nil
	return f.bridge(i.String()), created, f.fails
}

func (f *fakeFleet) Restart(_ context.Context, by string, i bridge.Instance, r bridge.Request) (fleet.Bridge, error) {
	f.note("restart "+i.String(), by)
	f.restarted = r
	return f.bridge(i.String()), f.fails
}

func (f *fakeFleet) Stop(_ context.Context, by string, i bridge.Instance) (fleet.Bridge, bool, error) {
	f.note("stop "+i.String(), by)
	return f.bridge(i.String()), true, f.fails
}

func (f *fakeFleet) Forget(_ context.Context, by string, i bridge.Instance) error {
	f.note("forget "+i.String(), by)
	return f.fails
}

func (f *fakeFleet) AskKeeper(_ context.Context, b *fleet.Bridge) { b.Links = []string{"https://x"} }

func (f *fakeFleet) Link(context.Context, bridge.Instance) (string, error) { return f.link, f.fails }

func writer() auth.Principal {
	return auth.Principal{Kind: auth.Token, Name: "ci", ID: "1", Scope: auth.ScopeWrite}
}

// serveInstances gives a function that sends a request as a principal.
func serveInstances(t *testing.T, f *fakeFleet, keys KeyStore) func(p auth.Principal, method, path, body string, headers ...string) *httptest.ResponseRecorder {
	res := NewInstances(t.Context(), f, f, func() KeyStore { return keys })
	return func(p auth.Principal, method, path, body string, headers ...string) *httptest.ResponseRecorder {
		server := &Server{Table: NewTable(res), Gate: fixed{who: p}, Log: slog.New(slog.DiscardHandler)}
		req := httptest.NewRequest(method, path, strings.NewReader(body))
		if body != "" {
			req.Header.Set("Content-Type", "application/json")
		}
		for n := 0; n < len(headers); n += 2 {
			req.Header.Add(headers[n], headers[n+1])
		}
		rec := httptest.NewRecorder()
		server.Handler(auth.UnixDoor).ServeHTTP(rec, req)
		return rec
	}
}

func TestInstanceRoutes(t *testing.T) {
	f := &fakeFleet{link: "https://claude.ai/code?environment=env_1"}
	send := serveInstances(t, f, nil)
	reader := auth.Principal{Kind: auth.Token, Name: "r", Scope: auth.ScopeRead}
	for _, tc := range []struct {
		who                auth.Principal
		method, path, body string
		code               int
		holds, lacks       string
	}{
		{reader, "GET", "/api/v1/instances", "", 200, `[{"host"`, "https://x"},
		{reader, "GET", "/api/v1/instances/blog", "", 200, `"instance":"blog"`, "https://x"},
		{writer(), "GET", "/api/v1/instances/blog", "", 200, "https://x", ""},
		{reader, "GET", "/api/v1/instances/blog/qr", "", 403, "forbidden", ""},
		{writer(), "GET", "/api/v1/instances/shop", "", 409, `"candidates":["shop:a","shop:b"]`, ""},
		{writer(), "GET", "/api/v1/instances/nix", "", 404, "there is no instance nix", ""},
		{writer(), "GET", "/api/v1/instances/..%2fx", "", 404, "not-found", ""},
		{writer(), "GET", "/api/v1/instances/a%0ab", "", 404, "not-found", ""},
		{reader, "POST", "/api/v1/instances", `{"project":"blog"}`, 403, "forbidden", ""},
		{writer(), "POST", "/api/v1/instances", `{"project":"blog","label":"a","mode":"pty"}`, 201, `"created":true`, ""},
		{writer(), "POST", "/api/v1/instances", `{"project":"blog"}`, 200, `"created":false`, ""},
		{writer(), "POST", "/api/v1/instances", `{"project":"../x"}`, 422, "invalid", ""},
		{writer(), "POST", "/api/v1/instances", `{"project":"blog","label":"%"}`, 422, "invalid", ""},
		{writer(), "POST", "/api/v1/instances", `{"project":"blog","mode":"x"}`, 422, "mode", ""},
		{writer(), "POST", "/api/v1/instances", `{"project":"blog","what":1}`, 400, "bad-request", ""},
		{writer(), "DELETE", "/api/v1/instances/blog", "", 200, `"stopped":true`, ""},
		{reader, "DELETE", "/api/v1/instances/blog", "", 403, "", ""},
		{writer(), "POST", "/api/v1/instances/blog/restart", "", 201, `"created":true`, ""},
		{writer(), "POST", "/api/v1/instances/blog/restart", `{"permission_mode":"plan","capacity":3}`, 201, `"created":true`, ""},
		{writer(), "POST", "/api/v1/instances/blog/restart", `{"permission_mode":"loose"}`, 422, "permission mode", ""},
		{writer(), "POST", "/api/v1/instances/blog/restart", `{"project":"blog"}`, 400, "there is no field", ""},
		{writer(), "POST", "/api/v1/instances", `{"project":"blog","capacity":0}`, 422, "between 1 and 1024", ""},
		{writer(), "POST", "/api/v1/instances", `{"project":"blog","capacity":1025}`, 422, "between 1 and 1024", ""},
		{writer(), "POST", "/api/v1/instances/blog/resume", "", 200, `"created":false`, ""},
		{writer(), "POST", "/api/v1/instances/blog/forget", "", 200, `{"host":"here","instance":"blog","forgotten":true}`, ""},
	} {
		rec := send(tc.who, tc.method, tc.path, tc.body)
		if rec.Code != tc.code || !strings.Contains(rec.Body.String(), tc.holds) || tc.lacks != "" && strings.Contains(rec.Body.String(), tc.lacks) {
			t.Errorf("%s %s %s: %d %s", tc.method, tc.path, tc.body, rec.Code, rec.Body)
		}
	}
	if f.by != "token:ci" || !f.request.Resume {
		t.Errorf("by %s, %+v", f.by, f.request)
	}
	if f.restarted.PermissionMode != bridge.PermPlan || f.restarted.Capacity != 3 {
		t.Errorf("restarted with %+v", f.restarted)
	}
	f.away = errors.New("cannot hear systemd")
	if rec := send(reader, "GET", "/api/v1/instances", ""); rec.Code != 503 {
		t.Errorf("without systemd: %d", rec.Code)
	}
}

// The log of a bridge that was forgotten was 404, while clauster-ctl printed it.
func TestResolvePast(t *testing.T) {
	f := &fakeFleet{}
	res := NewInstances(t.Context(), f, f, nil)
	lines, fails := []wire.LogLine{{}}, error(nil)
	asked := ""
	resolve := res.ResolvePast(func(_ context.Context, i bridge.Instance, _ int) ([]wire.LogLine, error) {
		asked += i.String() + " "
		return lines, fails
	})
	kind := func(name string) wire.Kind {
		if _, p := resolve(t.Context(), name); p != nil {
			return p.Kind
		}
		return ""
	}
	if i, p := resolve(t.Context(), "nix"); p != nil || i.String() != "nix" {
		t.Errorf("%v %+v", i, p)
	}
	if kind("blog") != "" || kind("shop") != wire.Conflict || kind("../x") != wire.NotFound || asked != "nix " {
		t.Errorf("asked %q", asked)
	}
	lines = nil
	if kind("nix") != wire.NotFound {
		t.Error("an instance that nobody ever saw has a log")
	}
	fails = errors.New("busy")
	if kind("nix") != wire.Unavailable {
		t.Error("a journal that cannot be read is no proof")
	}
}

// Behind a proxy at /clauster a Location without that led nowhere.
func TestLocationIsBelowRootPath(t *testing.T) {
	f := &fakeFleet{}
	res := NewInstances(t.Context(), f, f, func() KeyStore { return nil })
	res.RootPath = func() string { return "/clauster" }
	server := &Server{Table: NewTable(res), Gate: fixed{who: writer()}, Log: slog.New(slog.DiscardHandler)}
	for door, want := range map[auth.Door]string{auth.WebDoor: "/clauster/api/v1/instances/blog:a", auth.UnixDoor: "/api/v1/instances/blog:a"} {
		rec := httptest.NewRecorder()
		server.Handler(door).ServeHTTP(rec, httptest.NewRequest("POST", "/api/v1/instances/blog:a/restart", nil))
		if got := rec.Header().Get("Location"); rec.Code != 201 || got != want {
			t.Errorf("%v: %d %q", door, rec.Code, got)
		}
	}
}

func TestQRIsAPicture(t *testing.T) {
	f := &fakeFleet{link: "https://claude.ai/code?environment=env_1"}
	send := serveInstances(t, f, nil)
	rec := send(writer(), "GET", "/api/v1/instances/blog/qr", "")
	if rec.Code != 200 || rec.Header().Get("Content-Type") != svgType || strings.Contains(rec.Body.String(), "env_1") {
		t.Errorf("%d %s", rec.Code, rec.Body)
	}
	d := xml.NewDecoder(rec.Body)
	for {
		if _, err := d.Token(); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			t.Fatal(err)
		}
	}
	f.fails = wire.NewProblem(wire.Conflict, "no link yet", "")
	if rec := send(writer(), "GET", "/api/v1/instances/blog/qr", ""); rec.Code != 409 {
		t.Errorf("without a link: %d", rec.Code)
	}
}
