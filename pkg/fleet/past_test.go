package fleet

import (
	"context"
	"errors"
	"testing"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"
)

// The journal is asked about those alone whose end the store does not know.
func TestLastOr(t *testing.T) {
	store := LastInStore(func(context.Context, []string) (map[string]wire.Event, error) {
		return map[string]wire.Event{
			"a": {Kind: "stop", At: wire.Time{Time: day}, Fields: map[string]string{"reason": "asked", "hint": "h", "verdict": "v"}},
			"b": {Kind: "ready", At: wire.Time{Time: day}},
			"c": {Kind: "ready", At: wire.Time{Time: day}},
		}, nil
	})
	asked := 0
	journal := func(_ context.Context, open []bridge.Instance) (map[bridge.Instance]Last, error) {
		asked = len(open)
		return map[bridge.Instance]Last{inst("b"): {Event: bridge.EventCrash, At: day.Add(1)}, inst("c"): {Event: bridge.EventSpawn, At: day.Add(-1)}}, errors.New("half")
	}
	last, err := LastOr(store, journal)(t.Context(), []bridge.Instance{inst("a"), inst("b"), inst("c"), inst("d")})
	if asked != 3 || err == nil {
		t.Errorf("%d asked, %v", asked, err)
	}
	if last[inst("a")] != (Last{Event: bridge.EventStop, At: day, Reason: "asked", Hint: "h", Verdict: "v"}) ||
		last[inst("b")].Event != bridge.EventCrash || last[inst("c")].Event != bridge.EventReady || len(last) != 3 {
		t.Errorf("%+v", last)
	}
}

// The store does not keep the kernel's boot: the record of the same run has it.
func TestEndsWithoutAnEnd(t *testing.T) {
	now := boot{id: "b-2"}
	for name, tc := range map[string]struct {
		record *bridge.Record
		last   *Last
		reason string
		status bridge.Status
	}{
		"nothing known":        {nil, nil, "", ""},
		"killed":               {&bridge.Record{Run: "r", BootID: "b2"}, &Last{Event: bridge.EventReady, Run: "r", At: day}, "its keeper ended without saying why", bridge.Crashed},
		"power cut":            {&bridge.Record{Run: "r", BootID: "b1"}, &Last{Event: bridge.EventReady, Run: "r", At: day}, "it was running when the machine went down", bridge.Crashed},
		"soon after launch":    {&bridge.Record{Run: "r2", BootID: "b1", Launched: day.Add(1)}, &Last{Event: bridge.EventStop, Run: "r", At: day}, "the machine went down soon after it was launched, before the journal was on the disk", bridge.Crashed},
		"no journal, rebooted": {&bridge.Record{Run: "r", BootID: "b1"}, nil, "it was launched before the machine went down, and the journal does not tell how it ended", ""},
		"no journal":           {&bridge.Record{Run: "r", BootID: "b2"}, nil, "the journal does not tell how it ended", ""},
	} {
		var b Bridge
		b.tellPast(tc.record, tc.last, now)
		if b.Reason != tc.reason || b.Status != tc.status {
			t.Errorf("%s: %q %q", name, b.Status, b.Reason)
		}
	}
}
