package main

import (
	"context"
	"errors"
	"time"

	"clauster/pkg/fleet"
	"clauster/pkg/metrics"
	"clauster/pkg/systemd"
)

// makeFigures gives health and metrics what they are made of.
func (d *daemon) makeFigures(ctx context.Context, n *nouns, place *fleet.Place) {
	n.sources = &metrics.Sources{Host: d.host, Version: version, Started: d.started, UserMode: d.userMode, Config: d.settings.config,
		Instances: n.table.List, Systemd: figuresOfSystemd{n.link}, Home: n.home,
		Store: func() metrics.Store {
			if n.store == nil {
				return nil
			}
			return n.store
		},
		StoreRefused: n.storeRefused, Journal: n.following, OwnUnit: "clauster-api.service",
		ReloadFault: func() string {
			if p := d.settings.faulty(); p != nil {
				return p.Detail
			}
			return ""
		},
		Cgroups: place.Cgroups, Machine: metrics.NewHost("/proc", "/var/lib/clauster")}
	// Where the bridges' slice lies; the root for the system manager.
	_ = n.link.Do(ctx, func(b *systemd.Bus) (err error) { n.sources.ControlGroup, err = b.ControlGroup(ctx); return err })
	n.board = metrics.NewBoard(n.sources)
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
