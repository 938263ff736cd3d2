package keeper

import (
	"testing"

	"clauster/pkg/bridge"
)

// A --resume that cannot resume once exited 1, and two seconds later a fresh
// conversation ran that nobody had asked for.
func TestFallbackIsForTheUnattended(t *testing.T) {
	exit := bridge.Exit{Known: true, Code: 1}
	for name, c := range map[string]struct {
		r    run
		want bool
	}{
		"by hand":                {run{Record: bridge.Record{Continue: true}}, false},
		"after a crash, at boot": {run{Record: bridge.Record{Continue: true}, Unattended: true}, true},
		"a fresh start":          {run{Unattended: true}, false},
	} {
		v := bridge.Decide(bridge.End{Exit: exit, Unattended: c.r.Unattended, Cause: bridge.Cause{Name: "nothing-to-resume", Reason: "x"}})
		if got := c.r.fallsBack(v, exit); got != c.want {
			t.Errorf("%s: %v", name, got)
		}
		if !c.r.Unattended && v.Restarts() {
			t.Errorf("%s: it is started again (%d)", name, v.ExitCode)
		}
	}
}
