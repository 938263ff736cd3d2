package fleet

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/records"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// fakeBus is a systemd that is what its maps say.
type fakeBus struct {
	services map[string]systemd.ServiceProperties
	scopes   map[string]string
	queued   map[string]string // types of jobs by unit
	listed   int
	err      error
}

func (b *fakeBus) ControlGroup(context.Context) (string, error) { return "", b.err }

func (b *fakeBus) ListUnits(_ context.Context, patterns ...string) ([]systemd.UnitStatus, error) {
	b.listed++
	var all []systemd.UnitStatus
	add := func(name, active, sub string) {
		for _, p := range patterns {
			if ok, _ := path.Match(p, name); ok {
				all = append(all, systemd.UnitStatus{Name: name, Active: active, Sub: sub, Job: b.queued[name]})
			}
		}
	}
	for name, s := range b.services {
		add(name, s.ActiveState, s.SubState)
	}
	for name, active := range b.scopes {
		add(name, active, "running")
	}
	return all, b.err
}

func (b *fakeBus) Glances(_ context.Context, units []string) (map[string]systemd.Glance, error) {
	all := map[string]systemd.Glance{}
	for _, u := range units {
		if s, ok := b.services[u]; ok {
			all[u] = systemd.Glance{StatusText: s.StatusText, Restarts: s.Restarts}
		}
	}
	return all, b.err
}

func (b *fakeBus) Services(_ context.Context, units []string) (map[string]systemd.ServiceProperties, error) {
	all := map[string]systemd.ServiceProperties{}
	for _, u := range units {
		if s, ok := b.services[u]; ok {
			all[u] = s
		}
	}
	return all, b.err
}

func (b *fakeBus) ActiveSince(_ context.Context, units []string) (map[string]time.Time, error) {
	all := map[string]time.Time{}
	for _, u := range units {
		all[u] = day
	}
	return all, b.err
}

var day = time.Date(2026, 1, 31, 12, 0, 0, 0, time.UTC)

func testTable(t testing.TB, last map[bridge.Instance]Last) (*Table, *Place) {
	p := &Place{Root: t.TempDir(), Host: "h", Records: records.Dir{Path: t.TempDir(), UID: -1, GID: -1},
		Cgroups: cgroup.Host{Root: t.TempDir(), Proc: t.TempDir()}}
	return NewTable(Options{Place: p, Log: slog.New(slog.DiscardHandler),
		Last: func(context.Context, []bridge.Instance) (map[bridge.Instance]Last, error) { return last, nil }}), p
}

func inst(s string) bridge.Instance {
	i, err := bridge.ParseInstance(s)
	if err != nil {
		panic(err)
	}
	return i
}

func record(name, run string) bridge.Record {
	return bridge.Record{Schema: 1, Kind: bridge.KindBridge, Instance: name, Label: name, Path: "/p", Run: run, Launched: day}
}

func running(text string) systemd.ServiceProperties {
	return systemd.ServiceProperties{ActiveState: "active", SubState: "running", StatusText: text, MainPID: 7, ExitCode: -1,
		InvocationID: "aabbccddeeff", Since: day}
}

func props(kv ...any) map[string]any {
	m := map[string]any{}
	for i := 0; i < len(kv); i += 2 {
		m[kv[i].(string)] = kv[i+1]
	}
	return m
}

func TestTableFollowsALife(t *testing.T) {
	table, p := testTable(t, nil)
	bus := &fakeBus{}
	if err := table.relist(t.Context(), bus); err != nil {
		t.Fatal(err)
	}
	now, changes, cancel := table.Subscribe(100)
	defer cancel()
	if len(now) != 0 {
		t.Fatalf("%v", now)
	}
	expect := func(what string, status bridge.Status, health bridge.Health, reason string) {
		t.Helper()
		b, ok := table.Get(inst("blog"))
		if !ok || b.Status != status || b.Health != health || b.Reason != reason {
			t.Errorf("%s: %v %q %q %q", what, ok, b.Status, b.Health, b.Reason)
		}
	}
	change := func(c ...systemd.Change) {
		t.Helper()
		if err := table.changed(t.Context(), bus, c); err != nil {
			t.Fatal(err)
		}
	}
	unit, scope := inst("blog").Unit(), inst("blog").Scope()

	// It is loaded and starts.
	bus.services = map[string]systemd.ServiceProperties{unit: {ActiveState: "activating", SubState: "start", StatusText: "starting: a moment", ExitCode: -1}}
	change(systemd.Change{Unit: unit, New: true})
	expect("starting", bridge.Starting, "", "a moment")
	rec := record("blog", "run1")
	if err := p.Records.Write(rec); err != nil {
		t.Fatal(err)
	}
	table.reloadRecord(inst("blog"))
	bus.scopes = map[string]string{scope: "active"}
	change(systemd.Change{Unit: scope, New: true},
		systemd.Change{Unit: unit, Props: props("ActiveState", "active", "SubState", "running", "StatusText", "ok: it serves", "NRestarts", uint32(0))})
	expect("running", bridge.Running, bridge.OK, "it serves")
	if b, _ := table.Get(inst("blog")); b.Run != "run1" || !b.Since.Equal(day) || *b.Restarts != 0 {
		t.Errorf("running: %+v", b)
	}
	table.Observe(wire.Event{Kind: "ready", Instance: "blog", Run: "run1", At: wire.Time{Time: day}})

	// A word of health, then an end whose event comes after the unit is gone.
	change(systemd.Change{Unit: unit, Props: props("StatusText", "waiting: it asks for a permission")})
	expect("waiting", bridge.Running, bridge.Waiting, "it asks for a permission")
	change(systemd.Change{Unit: unit, Props: props("ActiveState", "deactivating", "StatusText", "stopped: it was stopped")},
		systemd.Change{Unit: scope, Gone: true}, systemd.Change{Unit: unit, Gone: true})
	expect("untold", bridge.Stopped, "", "it was stopped")
	table.Observe(wire.Event{Kind: "stop", Instance: "blog", Run: "run1", At: wire.Time{Time: day.Add(time.Hour)},
		Fields: map[string]string{"reason": "stopped by op"}})
	expect("told", bridge.Stopped, "", "stopped by op")
	if b, _ := table.Get(inst("blog")); !b.Since.Equal(day.Add(time.Hour)) || b.Restarts != nil {
		t.Errorf("stopped: %+v", b)
	}

	// Forgotten.
	if err := p.Records.Remove(inst("blog")); err != nil {
		t.Fatal(err)
	}
	table.reloadRecord(inst("blog"))
	if _, ok := table.Get(inst("blog")); ok {
		t.Error("it is listed without a record")
	}
	var seen []bridge.Status
	gone := false
	for len(changes) > 0 {
		u := <-changes
		seen, gone = append(seen, u.Status), u.Gone
	}
	if !gone || len(seen) < 5 {
		t.Errorf("updates: %v, gone %v", seen, gone)
	}
}

// A keeper that was killed with its bridge writes no event: after a while the
// table asks, once.
func TestTableAsksHowItEnded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, p := testTable(t, map[bridge.Instance]Last{inst("blog"): {Event: bridge.EventReady, Run: "run1", At: day}})
		bus := &fakeBus{services: map[string]systemd.ServiceProperties{inst("blog").Unit(): running("ok: it serves")},
			scopes: map[string]string{inst("blog").Scope(): "active"}}
		if err := p.Records.Write(record("blog", "run1")); err != nil {
			t.Fatal(err)
		}
		if err := table.relist(t.Context(), bus); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		done := make(chan struct{})
		go func() { table.settle(ctx); close(done) }()
		gone := []systemd.Change{{Unit: inst("blog").Unit(), Gone: true}, {Unit: inst("blog").Scope(), Gone: true}}
		if err := table.changed(t.Context(), bus, gone); err != nil {
			t.Fatal(err)
		}
		<-time.After(2 * settleAfter) // of the bubble's clock
		synctest.Wait()
		if b, _ := table.Get(inst("blog")); b.Status != bridge.Crashed || b.Reason != "its keeper ended without saying why" {
			t.Errorf("%s: %s", b.Status, b.Reason)
		}
		cancel()
		<-done
	})
}

func TestRelistDropsWhatIsGone(t *testing.T) {
	table, _ := testTable(t, nil)
	bus := &fakeBus{services: map[string]systemd.ServiceProperties{inst("a").Unit(): running(""), inst("b").Unit(): running("")}}
	if err := table.relist(t.Context(), bus); err != nil {
		t.Fatal(err)
	}
	delete(bus.services, inst("a").Unit())
	if err := table.relist(t.Context(), bus); err != nil {
		t.Fatal(err)
	}
	if k := table.Known(); len(k) != 1 || k[0] != inst("b") {
		t.Errorf("%v", k)
	}
	bus.err = errors.New("away")
	if table.relist(t.Context(), bus) == nil {
		t.Error("a failing listing was believed")
	}
	table.lost(bus.err)
	ctx, cancel := context.WithTimeout(t.Context(), time.Millisecond)
	defer cancel()
	if err := table.Wait(ctx); err == nil {
		t.Error("a table without systemd is current")
	}
}

// Reading a unit that is not loaded loads it, which is a signal: units are
// looked for in a list first.
func TestUnloadedUnitsAreNotRead(t *testing.T) {
	table, _ := testTable(t, nil)
	bus := &fakeBus{services: map[string]systemd.ServiceProperties{}}
	if err := table.changed(t.Context(), bus, []systemd.Change{{Unit: inst("a").Unit(), New: true}}); err != nil {
		t.Fatal(err)
	}
	if bus.listed != 1 || len(table.Known()) != 0 {
		t.Errorf("%d lists, %v", bus.listed, table.Known())
	}
}

func TestTableResolves(t *testing.T) {
	table, _ := testTable(t, nil)
	bus := &fakeBus{services: map[string]systemd.ServiceProperties{}}
	for n, name := range []string{"blog", "shop:a", "shop:b", "one:x"} {
		s := running("")
		s.InvocationID = fmt.Sprintf("abcde%d0000", n)
		bus.services[inst(name).Unit()] = s
	}
	if err := table.relist(t.Context(), bus); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"blog": "blog", "shop:b": "shop:b", "one": "one:x", "abcde0": "blog", "ABCDE10": "shop:a"} {
		if i, err := table.Resolve(name); err != nil || i.String() != want {
			t.Errorf("%s: %s, %v", name, i, err)
		}
	}
	var several *AmbiguousError
	if _, err := table.Resolve("shop"); !errors.As(err, &several) || len(several.Candidates) != 2 {
		t.Errorf("shop: %v", err)
	}
	var unknown *UnknownError
	for _, name := range []string{"abcde", "nix", "abcdef9", "shop:c"} {
		if _, err := table.Resolve(name); !errors.As(err, &unknown) {
			t.Errorf("%s: %v", name, err)
		}
	}
	var bad *bridge.NameError
	if _, err := table.Resolve("../x"); !errors.As(err, &bad) {
		t.Errorf("%v", err)
	}
}

func TestSlowReadersAreDropped(t *testing.T) {
	table, _ := testTable(t, nil)
	_, slow, cancel := table.Subscribe(1)
	defer cancel()
	bus := &fakeBus{services: map[string]systemd.ServiceProperties{inst("a").Unit(): running(""), inst("b").Unit(): running("")}}
	if err := table.relist(t.Context(), bus); err != nil {
		t.Fatal(err)
	}
	<-slow
	if _, ok := <-slow; ok {
		t.Error("it got what it had no room for")
	}
}

// writeScope makes the files of a scope's cgroup, and of its claude.
func writeScope(t testing.TB, p *Place, i bridge.Instance, pid int) {
	for name, text := range map[string]string{
		filepath.Join(p.Cgroups.Root, scopePath("", i), "memory.current"): "104857600\n",
		filepath.Join(p.Cgroups.Root, scopePath("", i), "cpu.stat"):       "usage_usec 12500000\n",
		filepath.Join(p.Cgroups.Root, scopePath("", i), "cgroup.events"):  "populated 1\nfrozen 0\n",
		filepath.Join(p.Cgroups.Root, scopePath("", i), "cgroup.procs"):   fmt.Sprintln(pid),
		filepath.Join(p.Cgroups.Proc, fmt.Sprint(pid), "stat"):            "1 (claude) S 1 1 1 0 -1 0 0 0 0 0 0 0 0 0 20 0 1 0 101 0 9 0\n",
	} {
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestFiguresAreReadWhenSomebodyAsks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		table, p := testTable(t, nil)
		bus := &fakeBus{services: map[string]systemd.ServiceProperties{inst("a").Unit(): running("ok: it serves")},
			scopes: map[string]string{inst("a").Scope(): "active"}}
		writeScope(t, p, inst("a"), 42)
		if err := table.relist(t.Context(), bus); err != nil {
			t.Fatal(err)
		}
		a := table.List()[0]
		if a.PID != 42 || *a.MemoryBytes != 104857600 || *a.CPUSeconds != 12.5 {
			t.Errorf("%+v", a)
		}
		current := filepath.Join(p.Cgroups.Root, scopePath("", inst("a")), "memory.current")
		if err := os.WriteFile(current, []byte("5\n"), 0o644); err != nil {
			t.Fatal(err)
		}
		if a := table.List()[0]; *a.MemoryBytes != 104857600 {
			t.Error("figures were read twice in a second")
		}
		<-time.After(fresh) // of the bubble's clock
		if a := table.List()[0]; *a.MemoryBytes != 5 {
			t.Errorf("figures are old: %d", *a.MemoryBytes)
		}
	})
}

func BenchmarkList(b *testing.B) {
	for _, n := range []int{200, 1000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			table, p := testTable(b, nil)
			bus := &fakeBus{services: map[string]systemd.ServiceProperties{}, scopes: map[string]string{}}
			for k := range n {
				i := inst(fmt.Sprintf("p%04d", k))
				bus.services[i.Unit()], bus.scopes[i.Scope()] = running("ok: it serves"), "active"
				if err := p.Records.Write(record(i.String(), "run")); err != nil {
					b.Fatal(err)
				}
				writeScope(b, p, i, k+10)
			}
			if err := table.relist(b.Context(), bus); err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				table.List()
			}
		})
	}
}
