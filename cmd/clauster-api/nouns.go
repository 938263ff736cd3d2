package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	osuser "os/user"
	"path/filepath"
	"strconv"
	"sync/atomic"
	"time"

	"clauster/pkg/api"
	"clauster/pkg/auth"
	"clauster/pkg/config"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// nouns are what the API is about.
type nouns struct {
	store   *store.Store // nil while refused
	refused *wire.Problem
	gate    *auth.Gate
}

// makeNouns opens the store and starts what lives beside the servers. A store
// that is refused does not keep the API from telling what runs.
func (d *daemon) makeNouns(ctx context.Context) (*nouns, error) {
	n := &nouns{}
	path, err := d.databasePath()
	if err != nil {
		return nil, err
	}
	n.store, err = store.Open(ctx, path)
	var refused *store.RefusedError
	switch {
	case errors.As(err, &refused):
		n.store, n.refused = nil, refusal(refused)
		d.log.Error(err.Error(), "hint", refused.Hint())
	case err != nil:
		return nil, err
	}
	n.gate = auth.New(d.gateOptions(n))
	return n, nil
}

func (d *daemon) gateOptions(n *nouns) auth.Options {
	o := auth.Options{Config: d.settings.config, Now: time.Now, UID: os.Geteuid(), Group: -1, BridgeUID: func() int { return -1 }, Log: d.log}
	if n.store != nil {
		o.Store = n.store
	}
	if d.userMode {
		return o
	}
	if g, err := osuser.LookupGroup("clauster"); err == nil {
		if gid, err := strconv.Atoi(g.Gid); err == nil {
			o.Group = gid
		}
	}
	o.BridgeUID = bridgeUID(d.settings.config)
	return o
}

// bridgeUID looks the bridge user up, once for each configuration.
func bridgeUID(cfg func() *config.Config) func() int {
	type found struct {
		cfg *config.Config
		uid int
	}
	var last atomic.Pointer[found]
	return func() int {
		now := cfg()
		if f := last.Load(); f != nil && f.cfg == now {
			return f.uid
		}
		f := &found{now, -1}
		if u, err := osuser.Lookup(now.User); err == nil {
			if uid, err := strconv.Atoi(u.Uid); err == nil {
				f.uid = uid
			}
		}
		last.Store(f)
		return f.uid
	}
}

// databasePath is below the directory that systemd made; systemd 252 would put a
// user unit's StateDirectory= under ~/.config, so user mode makes its own.
func (d *daemon) databasePath() (string, error) {
	if dir := d.getenv("STATE_DIRECTORY"); dir != "" && !d.userMode {
		return filepath.Join(dir, "clauster.db"), nil
	}
	base := d.getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) {
		base = filepath.Join(d.getenv("HOME"), ".local/state")
	}
	if !d.userMode {
		base = "/var/lib"
	}
	dir := filepath.Join(base, "clauster/api")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("cannot make the API's directory: %w", err)
	}
	return filepath.Join(dir, "clauster.db"), nil
}

// close ends everything, in the opposite order.
func (n *nouns) close(context.Context) {
	if n.store != nil {
		_ = n.store.Close()
	}
}

// storeRefused is why the database is not used, from the start or since it
// showed damage.
func (n *nouns) storeRefused() *wire.Problem {
	var refused *store.RefusedError
	if n.store != nil && errors.As(n.store.Refused(), &refused) {
		return refusal(refused)
	}
	return n.refused
}

func refusal(r *store.RefusedError) *wire.Problem {
	return wire.NewProblem(wire.StoreRefused, r.Error(), r.Hint())
}

// busy reports whether something is under way that an idle exit would end.
func (d *daemon) busy() bool { return d.doors.InFlight() > 0 }

// woken is called after keepers have told of an event.
func (d *daemon) woken() {}

// server puts the routes together.
func (d *daemon) server() *api.Server {
	s := &api.Server{Gate: d.gate, Log: d.log, StoreRefused: d.storeRefused, WebClosed: d.webClosed}
	s.Table = api.NewTable(d.resources(func() api.Table { return s.Table })...)
	return s
}

// resources are all there are; docs/http.md is made of them too.
func (d *daemon) resources(table func() api.Table) []api.Resource {
	return []api.Resource{
		&api.OpenAPI{Version: version, Table: table, Enabled: func() bool { return d.settings.config().API.OpenAPIEnabled }},
		&reloader{d.settings},
	}
}
