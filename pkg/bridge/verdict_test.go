package bridge

import (
	"strings"
	"testing"
	"time"
)

func exited(code int) Exit    { return Exit{Known: true, Code: code} }
func killed(name string) Exit { return Exit{Known: true, Code: -1, Signal: name} }

func TestDecide(t *testing.T) {
	login := Cause{Name: "logged-out", Class: ClassPermanent, Reason: "claude is not logged in"}
	network := Cause{Name: "network", Class: ClassTemporary, Reason: "gave up"}
	config := Cause{Name: "binary-missing", Class: ClassConfig, Reason: "no claude"}
	for _, c := range []struct {
		name   string
		e      End
		event  Event
		status Status
		code   int
		word   string
	}{
		{"asked", End{Asked: true, Ready: true, Exit: exited(0)}, EventStop, Stopped, 0, "asked"},
		{"asked, needed SIGKILL", End{Asked: true, Ready: true, Exit: killed("SIGKILL")}, EventStop, Stopped, 0, "asked"},
		{"exit 0 unasked", End{Ready: true, Exit: exited(0)}, EventCrash, Crashed, 70, "exit"},
		{"exit 0 of a single session", End{Ready: true, Exit: exited(0), Spawn: Session}, EventStop, Stopped, 0, "session-ended"},
		{"exit 0 of a pty bridge, which has no single session", End{Ready: true, Exit: exited(0), Mode: PTY, Spawn: Session}, EventCrash, Crashed, 70, "exit"},
		{"exit 1 of a single session", End{Ready: true, Exit: exited(1), Spawn: Session}, EventCrash, Crashed, 70, "exit"},
		{"exit 0 by a person", End{Ready: true, Exit: exited(0), ByPerson: true}, EventStop, Stopped, 0, "ended-by-person"},
		{"exit 139", End{Ready: true, Exit: exited(139)}, EventCrash, Crashed, 70, "exit"},
		{"killed", End{Ready: true, Exit: killed("SIGKILL")}, EventCrash, Crashed, 70, "signal"},
		{"oom", End{Ready: true, Exit: Exit{Known: true, Code: -1, Signal: "SIGKILL", OOM: 2}}, EventCrash, Crashed, 70, "oom"},
		{"a child was OOM-killed long ago", End{Ready: true, Exit: Exit{Known: true, Code: 1, OOM: 1}}, EventCrash, Crashed, 70, "exit"},
		{"unknown", End{Ready: true}, EventCrash, Crashed, 70, "unknown"},
		{"never restart", End{Ready: true, Exit: exited(1), Policy: RestartNever}, EventCrash, Crashed, 76, "exit"},
		{"budget spent", End{Ready: true, Exit: exited(1), BudgetOut: true}, EventCrash, Crashed, 76, "exit"},
		{"network ends never in a failed unit", End{Ready: true, Exit: exited(1), BudgetOut: true, Cause: network}, EventCrash, Crashed, 70, "network"},
		{"login lost while running", End{Ready: true, Exit: exited(1), Cause: login}, EventCrash, Crashed, 76, "logged-out"},
		{"login before ready", End{Exit: exited(1), Cause: login}, EventError, Failed, 77, "logged-out"},
		{"network before ready", End{Exit: exited(1), Cause: network}, EventError, Failed, 75, "network"},
		{"no binary", End{Cause: config}, EventError, Failed, 78, "binary-missing"},
		{"exit 0 before ready", End{Exit: exited(0)}, EventError, Failed, 69, "exit"},
		{"never ready", End{Exit: exited(0), Held: true, Waited: time.Minute}, EventError, Failed, 69, "not-ready"},
		{"never ready, unattended", End{Exit: exited(0), Held: true, Unattended: true, BudgetOut: true}, EventError, Failed, 75, "not-ready"},
		{"never ready, unattended, never restart", End{Exit: exited(0), Held: true, Unattended: true, Policy: RestartNever}, EventError, Failed, 69, "not-ready"},
		{"killed before ready, unattended", End{Exit: killed("SIGKILL"), Unattended: true}, EventError, Failed, 75, "signal"},
		{"exit 1 before ready, unattended, too often", End{Exit: exited(1), Unattended: true, BudgetOut: true}, EventError, Failed, 69, "exit"},
		{"stopped by a signal before ready", End{Exit: killed("SIGKILL"), Held: true, Cause: Cause{Name: "frozen", Reason: "stopped"}}, EventError, Failed, 69, "frozen"},
		{"stopped while starting", End{Asked: true, Exit: exited(0)}, EventStop, Stopped, 0, "asked"},
	} {
		v := Decide(c.e)
		if v.Event != c.event || v.Status != c.status || v.ExitCode != c.code || v.Word != c.word || v.Reason == "" {
			t.Errorf("%s: %+v", c.name, v)
		}
		if want := c.code == 70 || c.code == 75; v.Restarts() != want {
			t.Errorf("%s: Restarts() = %v", c.name, v.Restarts())
		}
	}
}

func TestOOMSaysWhoseLimitItWas(t *testing.T) {
	at := Memory{Peak: 64 << 20, Max: 64 << 20, AtLimit: true}
	for _, c := range []struct {
		name, reason, hint string
		exit               Exit
	}{
		{"own limit", "the kernel killed it at its memory limit of 64 MiB (1 OOM kill)", "memory_max",
			Exit{Known: true, Code: -1, Signal: "SIGKILL", OOM: 1, Memory: at}},
		{"the machine", "the kernel killed it because the machine, or the slice above it, ran out of memory (2 OOM kills)", "journalctl -k",
			Exit{Known: true, Code: -1, Signal: "SIGKILL", OOM: 2, Memory: Memory{Peak: 1 << 30}}},
		{"the reaper too", "the kernel killed it at its memory limit of 64 MiB (2 OOM kills)", "memory_max", Exit{OOM: 2, Memory: at}},
		{"a child", "claude ended with exit status 1; the kernel had killed processes of it at its memory limit of 64 MiB (3 OOM kills)", "",
			Exit{Known: true, Code: 1, OOM: 3, Memory: at}},
	} {
		v := Decide(End{Ready: true, Exit: c.exit})
		if v.Reason != c.reason || !strings.Contains(v.Hint, c.hint) || c.hint == "" && v.Hint != "" {
			t.Errorf("%s: %q, hint %q", c.name, v.Reason, v.Hint)
		}
	}
}

func TestEveryEventHasItsMessageID(t *testing.T) {
	seen := map[string]Event{}
	for _, e := range Events() {
		id := e.MessageID()
		if len(id) != 32 || seen[id] != "" {
			t.Errorf("%s: MESSAGE_ID %q", e, id)
		}
		seen[id] = e
	}
}

// The instance stands in the verdict's own hints; a cause's hint is not touched.
func TestHintsNameTheInstance(t *testing.T) {
	i := Instance{Project: "blog"}
	config := Cause{Name: "bad-config", Class: ClassConfig, Reason: "x", Hint: "unset CLAUSTER_INSTANCE_DEFAULTS_CAPACITY"}
	for want, e := range map[string]End{
		`restart = "never" keeps it down: clauster-ctl start --resume blog`: {Instance: i, Ready: true, Exit: exited(1), Policy: RestartNever},
		"find the cause, then: clauster-ctl start --resume blog":            {Instance: i, Ready: true, Exit: exited(1), BudgetOut: true},
		"look at what it said: clauster-ctl logs blog":                      {Instance: i, Held: true, Exit: exited(0)},
		config.Hint: {Instance: i, Cause: config},
	} {
		if v := Decide(e); v.Hint != want {
			t.Errorf("%q, want %q", v.Hint, want)
		}
	}
}
