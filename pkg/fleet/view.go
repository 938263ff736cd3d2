package fleet

import (
	"cmp"
	"context"
	"runtime"
	"sync"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/terminal"
	"clauster/pkg/wire"
)

// Bridge is an instance as it is shown, with what only programs need. All
// text in it is clean.
type Bridge struct {
	wire.Instance
	Name bridge.Instance `json:"-"`
	Live bool            `json:"-"` // its service is not down, or its scope lives
}

// Bridges tells what is to be shown of the given instances, in their order.
// How those ended that systemd has forgotten is still missing: TellPast.
func (w *World) Bridges(ctx context.Context, bus Systemd, instances []bridge.Instance) ([]Bridge, error) {
	scopes := make([]Scope, len(instances))
	brief := len(instances) > 1
	var reading sync.WaitGroup // while systemd is asked
	reading.Go(func() {
		each(len(instances), func(n int) {
			if i := instances[n]; w.ScopeAlive(i) {
				scopes[n] = ReadScope(w.Place.Cgroups, w.ScopePath(i), brief)
			}
		})
	})
	facts, err := w.Facts(ctx, bus, instances)
	reading.Wait()
	if err != nil {
		return nil, err
	}
	views := make([]Bridge, len(instances))
	for n, i := range instances {
		f := facts[i]
		f.Frozen = scopes[n].Frozen
		views[n] = w.view(i, f)
		views[n].use(scopes[n])
	}
	w.tellRuns(ctx, views, facts)
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

func (w *World) view(i bridge.Instance, f bridge.UnitFacts) Bridge {
	var record *bridge.Record
	if r, ok := w.Records[i]; ok {
		record = &r
	}
	v := view(w.Place.Host, i, f, record, w.Enabled[i], w.Live(i))
	v.tellBroken(w.Broken[i], w.Place)
	return v
}

// tellBroken says of an instance without any other word that its record cannot
// be used.
func (b *Bridge) tellBroken(err error, p *Place) {
	if err != nil && b.Reason == "" {
		b.Reason, b.Hint = terminal.Clean(err.Error()), p.forget(b.Name)
	}
}

// view is pure: facts and record in, what is shown out.
func view(host string, i bridge.Instance, f bridge.UnitFacts, r *bridge.Record, enabled, live bool) Bridge {
	v := Bridge{Name: i, Live: live, Instance: wire.Instance{Host: host, Instance: i.String(), Project: i.Project,
		Label: i.DisplayName(), Unit: i.Unit(), Scope: i.Scope(), Enabled: enabled, Since: wire.Time{Time: f.Since}, Run: f.Run}}
	if f.Loaded {
		v.Restarts = &f.Restarts
	}
	if r != nil {
		v.Label = terminal.Clean(r.Label)
		v.Mode, v.SpawnMode, v.PermissionMode = r.Mode, r.SpawnMode, r.PermissionMode
		// The unit's own invocation changes when its keeper is replaced.
		v.Run = cmp.Or(terminal.Clean(r.Run), v.Run)
	}
	f.Scope = i.Scope()
	s := bridge.Judge(f)
	reason, hint := bridge.CutHint(s.Reason)
	v.Status, v.Health, v.Reason, v.Hint = s.Status, s.Health, terminal.Clean(reason), terminal.Clean(hint)
	return v
}

func (b *Bridge) use(s Scope) { b.PID, b.MemoryBytes, b.CPUSeconds = s.PID, s.Memory, s.CPU }

// CompareConfig marks the bridges whose configuration is another now; hash
// gives a project's (config.Config.BridgeHash).
func (w *World) CompareConfig(views []Bridge, hash func(project string) string) {
	hashes := map[string]string{}
	for n := range views {
		v := &views[n]
		r, ok := w.Records[v.Name]
		if !ok || !v.Live || r.Config == "" {
			continue
		}
		if hashes[v.Project] == "" {
			hashes[v.Project] = hash(v.Project)
		}
		v.ConfigChanged = r.Config != hashes[v.Project]
	}
}

// TakeKeeper adds what only the keeper knows.
func (b *Bridge) TakeKeeper(s control.State) {
	if s.BridgePID > 0 {
		b.PID = s.BridgePID
	}
	if s.Mode != "" {
		b.Mode, b.SpawnMode, b.PermissionMode = s.Mode, s.SpawnMode, s.PermissionMode
	}
	if s.Run != "" {
		b.Run = terminal.Clean(s.Run)
	}
	b.KeeperPID, b.KeeperVersion = s.KeeperPID, terminal.Clean(s.KeeperVersion)
	b.ClaudeVersion, b.SessionRef = terminal.Clean(s.ClaudeVersion), terminal.Clean(s.SessionRef)
	b.ReadySince = wire.Time{Time: s.ReadySince}
	b.Viewers, b.Crashes = s.Viewers, s.Crashes
	b.LinesSent, b.LinesDropped = s.LinesSent, s.LinesDropped
	for _, l := range s.Links {
		b.Links = append(b.Links, terminal.Clean(l))
	}
}
