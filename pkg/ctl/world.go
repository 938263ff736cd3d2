package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
)

// world is everything that is known of all instances, gathered in bulk: a
// handful of messages to systemd, then files.
type world struct {
	app      *App
	cgroup   string // of the manager, below /sys/fs/cgroup
	services map[bridge.Instance]systemd.UnitStatus
	scopes   map[bridge.Instance]systemd.UnitStatus
	enabled  map[bridge.Instance]bool
	records  map[bridge.Instance]bridge.Record
	warnings []error // records that cannot be read
}

// known gives every instance that is loaded, enabled or recorded, by name.
func (w *world) known() []bridge.Instance {
	var all []bridge.Instance
	seen := map[bridge.Instance]bool{}
	add := func(i bridge.Instance) {
		if !seen[i] {
			seen[i] = true
			all = append(all, i)
		}
	}
	for i := range w.services {
		add(i)
	}
	for i := range w.scopes {
		add(i)
	}
	for i := range w.enabled {
		add(i)
	}
	for i := range w.records {
		add(i)
	}
	slices.SortFunc(all, func(x, y bridge.Instance) int { return cmp.Compare(x.String(), y.String()) })
	return all
}

// has reports whether an instance is known at all.
func (w *world) has(i bridge.Instance) bool {
	_, recorded := w.records[i]
	return w.loaded(i) || w.scopeAlive(i) || w.enabled[i] || recorded
}

// loaded reports whether systemd knows something of the service: it is not
// down, or it failed.
func (w *world) loaded(i bridge.Instance) bool {
	_, ok := w.services[i]
	return ok
}

func (w *world) scopeAlive(i bridge.Instance) bool {
	s, ok := w.scopes[i]
	return ok && s.Active != "inactive" && s.Active != "failed"
}

// serviceUp reports whether the service is anything but down.
func (w *world) serviceUp(i bridge.Instance) bool {
	s, ok := w.services[i]
	return ok && s.Active != "inactive" && s.Active != "failed"
}

// live reports whether something of the instance runs.
func (w *world) live(i bridge.Instance) bool { return w.serviceUp(i) || w.scopeAlive(i) }

// look lists the units, the enabled instances and the records.
func (a *App) look(ctx context.Context, bus Systemd) (*world, error) {
	w := &world{app: a, services: map[bridge.Instance]systemd.UnitStatus{}, scopes: map[bridge.Instance]systemd.UnitStatus{},
		enabled: map[bridge.Instance]bool{}, records: map[bridge.Instance]bridge.Record{}}
	var files sync.WaitGroup
	files.Go(w.readFiles)
	defer files.Wait()
	var err error
	if w.cgroup, err = bus.ControlGroup(ctx); err != nil {
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
			w.scopes[i] = u
		case u.Active == "inactive":
			// In memory for a moment because somebody looked at it. systemd
			// knows nothing of its past.
		default:
			w.services[i] = u
		}
	}
	return w, nil
}

// readFiles reads the links that `systemctl enable` makes and the records.
func (w *world) readFiles() {
	a := w.app
	configHome := a.Getenv("XDG_CONFIG_HOME")
	if configHome == "" {
		configHome = filepath.Join(a.Getenv("HOME"), ".config")
	}
	dirs := systemd.UnitDirs(a.manager(), configHome, a.Getenv("XDG_RUNTIME_DIR"))
	for n, d := range dirs {
		dirs[n] = a.path(d)
	}
	for _, unit := range systemd.EnabledLinks(dirs, "clauster@", ".service") {
		if i, ok := bridge.InstanceOfUnit(unit); ok {
			w.enabled[i] = true
		}
	}
	list, err := a.records().List()
	for _, r := range list {
		if i, err := bridge.ParseInstance(r.Instance); err == nil {
			w.records[i] = r
		}
	}
	// A caller outside the group may not read them: that is no fault.
	if err != nil && !errors.Is(err, fs.ErrPermission) {
		w.warnings = append(w.warnings, err)
	}
}

// views tells what is to be shown of the given instances, in their order.
func (w *world) views(ctx context.Context, bus Systemd, instances []bridge.Instance) ([]View, error) {
	facts, err := w.facts(ctx, bus, instances)
	if err != nil {
		return nil, err
	}
	views := make([]View, len(instances))
	host, _ := w.app.Hostname()
	brief := len(instances) > 1
	each(len(instances), func(n int) { views[n] = w.view(instances[n], facts[instances[n]], host, brief) })
	w.fromJournal(ctx, views)
	w.compareConfig(views)
	for n := range views {
		views[n].Reason, views[n].Hint = w.app.commands(views[n].Reason), w.app.commands(views[n].Hint)
	}
	return views, nil
}

// each runs f(0) … f(n-1), on all cores where that is worth it.
func each(n int, f func(int)) {
	workers := min(runtime.GOMAXPROCS(0), n/8+1)
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for i := k; i < n; i += workers {
				f(i)
			}
		})
	}
	wg.Wait()
}

// facts asks systemd about the services that it has in memory: two properties
// of those that serve and have a record, which names run and launch, and all
// of the others.
func (w *world) facts(ctx context.Context, bus Systemd, instances []bridge.Instance) (map[bridge.Instance]bridge.UnitFacts, error) {
	facts := make(map[bridge.Instance]bridge.UnitFacts, len(instances))
	var short, whole, scopes []string
	for _, i := range instances {
		f := bridge.UnitFacts{ExitCode: -1, ScopeAlive: w.scopeAlive(i)}
		s, loaded := w.services[i]
		f.Loaded, f.Active, f.Sub = loaded, s.Active, s.Sub
		r, recorded := w.records[i]
		switch {
		case f.ScopeAlive && recorded:
			// Made once a run, while the service's times change with each
			// reattach.
			f.Since = r.Launched
		case f.ScopeAlive:
			scopes = append(scopes, i.Scope())
		}
		switch {
		case !loaded:
		case f.ScopeAlive && recorded && w.serviceUp(i):
			short = append(short, s.Name)
		default:
			whole = append(whole, s.Name)
		}
		facts[i] = f
	}
	glances, err := bus.Glances(ctx, short)
	if err != nil {
		return nil, err
	}
	services, err := bus.Services(ctx, whole)
	if err != nil {
		return nil, err
	}
	since, err := bus.ActiveSince(ctx, scopes)
	if err != nil {
		return nil, err
	}
	for i, f := range facts {
		if g, ok := glances[i.Unit()]; ok {
			f.StatusText, f.Restarts = g.StatusText, g.Restarts
		}
		if s, ok := services[i.Unit()]; ok {
			f.Active, f.Sub, f.StatusText, f.Result = s.ActiveState, s.SubState, s.StatusText, s.Result
			f.ExitCode, f.MainPID, f.Restarts, f.Run = s.ExitCode, s.MainPID, s.Restarts, s.InvocationID
			if f.Since.IsZero() {
				f.Since = s.Since
			}
		}
		if at, ok := since[i.Scope()]; ok {
			f.Since = at
		}
		facts[i] = f
	}
	return facts, nil
}

// scopePath is the cgroup of a scope.
func (w *world) scopePath(i bridge.Instance) string {
	return path.Join("/", w.cgroup, bridge.Slice, i.Scope())
}

func (w *world) view(i bridge.Instance, f bridge.UnitFacts, host string, brief bool) View {
	v := View{Host: host, Instance: i.String(), Project: i.Project, Label: i.DisplayName(), Unit: i.Unit(), Scope: i.Scope(),
		Enabled: w.enabled[i], instance: i, live: w.live(i), Since: utc{f.Since}, Run: f.Run}
	if f.ScopeAlive {
		s := w.app.readScope(w.scopePath(i), brief)
		f.Frozen = s.frozen
		v.PID, v.MemoryBytes, v.CPUSeconds = s.pid, s.memory, s.cpu
	}
	if f.Loaded {
		v.Restarts = &f.Restarts
	}
	if r, ok := w.records[i]; ok {
		v.Label = clean(r.Label)
		v.Mode, v.SpawnMode, v.PermissionMode = r.Mode, r.SpawnMode, r.PermissionMode
		// The unit's own invocation changes when its keeper is replaced.
		v.Run = cmp.Or(clean(r.Run), v.Run)
	}
	s := bridge.Judge(f)
	reason, hint := bridge.CutHint(s.Reason)
	v.Status, v.Health, v.Reason, v.Hint = s.Status, s.Health, clean(reason), clean(hint)
	return v
}

// warn says on stderr what could not be read on the way.
func (w *world) warn() {
	for _, err := range w.warnings {
		fmt.Fprintf(w.app.Stderr, "%s %s\n", w.app.talkStyle().warn("warning:"), clean(err.Error()))
	}
}
