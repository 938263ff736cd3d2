package fleet

import (
	"context"

	"clauster/pkg/bridge"
	"clauster/pkg/terminal"
)

// doubtful reports whether a failed service may speak of another run than the
// recorded one. Both happen: a keeper that took a bridge over has an invocation
// of its own and tells of the recorded run's end, and a start that was refused
// before it wrote a record has a run of its own. Only the event of the end knows.
func doubtful(f bridge.UnitFacts, r *bridge.Record) bool {
	return r != nil && f.Loaded && f.Active == "failed" && !f.ScopeAlive && f.Run != "" && f.Run != r.Run
}

// takeRun takes the run from the last event where that ended later than the
// recorded launch.
func (b *Bridge) takeRun(l Last, r *bridge.Record) {
	if l.Event.Ends() && l.Run != "" && !l.At.Before(r.Launched) {
		b.Run = terminal.Clean(l.Run)
	}
}

// tellRuns gives the doubtful the run of their last event. Without a journal
// they keep the recorded one.
func (w *World) tellRuns(ctx context.Context, views []Bridge, facts map[bridge.Instance]bridge.UnitFacts) {
	if asked := w.doubtful(facts); len(asked) > 0 {
		ctx, cancel := context.WithTimeout(ctx, lastPatience)
		defer cancel()
		last, _ := LastInJournal(ctx, w.Place.Origin, asked)
		for n := range views {
			if l, ok := last[views[n].Name]; ok {
				r := w.Records[views[n].Name]
				views[n].takeRun(l, &r)
			}
		}
	}
}

func (w *World) doubtful(facts map[bridge.Instance]bridge.UnitFacts) []bridge.Instance {
	var all []bridge.Instance
	for i, f := range facts {
		if r, ok := w.Records[i]; ok && doubtful(f, &r) {
			all = append(all, i)
		}
	}
	return all
}
