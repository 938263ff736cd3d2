package fleet

import (
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
)

// A start that a fault of the configuration refused was shown with the reason
// of now and the run of an earlier life.
func TestFailedStartHasItsOwnRun(t *testing.T) {
	record := &bridge.Record{Instance: "blog", Run: "old", Launched: day}
	failed := systemd.ServiceProperties{ActiveState: "failed", SubState: "failed", InvocationID: "new", StatusText: "error: x", ExitCode: 78}
	for name, c := range map[string]struct {
		last *Last
		want string
	}{
		"refused before a record":         {&Last{Event: bridge.EventError, Run: "new", At: day.Add(time.Hour)}, "new"},
		"ended under its second keeper":   {&Last{Event: bridge.EventCrash, Run: "old", At: day.Add(time.Hour)}, "old"},
		"an event of an earlier life":     {&Last{Event: bridge.EventStop, Run: "older", At: day.Add(-time.Hour)}, "old"},
		"its end has not been heard of":   {&Last{Event: bridge.EventReady, Run: "new", At: day.Add(time.Hour)}, "old"},
		"the journal is closed or silent": {nil, "old"},
	} {
		tab, _ := testTable(t, nil)
		r := &row{name: inst("blog"), service: failed, loaded: true, record: record, last: c.last}
		tab.rows[r.name] = r
		tab.show(r)
		if r.shown.Run != c.want {
			t.Errorf("%s: run %q, want %q", name, r.shown.Run, c.want)
		}
	}
	w := &World{Records: map[bridge.Instance]bridge.Record{inst("blog"): *record, inst("same"): {Run: "new"}}}
	facts := map[bridge.Instance]bridge.UnitFacts{
		inst("blog"): {Loaded: true, Active: "failed", Run: "new"}, inst("same"): {Loaded: true, Active: "failed", Run: "new"},
		inst("none"): {Loaded: true, Active: "failed", Run: "new"}, inst("live"): {Loaded: true, Active: "active", Run: "new"},
	}
	if got := w.doubtful(facts); len(got) != 1 || got[0] != inst("blog") {
		t.Errorf("%v", got)
	}
}
