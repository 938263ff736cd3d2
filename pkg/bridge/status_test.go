package bridge

import "testing"

func TestJudge(t *testing.T) {
	for _, c := range []struct {
		name string
		f    UnitFacts
		want State
	}{
		{"starting", UnitFacts{Active: "activating", Sub: "start", StatusText: "starting: waiting for claude to register"},
			State{Starting, "", "waiting for claude to register"}},
		{"starting with a question", UnitFacts{Active: "activating", StatusText: "waiting: claude asks for trust", ScopeAlive: true},
			State{Starting, Waiting, "claude asks for trust"}},
		{"running", UnitFacts{Active: "active", StatusText: "ok: connected", ScopeAlive: true}, State{Running, OK, "connected"}},
		{"running while the keeper re-executes", UnitFacts{Active: "reloading", StatusText: "ok: connected", ScopeAlive: true}, State{Running, OK, "connected"}},
		{"reconnecting", UnitFacts{Active: "active", StatusText: "reconnecting: tries again", ScopeAlive: true}, State{Running, Reconnecting, "tries again"}},
		{"frozen from outside", UnitFacts{Scope: "clauster-bridge-x.scope", Active: "active", StatusText: "ok: connected", ScopeAlive: true, Frozen: true},
			State{Running, Frozen, "its scope is frozen: systemctl thaw clauster-bridge-x.scope"}},
		{"scope gone under an active keeper", UnitFacts{Active: "active", StatusText: "ok: connected"}, State{Crashed, "", "the bridge's scope is gone"}},
		{"keeper killed, waiting to be restarted", UnitFacts{Active: "activating", Sub: "auto-restart", StatusText: "ok: connected", ScopeAlive: true, Restarts: 1},
			State{Running, Reattaching, "the keeper is being started again over the living bridge"}},
		{"keeper killed, before the first restart is counted", UnitFacts{Active: "activating", Sub: "auto-restart", StatusText: "ok: connected", ScopeAlive: true},
			State{Running, Reattaching, "the keeper is being started again over the living bridge"}},
		{"keeper killed, its cleanup runs", UnitFacts{Active: "deactivating", Sub: "stop-post", StatusText: "ok: connected", ScopeAlive: true},
			State{Running, Reattaching, "the keeper is being started again over the living bridge"}},
		{"stopping", UnitFacts{Active: "deactivating", Sub: "stop-sigterm", StatusText: "ok: connected", Result: "success", ScopeAlive: true}, State{Stopped, "", "it is stopping"}},
		{"waiting out a delay", UnitFacts{Active: "activating", StatusText: "crashed: claude was killed by SIGKILL; starting again in 4s", Restarts: 3},
			State{Crashed, "", "claude was killed by SIGKILL; starting again in 4s"}},
		{"failed before ready", UnitFacts{Active: "failed", StatusText: "error: claude is not logged in", ExitCode: 77}, State{Failed, "", "claude is not logged in"}},
		{"gave up", UnitFacts{Active: "failed", ExitCode: ExitGaveUp, Result: "exit-code"}, State{Crashed, "", "the bridge crashed"}},
		{"failed without a word", UnitFacts{Active: "failed", ExitCode: -1, Result: "signal"}, State{Failed, "", `the unit failed with result "signal"`}},
		{"stopped", UnitFacts{Active: "inactive", StatusText: "stopped: stopped on request (exit status 0)"}, State{Stopped, "", "stopped on request (exit status 0)"}},
		{"unknown", UnitFacts{}, State{Status: Stopped}},
		{"orphan", UnitFacts{Active: "inactive", ScopeAlive: true}, State{Running, Wedged, "the bridge lives without its keeper (orphan): clauster-ctl keepers"}},
	} {
		if got := Judge(c.f); got != c.want {
			t.Errorf("%s:\n got %+v\nwant %+v", c.name, got, c.want)
		}
	}
}
