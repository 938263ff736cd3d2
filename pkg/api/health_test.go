package api

import (
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/config"
	"clauster/pkg/home"
	"clauster/pkg/metrics"
	"clauster/pkg/store"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// watched is a world in which all is well, as far as health asks.
type watched struct{ systemd error }

func (w *watched) SystemState(context.Context) (string, error) { return "running", w.systemd }
func (w *watched) Watchdogs(context.Context, []string) (map[string]systemd.Watchdog, error) {
	return nil, w.systemd
}
func (w *watched) WatchdogAges(context.Context, []string) (map[string]time.Duration, error) {
	return nil, w.systemd
}
func (*watched) ClaudeVersion(context.Context) (home.Claude, home.Age, error) {
	return home.Claude{Version: "2.1.330"}, home.Age{}, nil
}
func (*watched) AuthStatus(context.Context) (home.Auth, home.Age, error) {
	return home.Auth{LoggedIn: true, Method: "claude.ai"}, home.Age{}, nil
}
func (*watched) Projects(context.Context) (home.Projects, home.Age, error) {
	return home.Projects{}, home.Age{}, nil
}
func (*watched) Figures(context.Context) (store.Figures, error) { return store.Figures{}, nil }
func (*watched) EventCounts(context.Context, time.Time) (map[string]int, error) {
	return map[string]int{}, nil
}
func (*watched) APIErrors(context.Context, time.Time) ([]wire.APIErrorCount, error) {
	return []wire.APIErrorCount{}, nil
}

// admitting lets everybody in as one principal.
type admitting struct{ who auth.Principal }

func (a admitting) Admit(*http.Request, auth.Door) (auth.Principal, *wire.Problem) { return a.who, nil }

func healthServer(t *testing.T, w *watched, cfg *config.Config, who auth.Principal) http.Handler {
	t.Helper()
	src := &metrics.Sources{Host: "host", Version: "0.1.0", Started: time.Now(), Config: func() *config.Config { return cfg },
		Instances: func() []wire.Instance {
			return []wire.Instance{{Instance: "blog", Project: "blog", Status: bridge.Stopped}}
		},
		InstancesAway: func() error { return nil }, Systemd: w, Home: w, Store: func() metrics.Store { return w }, StoreRefused: func() *wire.Problem { return nil },
		Journal: func() metrics.Following { return metrics.Following{} }, ConfigFault: func() *wire.Problem { return nil },
		Cgroups: cgroup.System(), Machine: metrics.NewHost("/proc", "/")}
	board, traffic := metrics.NewBoard(src), metrics.NewTraffic()
	t.Cleanup(board.Close)
	s := &Server{Gate: admitting{who}, Log: slog.New(slog.DiscardHandler),
		Observe: func(r *Route, code int, took time.Duration) { traffic.Observe(r.Method+" "+r.Path, code, took) }}
	s.Table = NewTable(&Health{Board: board}, &Metrics{Sources: src, Page: metrics.NewPage(src, traffic, slog.New(slog.DiscardHandler)), Traffic: traffic, Sampler: metrics.NewSampler(src),
		Resolve: func(context.Context, string) (bridge.Instance, *wire.Problem) {
			return bridge.Instance{Project: "blog"}, nil
		},
		Project: func(context.Context, string) *wire.Problem { return nil }})
	return s.Handler(auth.WebDoor)
}

func ask(h http.Handler, path string) (int, string) {
	rec := httptest.NewRecorder()
	r := httptest.NewRequest(http.MethodGet, path, nil)
	r.Header.Set("Accept", "text/html")
	h.ServeHTTP(rec, r)
	body, _ := io.ReadAll(rec.Body)
	return rec.Code, strings.TrimSpace(string(body))
}

// TestHealthOfStrangers: the word and the code, nothing that tells versions or
// bridges.
func TestHealthOfStrangers(t *testing.T) {
	w := &watched{}
	h := healthServer(t, w, &config.Config{}, auth.Principal{Kind: auth.Nobody})
	for path, want := range map[string]string{"/healthz": `{"status":"ok"}`, "/health": `{"status":"healthy"}`,
		"/health/live": `{"status":"ok"}`, "/health/ready": `{"ready":true}`} {
		if code, body := ask(h, path); code != http.StatusOK || body != want {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	down := healthServer(t, &watched{systemd: systemd.ErrUnreachable}, &config.Config{}, auth.Principal{Kind: auth.Nobody})
	for path, want := range map[string]string{"/health": `{"status":"unhealthy"}`, "/health/ready": `{"ready":false}`} {
		if code, body := ask(down, path); code != http.StatusServiceUnavailable || body != want {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	for _, path := range []string{"/metrics", "/api/v1/metrics/system", "/api/v1/errors", "/api/v1/instances/blog/metrics"} {
		if code, _ := ask(h, path); code != http.StatusUnauthorized {
			t.Errorf("%s: %d", path, code)
		}
	}
}

// TestLivenessWithoutStore: the web door tells no more while the database is
// refused, whoever asks.
func TestLivenessWithoutStore(t *testing.T) {
	h := &Health{StoreRefused: func() *wire.Problem { return wire.NewProblem(wire.StoreRefused, "it is damaged", "") }}
	got := h.live(&Request{Door: auth.WebDoor, Principal: auth.Principal{Kind: auth.Token, Scope: auth.ScopeRead}})
	if answer, ok := got.(JSON); !ok || answer.Value != (wire.Liveness{Status: "ok"}) {
		t.Errorf("%+v", got)
	}
}

// TestFigures: what is known to whoever may read, and the page that is off by
// default.
func TestFigures(t *testing.T) {
	cfg := &config.Config{}
	cfg.Metrics.Enabled = true
	h := healthServer(t, &watched{}, cfg, auth.Principal{Kind: auth.Token, Scope: auth.ScopeRead})
	for path, want := range map[string][]string{
		"/healthz": {"status", "version", "claude_ok", "claude_version", "claude_login_ok", "claude_login_method",
			"claude_login_expires_at", "instances_running"},
		"/health":                        {"status", "version", "uptime_seconds", "services", "resources", "checks", "watchdogs", "agent_metrics"},
		"/api/v1/metrics/system":         {"cpu_percent", "memory_used_mb", "disk_used_percent", "uptime_seconds"},
		"/api/v1/metrics/agents":         {"active_count", "total_sessions", "invocations_per_minute"},
		"/api/v1/metrics/policy":         {"evaluations_total", "denied_count", "approval_pending_count"},
		"/api/v1/metrics/http":           {"requests_total", "latency_p50", "latency_p99"},
		"/api/v1/errors":                 {"last_1h", "last_24h"},
		"/api/v1/projects/blog/metrics":  {"running"},
		"/api/v1/instances/blog/metrics": {"running"},
	} {
		code, body := ask(h, path)
		var got map[string]any
		if err := json.Unmarshal([]byte(body), &got); err != nil || code != http.StatusOK {
			t.Errorf("%s: %d %s", path, code, body)
		}
		for _, name := range want {
			if _, ok := got[name]; !ok {
				t.Errorf("%s has no %s: %s", path, name, body)
			}
		}
	}
	if _, body := ask(h, "/api/v1/instances/blog/metrics"); body != `{"running":false}` {
		t.Error(body)
	}
	if code, _ := ask(h, "/api/v1/metrics/everything"); code != http.StatusNotFound {
		t.Error(code)
	}
	if code, body := ask(h, "/metrics"); code != http.StatusNotFound || !strings.Contains(body, "prometheus_enabled") {
		t.Error(code, body)
	}
	cfg.Observability.PrometheusEnabled = true
	if code, body := ask(h, "/metrics"); code != http.StatusOK || !strings.Contains(body, "clauster_build_info{version=\"0.1.0\"} 1\n") {
		t.Error(code, body)
	}
	if code, _ := ask(h, "/api/v1/textfile"); code != http.StatusNotFound {
		t.Errorf("the local page is on the web door: %d", code)
	}
}
