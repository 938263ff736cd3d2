package fleet

import (
	"context"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
)

// Facts asks systemd about the services that it has in memory: two properties
// of those that serve and have a record, which names run and launch, and all
// of the others.
func (w *World) Facts(ctx context.Context, bus Systemd, instances []bridge.Instance) (map[bridge.Instance]bridge.UnitFacts, error) {
	facts := make(map[bridge.Instance]bridge.UnitFacts, len(instances))
	var short, whole, scopes []string
	for _, i := range instances {
		f := bridge.UnitFacts{ExitCode: -1, ScopeAlive: w.ScopeAlive(i)}
		s, loaded := w.Services[i]
		f.Loaded, f.Active, f.Sub = loaded, s.Active, s.Sub
		r, recorded := w.Records[i]
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
		case f.ScopeAlive && recorded && w.ServiceUp(i):
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
			takeService(&f, s)
		}
		if at, ok := since[i.Scope()]; ok {
			f.Since = at
		}
		facts[i] = f
	}
	return facts, nil
}

func takeService(f *bridge.UnitFacts, s systemd.ServiceProperties) {
	f.Active, f.Sub, f.StatusText, f.Result = s.ActiveState, s.SubState, s.StatusText, s.Result
	f.ExitCode, f.MainPID, f.Restarts, f.Run = s.ExitCode, s.MainPID, s.Restarts, s.InvocationID
	if f.Since.IsZero() {
		f.Since = s.Since
	}
}
