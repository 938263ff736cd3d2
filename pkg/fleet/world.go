package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"sync"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
)

// World is everything that is known of all instances at one moment, gathered
// in bulk: a handful of messages to systemd, then files.
type World struct {
	Place    *Place
	Cgroup   string // of the manager, below the hierarchy's root
	Services map[bridge.Instance]systemd.UnitStatus
	Scopes   map[bridge.Instance]systemd.UnitStatus
	Enabled  map[bridge.Instance]bool
	Records  map[bridge.Instance]bridge.Record
	Broken   map[bridge.Instance]error // records that are there and cannot be used
	Warnings []error                   // about them, and about what else cannot be read
}

// Look lists the units, the enabled instances and the records.
func Look(ctx context.Context, bus Systemd, p *Place) (*World, error) {
	w := &World{Place: p, Services: map[bridge.Instance]systemd.UnitStatus{}, Scopes: map[bridge.Instance]systemd.UnitStatus{}}
	var files sync.WaitGroup
	files.Go(w.readFiles)
	defer files.Wait()
	var err error
	if w.Cgroup, err = bus.ControlGroup(ctx); err != nil {
		return nil, err
	}
	units, err := bus.ListUnits(ctx, bridge.UnitPattern, bridge.ScopePattern)
	if err != nil {
		return nil, err
	}
	files.Wait()
	for _, u := range units {
		i, ours := bridge.InstanceOfUnit(u.Name)
		switch {
		case !ours:
		case u.Name == i.Scope():
			w.Scopes[i] = u
		case u.Active == "inactive":
			// In memory for a moment because somebody looked at it. systemd
			// knows nothing of its past.
		default:
			w.Services[i] = u
		}
	}
	return w, nil
}

func (w *World) readFiles() {
	w.Enabled = w.Place.enabled()
	var err error
	w.Records, w.Broken, err = w.Place.recorded()
	for _, i := range slices.SortedFunc(maps.Keys(w.Broken), byName) {
		w.Warnings = append(w.Warnings, fmt.Errorf("%w; to drop it: %s", w.Broken[i], w.Place.forget(i)))
	}
	// A caller outside the group may not read them: that is no fault.
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		w.Warnings = append(w.Warnings, err)
	}
}

// Known gives every instance that is loaded, enabled or recorded, in whatever
// form, by name.
func (w *World) Known() []bridge.Instance {
	var all []bridge.Instance
	seen := map[bridge.Instance]bool{}
	add := func(i bridge.Instance) {
		if !seen[i] {
			seen[i] = true
			all = append(all, i)
		}
	}
	for i := range w.Services {
		add(i)
	}
	for i := range w.Scopes {
		add(i)
	}
	for i := range w.Enabled {
		add(i)
	}
	for i := range w.Records {
		add(i)
	}
	for i := range w.Broken {
		add(i)
	}
	slices.SortFunc(all, byName)
	return all
}

func byName(x, y bridge.Instance) int { return cmp.Compare(x.String(), y.String()) }

// Has reports whether an instance is known at all.
func (w *World) Has(i bridge.Instance) bool {
	_, recorded := w.Records[i]
	return w.Loaded(i) || w.ScopeAlive(i) || w.Enabled[i] || recorded || w.Broken[i] != nil
}

// Loaded reports whether systemd knows something of the service: it is not
// down, or it failed.
func (w *World) Loaded(i bridge.Instance) bool {
	_, ok := w.Services[i]
	return ok
}

// ScopeAlive reports whether the bridge's scope is there.
func (w *World) ScopeAlive(i bridge.Instance) bool { return up(w.Scopes[i].Active) }

// ServiceUp reports whether the service is anything but down.
func (w *World) ServiceUp(i bridge.Instance) bool { return up(w.Services[i].Active) }

// Live reports whether something of the instance runs.
func (w *World) Live(i bridge.Instance) bool { return w.ServiceUp(i) || w.ScopeAlive(i) }

// Others counts what lives beside an instance.
func (w *World) Others(i bridge.Instance) int {
	live := 0
	for _, k := range w.Known() {
		if k != i && w.Live(k) {
			live++
		}
	}
	return live
}

func up(active string) bool { return active != "" && active != "inactive" && active != "failed" }

// ScopePath is the cgroup of a scope.
func (w *World) ScopePath(i bridge.Instance) string { return scopePath(w.Cgroup, i) }

func scopePath(cgroup string, i bridge.Instance) string {
	return path.Join("/", cgroup, bridge.Slice, i.Scope())
}
