package fleet

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// launched leaves the record of a launch.
func launched(t *testing.T, o *Operator, i bridge.Instance, opt bridge.Options) {
	t.Helper()
	err := o.Place.Records.Write(bridge.Record{Schema: bridge.RecordSchema, Kind: bridge.KindBridge, Host: "h", Instance: i.String(), Options: opt,
		Label: "l", Path: "/home/op/projects/" + i.Project, Run: "r", BootID: "b", Created: day, Launched: day})
	if err != nil {
		t.Fatal(err)
	}
}

// A restart without choices once brought a bridge of mode plan up with the
// configuration's permissions, and one of mode pty as standard.
func TestRestartKeepsTheRecordedChoices(t *testing.T) {
	o, _, _ := testOperator(t)
	ctx, two := t.Context(), inst("two")
	was := bridge.Options{Mode: bridge.PTY, SpawnMode: bridge.Worktree, PermissionMode: bridge.PermPlan, Name: "Two", Capacity: 7, Prefix: "p", Verbose: true}
	for name, c := range map[string]struct{ asked, want func(*bridge.Request) }{
		"nothing": {func(*bridge.Request) {}, func(r *bridge.Request) { r.Options = was }},
		"some":    {func(r *bridge.Request) { r.PermissionMode, r.Name = bridge.PermDefault, "New" }, func(r *bridge.Request) { r.Options = was; r.PermissionMode, r.Name = bridge.PermDefault, "New" }},
		"resume":  {func(r *bridge.Request) { r.Resume = true }, func(r *bridge.Request) { r.Resume = true }},
	} {
		launched(t, o, two, was)
		r, want := ask("two"), ask("two")
		c.asked(&r)
		c.want(&want)
		if _, err := o.Restart(ctx, "x", two, r); err != nil {
			t.Fatal(err)
		}
		left, err := o.Place.Records.ReadRequest(two, time.Now())
		if err != nil || left == nil || left.Options != want.Options || left.Resume != want.Resume {
			t.Errorf("%s: %+v, %v", name, left, err)
		}
	}
	// Nobody asked for the spawn mode that mode pty has not got.
	launched(t, o, two, bridge.Options{Mode: bridge.Standard, SpawnMode: bridge.Session})
	pty := ask("two")
	pty.Mode = bridge.PTY
	if r, err := o.Place.Again(two, pty); err != nil || r.Validate() != nil || r.SpawnMode != "" {
		t.Errorf("from session to pty: %+v, %v", r, err)
	}
	// A fork settles the mode; standard beside it would be refused.
	launched(t, o, two, bridge.Options{Mode: bridge.Standard, SpawnMode: bridge.Session, PermissionMode: bridge.PermPlan})
	fork := ask("two")
	fork.Fork = "0b9c3a52-6d2e-4d0c-9f3e-5a1d7c1f2e34"
	if r, err := o.Place.Again(two, fork); err != nil || r.Validate() != nil || r.PermissionMode != bridge.PermPlan {
		t.Errorf("fork: %+v, %v", r, err)
	}
}

func TestRestartIsNeverLooser(t *testing.T) {
	o, m, _ := testOperator(t)
	ctx, two := t.Context(), inst("two")
	launched(t, o, two, bridge.Options{Mode: bridge.Standard, PermissionMode: bridge.PermBypass})
	if _, err := o.Restart(ctx, "x", two, ask("two")); kindOf(err) != wire.Forbidden {
		t.Errorf("a recorded bypass, forbidden since: %v", err)
	}
	record := filepath.Join(o.Place.Records.Path, "two.json")
	if err := os.WriteFile(record, []byte("{"), 0o640); err != nil {
		t.Fatal(err)
	}
	if _, err := o.Restart(ctx, "x", two, ask("two")); kindOf(err) != wire.Conflict || !strings.Contains(err.Error(), "with which choices") {
		t.Errorf("an unreadable record: %v", err)
	}
	if len(m.jobs) > 0 {
		t.Errorf("jobs before the refusal: %v", m.jobs)
	}
	chosen := ask("two")
	chosen.PermissionMode = bridge.PermPlan
	if _, err := o.Restart(ctx, "x", two, chosen); err != nil {
		t.Errorf("an unreadable record and a chosen permission mode: %v", err)
	}
}

func TestForgetSaysWhoAsked(t *testing.T) {
	o, m, heard := testOperator(t)
	two := inst("two")
	launched(t, o, two, bridge.Options{})
	m.services[two.Unit()] = systemd.ServiceProperties{ActiveState: "failed", SubState: "failed"}
	if err := o.Forget(t.Context(), "token:ci", two); err != nil || len(m.reset) != 1 {
		t.Fatal(err, m.reset)
	}
	for _, want := range []string{"forget of two requested by token:ci", "CLAUSTER_VERB=forget", "CLAUSTER_ACTOR_LOGIN=token:ci"} {
		if !strings.Contains(heard(), want) {
			t.Errorf("the journal heard nothing of %s", want)
		}
	}
}
