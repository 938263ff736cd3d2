package main

import (
	"context"
	"errors"
	"time"

	"clauster/pkg/delivery"
	"clauster/pkg/fleet"
	"clauster/pkg/metrics"
	"clauster/pkg/store"
	"clauster/pkg/systemd"
)

// makeFigures gives health and metrics what they are made of.
func (d *daemon) makeFigures(ctx context.Context, n *nouns, place *fleet.Place) {
	n.sources = &metrics.Sources{Host: d.host, Version: version, Started: d.started, UserMode: d.userMode, Config: d.settings.config,
		Instances: n.table.LastKnown, Systemd: figuresOfSystemd{n.link}, Home: n.home,
		Store: func() metrics.Store {
			if n.store == nil {
				return nil
			}
			return figuresOfStore{n.store, n.courier}
		},
		StoreRefused: n.storeRefused, Journal: n.following, OwnUnit: "clauster-api.service",
		ConfigFault: d.configFault,
		Cgroups:     place.Cgroups, Machine: metrics.NewHost("/proc", "/var/lib/clauster")}
	// Where the bridges' slice lies; the root for the system manager.
	_ = n.link.Do(ctx, func(b *systemd.Bus) (err error) { n.sources.ControlGroup, err = b.ControlGroup(ctx); return err })
	n.board = metrics.NewBoard(n.sources)
}

// configFault is what is wrong with the configuration on the disk, and what is
// in force instead.
func (d *daemon) configFault() string {
	p := d.settings.faulty()
	switch {
	case p == nil:
		return ""
	case d.settings.good.Load():
		return p.Detail + "; the one before stays in force"
	}
	return p.Detail + "; the defaults are in force, and the web door is closed"
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

// following is how far the journal is read.
func (n *nouns) following() metrics.Following {
	if n.ingester == nil {
		return metrics.Following{Err: errors.New("events are not stored: the database is not used")}
	}
	s := n.ingester.State()
	f := metrics.Following{Err: s.Err}
	if s.Err != nil && !s.Since.IsZero() {
		f.Lag = time.Since(s.Since)
	}
	if s.Gaps > 0 {
		f.Gap = "the journal lost entries before they were read: clauster-ctl events --kind gap"
	}
	return f
}
