package main

import (
	"context"
	"errors"
	"time"

	"clauster/pkg/api"
	"clauster/pkg/home"
	"clauster/pkg/metrics"
	"clauster/pkg/wire"
)

// server puts the routes together.
func (d *daemon) server() *api.Server {
	s := &api.Server{Gate: d.gate, Log: d.log, UserMode: d.userMode, StoreRefused: d.storeRefused, WebClosed: d.webClosed,
		Observe: func(r *api.Route, code int, took time.Duration) { d.traffic.Observe(r.Method+" "+r.Path, code, took) }}
	s.Table = api.NewTable(d.resources(func() api.Table { return s.Table })...)
	return s
}

// resources are all there are; docs/http.md is made of them too.
func (d *daemon) resources(table func() api.Table) []api.Resource {
	instances := api.NewInstances(d.life, d.table, d.operate, d.keys)
	instances.RootPath = func() string { return d.settings.config().RootPath }
	return []api.Resource{
		&api.Health{Board: d.board, StoreRefused: d.storeRefused},
		&api.Metrics{Sources: d.sources, Page: metrics.NewPage(d.sources, d.traffic, d.log), Traffic: d.traffic,
			Sampler: metrics.NewSampler(d.sources), Resolve: instances.Resolve, Project: d.noProject},
		instances,
		&api.Events{Host: d.host, Store: d.store, Hub: d.hub},
		&api.Projects{Host: d.host, Home: d.home, Instances: d.instancesOfProjects,
			MayBypass: func(p string) bool { return d.settings.config().ForProject(p).AllowBypassPermissions }},
		&api.Deliveries{Host: d.host, Store: d.store, Courier: d.courier},
		&api.Logs{Host: d.host, Tails: d.tails, Resolve: instances.ResolvePast(d.tails.Last)},
		api.Auth{Logins: d.gate},
		&api.OpenAPI{Version: version, Table: table, Enabled: func() bool { return d.settings.config().API.OpenAPIEnabled }},
		&reloader{d.settings},
	}
}

// keys is where answers to repeated requests are kept, nil without a store.
func (d *daemon) keys() api.KeyStore {
	if d.store == nil {
		return nil
	}
	return d.store
}

// hasProject reports whether a project is there.
func (d *daemon) hasProject(ctx context.Context, name string) (bool, error) {
	_, _, err := d.home.Project(ctx, name)
	var refused *home.Error
	if errors.As(err, &refused) && refused.Kind == home.RefusedNotFound {
		return false, nil
	}
	return err == nil, err
}

// noProject says why there is no such project.
func (d *daemon) noProject(ctx context.Context, name string) *wire.Problem {
	if there, err := d.hasProject(ctx, name); err == nil && !there {
		return wire.NewProblem(wire.NotFound, "cannot find a project "+name, "clauster-ctl projects")
	}
	return nil
}

// instancesOfProjects lists the instances of every project.
func (d *daemon) instancesOfProjects() map[string][]string {
	all := map[string][]string{}
	for _, i := range d.table.Known() {
		all[i.Project] = append(all[i.Project], i.String())
	}
	return all
}
