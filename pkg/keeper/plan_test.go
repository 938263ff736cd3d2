package keeper

import (
	"errors"
	"slices"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/config"
)

func basicWish() wish {
	return wish{Instance: bridge.Instance{Project: "blog", Label: "two"}, Run: "0123456789abcdef", Host: "h", BootID: "b", Now: time.Unix(1, 0).UTC(),
		Launch: bridge.Standard, Defaults: config.InstanceDefaults{SpawnMode: bridge.SameDir, PermissionMode: bridge.PermDefault, Capacity: 32}}
}

func recorded(mode bridge.Mode) *bridge.Record {
	return &bridge.Record{Options: bridge.Options{Mode: mode, SpawnMode: bridge.Worktree, PermissionMode: bridge.PermPlan, Name: "old", Capacity: 3},
		Worktree: "clauster-11111111", Created: time.Unix(0, 0).UTC()}
}

func TestPlan(t *testing.T) {
	resume := &bridge.Request{Resume: true}
	for _, c := range []struct {
		name  string
		wish  func(*wish)
		check func(bridge.Record) bool
	}{
		{"a manual start takes the configuration", func(w *wish) {}, func(r bridge.Record) bool {
			return r.Mode == bridge.Standard && r.SpawnMode == bridge.SameDir && r.Capacity == 32 && r.Label == "two" && !r.Continue
		}},
		{"a manual start is fresh whatever was recorded", func(w *wish) { w.Record = recorded(bridge.PTY) }, func(r bridge.Record) bool {
			return r.Mode == bridge.Standard && !r.Continue && r.Created.Equal(time.Unix(0, 0))
		}},
		{"a request wins over the configuration", func(w *wish) {
			w.Request = &bridge.Request{Options: bridge.Options{Mode: bridge.PTY, Name: "mine", PermissionMode: bridge.PermAcceptEdits}}
		}, func(r bridge.Record) bool {
			return r.Mode == bridge.PTY && r.Label == "mine" && r.PermissionMode == bridge.PermAcceptEdits
		}},
		{"a resume honours the recorded mode", func(w *wish) { w.Record, w.Request = recorded(bridge.PTY), resume }, func(r bridge.Record) bool {
			return r.Mode == bridge.PTY && r.Continue && r.Worktree == "clauster-11111111" && r.PermissionMode == bridge.PermPlan && r.Label == "old"
		}},
		{"an automatic restart continues", func(w *wish) { w.Kind, w.Record = automatic, recorded(bridge.PTY) }, func(r bridge.Record) bool {
			return r.Continue && r.Worktree == "clauster-11111111"
		}},
		{"a boot continues", func(w *wish) { w.Kind, w.Record = boot, recorded(bridge.Standard) }, func(r bridge.Record) bool {
			return r.Continue && r.Mode == bridge.Standard && r.Worktree == ""
		}},
		{"a failed resume is followed by a fresh start in a new worktree", func(w *wish) { w.Kind, w.Record, w.Fresh = automatic, recorded(bridge.PTY), true }, func(r bridge.Record) bool {
			return !r.Continue && r.Mode == bridge.PTY && r.Worktree == "clauster-01234567"
		}},
		{"mode pty takes no default it has not got", func(w *wish) {
			w.Launch = bridge.PTY
			w.Defaults = config.InstanceDefaults{SpawnMode: bridge.Session, Capacity: 5, SessionNamePrefix: "x", Verbose: true}
		}, func(r bridge.Record) bool {
			return r.Mode == bridge.PTY && r.SpawnMode == bridge.SameDir && r.Capacity == 0 && r.Prefix == "" && !r.Verbose
		}},
		{"an old record of mode pty and spawn mode session", func(w *wish) {
			w.Kind, w.Record = automatic, recorded(bridge.PTY)
			w.Record.SpawnMode = bridge.Session
		}, func(r bridge.Record) bool { return r.SpawnMode == bridge.SameDir && r.Continue }},
		{"a fork is of the flag form and no continuation", func(w *wish) {
			w.Request = &bridge.Request{Fork: "0b6f0f0e-1c1d-4a61-9f3c-0123456789ab"}
		}, func(r bridge.Record) bool {
			return r.Mode == bridge.PTY && r.Resumed != "" && !r.Continue
		}},
	} {
		w := basicWish()
		c.wish(&w)
		r, cause := plan(w)
		if cause != nil || !c.check(r) {
			t.Errorf("%s: %+v, %v", c.name, r, cause)
		}
	}
}

func TestPlanRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		wish  func(*wish)
		cause string
	}{
		"bypass above the ceiling": {func(w *wish) { w.Defaults.PermissionMode = bridge.PermBypass }, "bypass-refused"},
		"a recorded bypass, the ceiling lowered since": {func(w *wish) {
			w.Kind, w.Record = automatic, recorded(bridge.PTY)
			w.Record.PermissionMode = bridge.PermBypass
		}, "bypass-refused"},
		"nothing to resume": {func(w *wish) { w.Request = &bridge.Request{Resume: true} }, "nothing-to-resume"},
		"session for pty": {func(w *wish) {
			w.Request = &bridge.Request{Options: bridge.Options{Mode: bridge.PTY, SpawnMode: bridge.Session}}
		}, "bad-options"},
		"session where launch_mode is pty": {func(w *wish) {
			w.Launch, w.Request = bridge.PTY, &bridge.Request{Options: bridge.Options{SpawnMode: bridge.Session}}
		}, "bad-options"},
		"a bad option": {func(w *wish) { w.Request = &bridge.Request{Options: bridge.Options{Name: "--print"}} }, "bad-options"},
	} {
		w := basicWish()
		c.wish(&w)
		if _, cause := plan(w); cause == nil || cause.Name != c.cause {
			t.Errorf("%s: %v", name, cause)
		}
	}
	w := basicWish()
	w.Defaults.PermissionMode, w.Ceiling = bridge.PermBypass, true
	if _, cause := plan(w); cause != nil {
		t.Errorf("bypass below the ceiling: %v", cause)
	}
}

// What mode pty has not got is said; a default of the configuration is not.
func TestNeedless(t *testing.T) {
	w := basicWish()
	w.Defaults.Verbose = true
	if got := needless(w, bridge.PTY); got != nil {
		t.Errorf("a default: %q", got)
	}
	w.Request = &bridge.Request{Options: bridge.Options{Capacity: 3, Prefix: "x", Verbose: true}}
	if got := needless(w, bridge.PTY); !slices.Equal(got, []string{"capacity", "session_name_prefix", "verbose"}) {
		t.Errorf("%q", got)
	}
	if got := needless(w, bridge.Standard); got != nil {
		t.Errorf("standard: %q", got)
	}
	w.Record = &bridge.Record{Options: w.Request.Options}
	if got := needless(w, bridge.PTY); got != nil {
		t.Errorf("a restart of what an older keeper recorded: %q", got)
	}
}

// The hint is typed as it stands, for the manager that the keeper belongs to.
func TestBypassHint(t *testing.T) {
	for user, want := range map[bool]string{
		false: `choose another mode, or allow it: echo 'projects."blog".allow_bypass_permissions = true' | sudo install -D -m 0640 -g clauster /dev/stdin /etc/clauster/clauster.toml.d/bypass-blog.toml`,
		true:  `choose another mode, or allow it: echo 'projects."blog".allow_bypass_permissions = true' | install -D -m 0600 /dev/stdin /home/op/.config/clauster/clauster.toml.d/bypass-blog.toml`,
	} {
		w := basicWish()
		w.Defaults.PermissionMode, w.User, w.Config = bridge.PermBypass, user, "/etc/clauster/clauster.toml"
		if user {
			w.Config = "/home/op/.config/clauster/clauster.toml"
		}
		if _, cause := plan(w); cause == nil || cause.Hint != want {
			t.Errorf("%+v", cause)
		}
	}
}

// A record that cannot be read is not one that is not there.
func TestResumeOfABrokenRecord(t *testing.T) {
	w := basicWish()
	w.Request, w.Unreadable = &bridge.Request{Resume: true}, errors.New("cannot use the launch record /x/blog:two.json: unexpected end")
	if _, cause := plan(w); cause == nil || cause.Reason != "cannot use the launch record /x/blog:two.json: unexpected end, so nothing can be resumed" {
		t.Errorf("%+v", cause)
	}
}
