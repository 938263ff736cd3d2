package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// Options are what a Table needs of the world around it.
type Options struct {
	Place   *Place
	Manager systemd.Manager
	// Last gives the last life events of dead instances: the store's, or where
	// there is none LastInJournal.
	Last LastFunc
	// Hash gives the hash of a project's present configuration, nil where there
	// is none to be compared with.
	Hash func(project string) string
	Log  *slog.Logger
}

// Table is what is known of all instances, kept current by systemd's signals,
// by the events that Observe is given and by the directory of launch records.
// Nothing in it polls. Its methods may be called from several goroutines.
type Table struct {
	opt  Options
	boot boot

	mu      sync.RWMutex
	rows    map[bridge.Instance]*row
	names   []bridge.Instance // sorted
	cgroup  string
	away    error         // why systemd is not heard; nil while it is
	here    chan struct{} // closed while it is
	version uint64        // counts what changed
	touched map[bridge.Instance]bool
	viewers viewers
	hashes  map[string]string // opt.Hash of projects

	unsettled chan struct{} // some instance ended, and it is not known how
	sampling  sync.Mutex
	sampled   time.Time
}

// errNotYet is why a table that has just been made is empty.
var errNotYet = errors.New("systemd was not asked yet")

// NewTable makes a table; Run fills it.
func NewTable(o Options) *Table {
	return &Table{opt: o, boot: o.Place.boot(), rows: map[bridge.Instance]*row{}, away: errNotYet,
		here: make(chan struct{}), unsettled: make(chan struct{}, 1)}
}

// Run keeps the table current until ctx ends.
func (t *Table) Run(ctx context.Context) {
	var wg sync.WaitGroup
	wg.Go(func() { t.watchRecords(ctx) })
	wg.Go(func() { t.settle(ctx) })
	w := systemd.Watcher{Manager: t.opt.Manager, Ours: ours, Lost: t.lost,
		List:    func(ctx context.Context, bus *systemd.Bus) error { return t.relist(ctx, bus) },
		Changed: func(ctx context.Context, bus *systemd.Bus, c []systemd.Change) error { return t.changed(ctx, bus, c) }}
	w.Run(ctx)
	wg.Wait()
	t.mu.Lock()
	defer t.mu.Unlock()
	t.viewers.close()
}

func ours(unit string) bool {
	_, ok := bridge.InstanceOfUnit(unit)
	return ok
}

// Wait returns when the table is current, or says why it is not when ctx ends.
func (t *Table) Wait(ctx context.Context) error {
	for {
		t.mu.RLock()
		here, away := t.here, t.away
		t.mu.RUnlock()
		if away == nil {
			return nil
		}
		select {
		case <-here:
		case <-ctx.Done():
			return fmt.Errorf("cannot tell how the bridges are: %w", away)
		}
	}
}

// Away says why systemd is not heard; nil while the table is current.
func (t *Table) Away() error {
	t.mu.RLock()
	defer t.mu.RUnlock()
	return t.away
}

func (t *Table) lost(err error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.away == nil {
		t.here = make(chan struct{})
		t.opt.Log.Warn("cannot hear systemd; connecting again", "error", err)
	}
	t.away = err
}

// relist reads everything anew.
func (t *Table) relist(ctx context.Context, bus Systemd) error {
	t.mu.Lock()
	t.touched = map[bridge.Instance]bool{}
	t.mu.Unlock()
	w, err := Look(ctx, bus, t.opt.Place)
	if err != nil {
		return err
	}
	for _, warning := range w.Warnings {
		t.opt.Log.Warn("cannot use a launch record", "error", warning)
	}
	facts, err := w.Facts(ctx, bus, w.Known())
	if err != nil {
		return err
	}
	var dead []bridge.Instance
	for _, i := range w.Known() {
		if !w.Live(i) && !w.Loaded(i) {
			dead = append(dead, i)
		}
	}
	last := t.askLast(ctx, append(w.doubtful(facts), dead...))
	t.mu.Lock()
	defer t.mu.Unlock()
	t.boot = t.opt.Place.boot()
	t.cgroup = w.Cgroup
	for _, i := range t.names {
		if !w.Has(i) {
			r := t.rows[i]
			r.take(w, bridge.UnitFacts{ExitCode: -1})
			if !t.touched[i] {
				r.record, r.broken = nil, nil
			}
			t.show(r)
		}
	}
	for _, i := range w.Known() {
		r := t.row(i)
		r.take(w, facts[i])
		if rec, ok := w.Records[i]; !t.touched[i] {
			r.setRecord(rec, ok, w.Broken[i])
		}
		if l, ok := last[i]; ok {
			r.learn(l)
		}
		if slices.Contains(dead, i) {
			r.settled = true
		}
		t.show(r)
	}
	t.touched = nil
	t.sampled = time.Time{}
	if t.away != nil {
		t.away = nil
		close(t.here)
	}
	return nil
}

// askLast asks for last events; without them the dead are shown without.
func (t *Table) askLast(ctx context.Context, dead []bridge.Instance) map[bridge.Instance]Last {
	if len(dead) == 0 || t.opt.Last == nil {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, lastPatience)
	defer cancel()
	last, err := t.opt.Last(ctx, dead)
	if err != nil {
		t.opt.Log.Warn("cannot read how bridges ended", "error", err)
	}
	return last
}

// changed follows signals.
func (t *Table) changed(ctx context.Context, bus Systemd, changes []systemd.Change) error {
	fresh, err := t.readNew(ctx, bus, changes)
	if err != nil {
		return err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, c := range changes {
		i, ok := bridge.InstanceOfUnit(c.Unit)
		if !ok {
			continue
		}
		r := t.row(i)
		if f, ok := fresh[c.Unit]; ok {
			r.read(c.Unit, f)
		} else {
			r.follow(c)
		}
		t.show(r)
	}
	return nil
}

// unitState is what was read of a unit that systemd has just loaded.
type unitState struct {
	active  string
	since   time.Time
	service systemd.ServiceProperties
}

// readNew reads the units whose signals do not say everything: those that were
// loaded, and those we did not know of. They are looked for in a list first:
// reading a unit that is not loaded loads it, which is a signal, which would be
// followed by reading it, for ever.
func (t *Table) readNew(ctx context.Context, bus Systemd, changes []systemd.Change) (map[string]unitState, error) {
	var names []string
	t.mu.RLock()
	for _, c := range changes {
		i, ok := bridge.InstanceOfUnit(c.Unit)
		if ok && (c.New || t.rows[i] == nil && !c.Gone) {
			names = append(names, c.Unit)
		}
	}
	t.mu.RUnlock()
	if len(names) == 0 {
		return nil, nil
	}
	units, err := bus.ListUnits(ctx, names...)
	if err != nil {
		return nil, err
	}
	fresh := make(map[string]unitState, len(names))
	for _, n := range names {
		fresh[n] = unitState{} // unless it is listed
	}
	var services, scopes []string
	for _, u := range units {
		fresh[u.Name] = unitState{active: u.Active}
		switch i, _ := bridge.InstanceOfUnit(u.Name); {
		case u.Active == "inactive":
		case u.Name == i.Scope():
			scopes = append(scopes, u.Name)
		default:
			services = append(services, u.Name)
		}
	}
	props, err := bus.Services(ctx, services)
	if err != nil {
		return nil, err
	}
	since, err := bus.ActiveSince(ctx, scopes)
	if err != nil {
		return nil, err
	}
	for n, f := range fresh {
		f.service, f.since = props[n], since[n]
		if f.service.ActiveState != "" {
			f.active = f.service.ActiveState
		}
		fresh[n] = f
	}
	return fresh, nil
}

// Observe takes an event that the journal told, in its order.
func (t *Table) Observe(e wire.Event) {
	i, err := bridge.ParseInstance(e.Instance)
	if err != nil || !tellsLife(bridge.Event(e.Kind)) {
		return
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if r := t.rows[i]; r != nil && r.learn(LastOfEvent(e)) {
		t.show(r)
	}
}

// Reconfigure compares with another configuration from now on.
func (t *Table) Reconfigure(hash func(project string) string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.opt.Hash, t.hashes = hash, nil
	for _, r := range t.rows {
		t.show(r)
	}
}
