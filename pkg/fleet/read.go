package fleet

import (
	"context"
	"slices"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// fresh is how old figures (memory, CPU time, claude's process) may be that
// are shown. They are read when somebody asks; a thousand readers cost as much
// as one.
const fresh = time.Second

// List gives all instances by name. Figures are at most a second old.
func (t *Table) List() []wire.Instance {
	t.sample()
	return t.LastKnown()
}

// LastKnown is List with the figures of whenever they were last read, or none: for
// those who read control groups themselves.
func (t *Table) LastKnown() []wire.Instance {
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := make([]wire.Instance, len(t.names))
	for n, i := range t.names {
		all[n] = t.rows[i].shown.Instance
	}
	return all
}

// Version changes with whatever List would give anew.
func (t *Table) Version() uint64 {
	t.sample()
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.version
}

// Bridges is List with names and what lives.
func (t *Table) Bridges() []Bridge {
	t.sample()
	t.mu.RLock()
	defer t.mu.RUnlock()
	all := make([]Bridge, len(t.names))
	for n, i := range t.names {
		all[n] = t.rows[i].shown
	}
	return all
}

// Get gives one instance; ok is false for one that is not known.
func (t *Table) Get(i bridge.Instance) (b Bridge, ok bool) {
	t.sample()
	t.mu.RLock()
	defer t.mu.RUnlock()
	r := t.rows[i]
	if r == nil {
		return Bridge{}, false
	}
	return r.shown, true
}

// Record gives the launch record of an instance.
func (t *Table) Record(i bridge.Instance) (bridge.Record, bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.rows[i]; r != nil && r.record != nil {
		return *r.record, true
	}
	return bridge.Record{}, false
}

// ScopePath gives the cgroup of an instance's scope; ok is false where it does
// not live.
func (t *Table) ScopePath(i bridge.Instance) (path string, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.rows[i]; r != nil && up(r.scope) {
		return scopePath(t.cgroup, i), true
	}
	return "", false
}

// ServiceUp reports whether the instance's service is anything but down, and
// its ActiveState.
func (t *Table) ServiceUp(i bridge.Instance) (active string, ok bool) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	if r := t.rows[i]; r != nil && r.loaded && up(r.service.ActiveState) {
		return r.service.ActiveState, true
	}
	return "", false
}

// Known gives the names of all instances, in order.
func (t *Table) Known() []bridge.Instance {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return slices.Clone(t.names)
}

// refresh reads one instance anew, for whoever knows that something happened
// to it before the signal is here.
func (t *Table) refresh(ctx context.Context, bus Systemd, i bridge.Instance) error {
	t.reloadRecord(i)
	return t.changed(ctx, bus, []systemd.Change{{Unit: i.Unit(), New: true}, {Unit: i.Scope(), New: true}})
}

// minRun is how much of a run's id names it.
const minRun = 6

// Resolve finds what a name means: an instance, a project with exactly one, or
// the beginning of a run's id. Errors as of the function Resolve.
func (t *Table) Resolve(name string) (bridge.Instance, error) {
	t.mu.RLock()
	defer t.mu.RUnlock()
	i, err := Resolve(t.names, name)
	if err == nil || len(name) < minRun || !isHex(name) {
		return i, err
	}
	if _, unknown := err.(*UnknownError); !unknown {
		return i, err
	}
	var same []string
	for _, k := range t.names {
		if strings.HasPrefix(t.rows[k].shown.Run, strings.ToLower(name)) {
			same, i = append(same, k.String()), k
		}
	}
	switch len(same) {
	case 0:
		return bridge.Instance{}, err
	case 1:
		return i, nil
	}
	return bridge.Instance{}, &AmbiguousError{Name: name, Candidates: same}
}

func isHex(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool {
		return !(r >= '0' && r <= '9' || r >= 'a' && r <= 'f' || r >= 'A' && r <= 'F')
	}) < 0
}

// sample reads the figures of the living if they are old.
func (t *Table) sample() {
	t.sampling.Lock()
	defer t.sampling.Unlock()
	type job struct {
		name bridge.Instance
		path string
		pid  int // 0: to be looked for
		use  Scope
	}
	t.mu.RLock()
	var jobs []job
	stale := time.Since(t.sampled) >= fresh
	for _, i := range t.names {
		r := t.rows[i]
		if !up(r.scope) || !stale && r.known {
			continue
		}
		j := job{name: i, path: scopePath(t.cgroup, i)}
		if r.known {
			j.pid = r.use.PID
		}
		jobs = append(jobs, j)
	}
	t.mu.RUnlock()
	if len(jobs) == 0 {
		return
	}
	each(len(jobs), func(n int) { jobs[n].use = sampleScope(t.opt.Place.Cgroups, jobs[n].path, jobs[n].pid) })
	t.mu.Lock()
	defer t.mu.Unlock()
	if stale {
		t.sampled = time.Now()
	}
	t.version++
	for _, j := range jobs {
		r := t.rows[j.name]
		if r == nil || !up(r.scope) {
			continue
		}
		r.use = j.use
		r.known = j.use.PID != 0
		t.show(r)
	}
}
