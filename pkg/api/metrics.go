package api

import (
	"context"
	"fmt"
	"net/http"

	"clauster/pkg/auth"
	"clauster/pkg/bridge"
	"clauster/pkg/metrics"
	"clauster/pkg/wire"
)

// Metrics is the resource of figures.
type Metrics struct {
	Sources *metrics.Sources
	Page    *metrics.Page
	Traffic *metrics.Traffic
	Sampler *metrics.Sampler
	// Resolve finds the instance a path means.
	Resolve func(ctx context.Context, name string) (bridge.Instance, *wire.Problem)
	// Project says why there is no such project, nil where there is.
	Project func(ctx context.Context, name string) *wire.Problem
}

// Routes gives its routes.
func (m *Metrics) Routes() []Route {
	return []Route{
		{Method: http.MethodGet, Path: "/metrics", Access: auth.ScopeScrape, Handle: m.scrape, Media: metrics.PageMedia,
			Summary: "Figures for Prometheus, read at each scrape; 404 unless observability.prometheus_enabled"},
		{Method: http.MethodGet, Path: "/api/v1/textfile", Access: auth.ScopeRead, LocalOnly: true, Handle: m.page, Media: metrics.PageMedia,
			Summary: "The same page for clauster-ctl metrics --textfile, whatever the configuration says"},
		{Method: http.MethodGet, Path: "/api/v1/metrics/{category}", Access: auth.ScopeRead, Handle: m.category, Answer: OneOf{wire.SystemMetrics{}, wire.AgentsMetrics{}, wire.PolicyMetrics{}, wire.HTTPMetrics{}},
			Summary: "Figures of a category: system, agents, policy or http"},
		{Method: http.MethodGet, Path: "/api/v1/instances/{instance}/metrics", Access: auth.ScopeRead, Handle: m.instance, Answer: OneOf{wire.Sample{}, wire.NotRunning{}},
			Summary: `What a bridge uses; {"running":false} where it does not run`},
		{Method: http.MethodGet, Path: "/api/v1/projects/{name}/metrics", Access: auth.ScopeRead, Handle: m.project, Answer: OneOf{wire.Sample{}, wire.NotRunning{}},
			Summary: `What all bridges of a project use; {"running":false} where none runs`},
		{Method: http.MethodGet, Path: "/api/v1/errors", Access: auth.ScopeRead, NeedsStore: true, Handle: m.errors, Answer: wire.APIErrors{},
			Summary: "Refusals of the model API (overload, limits) of the last hour and day, by kind and project"},
	}
}

func (m *Metrics) scrape(r *Request) Response {
	if !m.Sources.Config().Observability.PrometheusEnabled {
		return Refuse(wire.NotFound, "cannot show metrics: they are not enabled", "set prometheus_enabled = true under [observability] in clauster.toml, then: systemctl reload-or-restart clauster-api")
	}
	return m.page(r)
}

func (m *Metrics) page(r *Request) Response {
	return Text{Media: metrics.PageMedia, Body: m.Page.Text(r.Context())}
}

func (m *Metrics) category(r *Request) Response {
	switch name := r.PathValue("category"); name {
	case "system":
		return JSON{Value: m.Sources.SystemMetrics()}
	case "agents":
		return JSON{Value: m.Sources.AgentsMetrics(r.Context())}
	case "policy":
		return JSON{Value: m.Sources.PolicyMetrics(m.Traffic)}
	case "http":
		return JSON{Value: m.Sources.HTTPMetrics(m.Traffic)}
	default:
		return Refuse(wire.NotFound, fmt.Sprintf("cannot find figures of %q: there are system, agents, policy and http", name), "")
	}
}

func (m *Metrics) instance(r *Request) Response {
	want, problem := m.Resolve(r.Context(), r.PathValue("instance"))
	if problem != nil {
		return Refusal{problem}
	}
	return m.sample(r, func(i wire.Instance) bool { return i.Instance == want.String() })
}

func (m *Metrics) project(r *Request) Response {
	name := r.PathValue("name")
	if err := bridge.CheckProject(name); err != nil {
		return Refuse(wire.NotFound, err.Error(), "GET /api/v1/projects lists what there is")
	}
	if problem := m.Project(r.Context(), name); problem != nil {
		return Refusal{problem}
	}
	return m.sample(r, func(i wire.Instance) bool { return i.Project == name })
}

func (m *Metrics) sample(r *Request, of func(wire.Instance) bool) Response {
	var some []wire.Instance
	for _, i := range m.Sources.Instances() {
		if of(i) {
			some = append(some, i)
		}
	}
	sample := m.Sampler.Sample(r.Context(), some)
	if sample == nil {
		return JSON{Value: wire.NotRunning{}}
	}
	return JSON{Value: sample}
}

func (m *Metrics) errors(r *Request) Response {
	sums, err := m.Sources.APIErrors(r.Context())
	if err != nil {
		return Refuse(wire.Unavailable, err.Error(), "journalctl -u clauster-api")
	}
	return JSON{Value: sums}
}
