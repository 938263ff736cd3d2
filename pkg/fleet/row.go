package fleet

import (
	"slices"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
)

// row is what a Table knows of one instance; under its lock.
type row struct {
	name    bridge.Instance
	service systemd.ServiceProperties // kept when systemd unloads it: its last StatusText says how it ended
	loaded  bool                      // systemd has the service in memory, and it is not inactive
	scope   string                    // ActiveState of the scope, "" unloaded
	made    time.Time                 // when the scope became active, where that was said
	enabled bool
	record  *bridge.Record
	broken  error // a record that is there and cannot be used
	last    *Last
	settled bool // while dead: last was asked for, or says an end

	use   Scope // figures, as of the last sample
	known bool  // use.PID is claude's
	shown Bridge
}

func (r *row) live() bool { return r.loaded && up(r.service.ActiveState) || up(r.scope) }

// forgotten reports whether systemd knows nothing of the instance.
func (r *row) forgotten() bool { return !r.loaded && !up(r.scope) }

// take sets what a listing says.
func (r *row) take(w *World, f bridge.UnitFacts) {
	was := r.live()
	r.loaded, r.scope, r.enabled = f.Loaded, w.Scopes[r.name].Active, w.Enabled[r.name]
	r.service = systemd.ServiceProperties{ActiveState: f.Active, SubState: f.Sub, StatusText: f.StatusText, Result: f.Result,
		InvocationID: f.Run, MainPID: f.MainPID, Restarts: f.Restarts, ExitCode: f.ExitCode}
	r.made = time.Time{}
	if _, recorded := w.Records[r.name]; f.ScopeAlive && !recorded {
		r.made = f.Since
	} else if !f.ScopeAlive {
		r.service.Since = f.Since
	}
	r.moved(was)
}

// read sets what was read of a unit that was loaded.
func (r *row) read(unit string, u unitState) {
	was := r.live()
	if unit == r.name.Scope() {
		r.scope, r.made = u.active, u.since
	} else {
		r.loaded = u.active != "" && u.active != "inactive"
		if r.loaded && u.service.ActiveState != "" {
			r.service = u.service
		}
	}
	r.moved(was)
}

// follow sets what signals said.
func (r *row) follow(c systemd.Change) {
	was := r.live()
	if c.Unit == r.name.Scope() {
		if c.Gone {
			r.scope = ""
		}
		if a := c.Active(); a != "" {
			r.scope = a
		}
		if at := c.ActiveSince(); !at.IsZero() {
			r.made = at
		}
	} else {
		if c.Gone {
			r.loaded = false
		}
		c.Apply(&r.service)
		if a := c.Active(); a != "" {
			r.loaded = a != "inactive"
		}
	}
	r.moved(was)
}

// moved is called after systemd said something.
func (r *row) moved(was bool) {
	r.known = false
	if !up(r.scope) {
		r.use = Scope{}
	}
	if is := r.live(); is != was {
		r.settled = false
		if is {
			r.last = nil // of an earlier life
		}
	}
}

func (r *row) setRecord(rec bridge.Record, ok bool, broken error) {
	r.broken = broken
	if r.record = nil; ok {
		r.record = &rec
	}
	r.known = false
}

// learn takes a last event; false for one older than what is known.
func (r *row) learn(l Last) bool {
	if r.last != nil && l.At.Before(r.last.At) {
		return false
	}
	r.last = &l
	if l.Event.Ends() {
		r.settled = true
	}
	return true
}

func (r *row) facts() bridge.UnitFacts {
	s := r.service
	f := bridge.UnitFacts{Loaded: r.loaded, Active: s.ActiveState, Sub: s.SubState, StatusText: s.StatusText, ExitCode: s.ExitCode,
		Result: s.Result, MainPID: s.MainPID, Restarts: s.Restarts, Run: s.InvocationID, Since: s.Since,
		ScopeAlive: up(r.scope), Frozen: r.use.Frozen}
	if !r.loaded {
		f.Active, f.Sub = "inactive", "dead"
	}
	switch {
	case f.ScopeAlive && r.record != nil:
		f.Since = r.record.Launched // the service's times change with each reattach
	case f.ScopeAlive && !r.made.IsZero():
		f.Since = r.made
	}
	return f
}

// row finds or makes a row.
func (t *Table) row(i bridge.Instance) *row {
	r := t.rows[i]
	if r == nil {
		r = &row{name: i, service: systemd.ServiceProperties{ExitCode: -1}}
		t.rows[i] = r
		at, _ := slices.BinarySearchFunc(t.names, i, byName)
		t.names = slices.Insert(t.names, at, i)
	}
	return r
}

func (t *Table) drop(i bridge.Instance) {
	r := t.rows[i]
	if r == nil {
		return
	}
	delete(t.rows, i)
	at, _ := slices.BinarySearchFunc(t.names, i, byName)
	t.names = slices.Delete(slices.Clone(t.names), at, at+1) // others may be reading the old one
	t.version++
	if r.shown.Unit != "" { // else nobody has heard of it
		t.viewers.tell(Update{Instance: r.shown.Instance, Gone: true})
	}
}

// show makes anew what is shown of a row, tells those who watch if it is
// something else now, and drops a row that nothing holds any more.
func (t *Table) show(r *row) {
	if r.forgotten() && !r.enabled && r.record == nil && r.broken == nil {
		t.drop(r.name)
		return
	}
	f := r.facts()
	b := view(t.opt.Place.Host, r.name, f, r.record, r.enabled, r.live())
	if r.last != nil && doubtful(f, r.record) {
		b.takeRun(*r.last, r.record)
	}
	switch {
	case !r.forgotten():
		if up(r.scope) {
			b.use(r.use)
		}
	case r.settled:
		b.Restarts = nil
		b.tellPast(r.record, r.last, t.boot)
	default:
		t.unsettle()
	}
	b.tellBroken(r.broken, t.opt.Place)
	if t.opt.Hash != nil && b.Live && r.record != nil && r.record.Config != "" {
		b.ConfigChanged = r.record.Config != t.hash(r.name.Project)
	}
	if t.opt.Place.Origin.User {
		b.Reason, b.Hint = bridge.ForUser(b.Reason), bridge.ForUser(b.Hint)
	}
	if !sameShown(&r.shown, &b) {
		r.shown = b
		t.version++
		t.viewers.tell(Update{Instance: b.Instance})
		return
	}
	r.shown = b
}

// hash is that of a project's configuration, worked out once.
func (t *Table) hash(project string) string {
	h, ok := t.hashes[project]
	if !ok {
		h = t.opt.Hash(project)
		if t.hashes == nil {
			t.hashes = map[string]string{}
		}
		t.hashes[project] = h
	}
	return h
}

// sameShown compares without the figures, which always change.
func sameShown(x, y *Bridge) bool {
	return x.Status == y.Status && x.Health == y.Health && x.Reason == y.Reason && x.Hint == y.Hint && x.Run == y.Run &&
		x.Since.Equal(y.Since.Time) && x.Enabled == y.Enabled && x.Live == y.Live && x.ConfigChanged == y.ConfigChanged &&
		x.Label == y.Label && x.Mode == y.Mode && x.SpawnMode == y.SpawnMode && x.PermissionMode == y.PermissionMode &&
		x.VerdictWord == y.VerdictWord && x.PID == y.PID && same(x.Restarts, y.Restarts) && x.Name == y.Name
}

func same(x, y *int) bool { return x == y || x != nil && y != nil && *x == *y }
