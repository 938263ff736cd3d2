package main

import (
	"context"
	"errors"
	"fmt"
	osuser "os/user"
	"path/filepath"
	"strings"
	"time"

	"clauster/pkg/delivery"
	"clauster/pkg/fleet"
	"clauster/pkg/metrics"
	"clauster/pkg/store"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// makeFigures gives health and metrics what they are made of.
func (d *daemon) makeFigures(ctx context.Context, n *nouns, place *fleet.Place) {
	n.sources = &metrics.Sources{Host: d.host, Version: version, Started: d.started, UserMode: d.userMode, Config: d.settings.config,
		Instances: n.table.LastKnown, InstancesAway: n.table.Away, Systemd: figuresOfSystemd{n.link}, Home: n.home,
		Store: func() metrics.Store {
			if n.store == nil {
				return nil
			}
			return figuresOfStore{n.store, n.courier}
		},
		StoreRefused: n.storeRefused, Journal: func() metrics.Following { return d.following(n) }, OwnUnit: "clauster-api.service",
		ConfigFault: d.configFault,
		Cgroups:     place.Cgroups, Machine: metrics.NewHost("/proc", d.stateDir())}
	if len(d.web) > 0 {
		n.sources.WebClosed = d.webClosed
	}
	// Where the bridges' slice lies; the root for the system manager.
	_ = n.link.Do(ctx, func(b *systemd.Bus) (err error) { n.sources.ControlGroup, err = b.ControlGroup(ctx); return err })
	n.board = metrics.NewBoard(n.sources)
}

// configFault is what is wrong with the configuration on the disk, and what is
// in force instead. A faulty file is put in force at a start alone, where there
// is none before it: only what is wrong of it is a default then.
func (d *daemon) configFault() *wire.Problem {
	p := d.settings.faulty()
	if p == nil {
		return d.noBridgeUser()
	}
	force := "the one before stays in force"
	if !d.settings.good.Load() {
		force = "what was good of it at the start is in force, with defaults for the rest; the web door is closed, events wait in the journal and nothing is delivered"
	}
	// A file that was corrected is not in force yet, and «no faults» of config
	// check alone would leave everybody wondering.
	const again = "systemctl reload-or-restart clauster-api"
	hint := p.Hint
	switch {
	case hint == "":
		hint = again
	case !strings.Contains(hint, again) && !strings.Contains(hint, "systemctl restart clauster-api"):
		hint += ", then: " + again
	}
	return wire.NewProblem(p.Kind, p.Detail+"; "+force, hint)
}

// noBridgeUser says that the user of the configuration does not exist, which is
// no fault of a file: it may be made later.
func (d *daemon) noBridgeUser() *wire.Problem {
	name := d.settings.config().User
	if _, err := osuser.Lookup(name); d.userMode || err == nil {
		return nil
	}
	return wire.NewProblem(wire.Unavailable,
		fmt.Sprintf("the bridge user %q is not an account of this host: no bridge starts, and the web door lets nobody in without authentication", name),
		"correct user in clauster.toml, then: systemctl reload-or-restart clauster-api")
}

// stateDir is on the disk that is watched.
func (d *daemon) stateDir() string {
	if d.userMode {
		return filepath.Join(d.stateHome(), "clauster")
	}
	return "/var/lib/clauster"
}

// figuresOfStore counts only targets that are of interest as failing: one that
// was taken out of the configuration would be reported for months.
type figuresOfStore struct {
	*store.Store
	courier *delivery.Courier
}

// Figures are the store's.
func (s figuresOfStore) Figures(ctx context.Context) (store.Figures, error) {
	f, err := s.Store.Figures(ctx)
	if err != nil {
		return f, err
	}
	targets, err := s.courier.Targets(ctx)
	if err != nil {
		return f, err
	}
	f.Failing = 0
	for _, t := range targets {
		if !t.Healthy {
			f.Failing++
		}
	}
	return f, nil
}

// following is how the journal is read.
func (d *daemon) following(n *nouns) metrics.Following {
	switch {
	case n.ingester == nil:
		return metrics.Following{Err: errors.New("the database is not used")}
	case !d.settings.good.Load():
		return metrics.Following{Err: errors.New("they wait in the journal for a configuration without a fault"), Lag: time.Since(d.started)}
	}
	s := n.ingester.State()
	f := metrics.Following{Err: s.Err, Busy: n.ingester.Busy()}
	if s.Err != nil && !s.Since.IsZero() {
		f.Lag = time.Since(s.Since)
	}
	if p := n.storeRefused(); p != nil && f.Err == nil {
		f.Err = p // damage ends the ingester, which says no more
	}
	if s.Gaps > 0 {
		f.Gap = "the journal lost entries before they were read"
	}
	return f
}
