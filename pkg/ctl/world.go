package ctl

import (
	"context"
	"fmt"
	"path/filepath"

	"clauster/pkg/bridge"
	"clauster/pkg/fleet"
	"clauster/pkg/systemd"
)

// world is everything that is known of all instances.
type world struct {
	*fleet.World
	app *App
}

// place tells where this caller's facts are found.
func (a *App) place() *fleet.Place {
	configHome := a.Getenv("XDG_CONFIG_HOME")
	if configHome == "" {
		configHome = filepath.Join(a.Getenv("HOME"), ".config")
	}
	dirs := systemd.UnitDirs(a.manager(), configHome, a.Getenv("XDG_RUNTIME_DIR"))
	for n, d := range dirs {
		dirs[n] = a.path(d)
	}
	host, _ := a.Hostname()
	return &fleet.Place{Root: a.Root, Host: host, Records: a.records(), UnitDirs: dirs, Cgroups: a.cgroups(), Origin: a.origin()}
}

// look lists the units, the enabled instances and the records.
func (a *App) look(ctx context.Context, bus Systemd) (*world, error) {
	w, err := fleet.Look(ctx, bus, a.place())
	if err != nil {
		return nil, err
	}
	return &world{w, a}, nil
}

// views tells what is to be shown of the given instances, in their order.
func (w *world) views(ctx context.Context, bus Systemd, instances []bridge.Instance) ([]View, error) {
	bridges, err := w.Bridges(ctx, bus, instances)
	if err != nil {
		return nil, err
	}
	w.fromJournal(ctx, bridges)
	w.compareConfig(bridges)
	views := make([]View, len(bridges))
	for n, b := range bridges {
		b.Reason, b.Hint = w.app.commands(b.Reason), w.app.commands(b.Hint)
		views[n] = View{b}
	}
	return views, nil
}

// warn says on stderr what could not be read on the way.
func (w *world) warn() {
	for _, err := range w.Warnings {
		fmt.Fprintf(w.app.Stderr, "%s %s\n", w.app.talkStyle().warn("warning:"), clean(err.Error()))
	}
}
