package api

import (
	"net/http"

	"clauster/pkg/auth"
	"clauster/pkg/metrics"
	"clauster/pkg/wire"
)

// Health is the resource of liveness, health and readiness. What is slow is
// remembered: none of its answers waits for claude.
type Health struct {
	Board *metrics.Board
	// StoreRefused is why the database is not used, nil while it is: without it
	// nobody at the web door is known for sure. It may be nil.
	StoreRefused func() *wire.Problem
}

// Routes gives its routes. Strangers get the word alone, which is what a
// load balancer needs and all that a public page should tell.
func (h *Health) Routes() []Route {
	return []Route{
		{Method: http.MethodGet, Path: "/healthz", Access: auth.ScopeNone, Bare: true, Handle: h.live, Answer: wire.Healthz{},
			Summary: `Liveness; to whoever has not shown who he is only {"status":"ok"}`},
		{Method: http.MethodGet, Path: "/health/live", Access: auth.ScopeNone, Bare: true, Answer: wire.Liveness{},
			Handle:  func(*Request) Response { return JSON{Value: wire.Liveness{Status: "ok"}} },
			Summary: "Liveness alone, to everybody; nothing is looked at, so that asking often costs nothing"},
		{Method: http.MethodGet, Path: "/health", Access: auth.ScopeNone, Handle: h.health, Answer: wire.Health{},
			Summary: "Health of every service, in JSON whatever Accept says; 503 where it is unhealthy. To whoever has not shown who he is only the status"},
		{Method: http.MethodGet, Path: "/health/ready", Access: auth.ScopeNone, Handle: h.ready, Answer: wire.Readiness{},
			Summary: "200 where requests can be served in full, else 503"},
	}
}

func (h *Health) live(r *Request) Response {
	unsure := r.Door == auth.WebDoor && h.StoreRefused != nil && h.StoreRefused() != nil
	if unsure || !r.Principal.Known() {
		return JSON{Value: wire.Liveness{Status: "ok"}}
	}
	return JSON{Value: h.Board.Live()}
}

func (h *Health) health(r *Request) Response {
	if !r.Principal.Known() {
		status, _ := h.Board.Look(r.Context())
		return JSON{Code: healthCode(status), Value: wire.HealthStatus{Status: status}}
	}
	health := h.Board.Health(r.Context())
	return JSON{Code: healthCode(health.Status), Value: health}
}

func (h *Health) ready(r *Request) Response {
	ready := h.Board.Ready(r.Context())
	if !r.Principal.Known() {
		ready.Detail, ready.Hint = "", ""
	}
	code := http.StatusOK
	if !ready.Ready {
		code = http.StatusServiceUnavailable
	}
	return JSON{Code: code, Value: ready}
}

// healthCode is what load balancers look at: degraded still serves.
func healthCode(w wire.HealthWord) int {
	if w == wire.Unhealthy {
		return http.StatusServiceUnavailable
	}
	return http.StatusOK
}
