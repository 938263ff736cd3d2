package e2e

import (
	"strconv"
	"strings"
	"testing"
	"time"
)

// stopBound is the documented time of systemctl stop (docs/failures.md): 8 s
// after SIGINT, 4 s after SIGTERM, 2 s after SIGKILL, and systemd's own.
const stopBound = 15 * time.Second

// The stop ladder: whatever a bridge does with SIGINT and SIGTERM, and whatever
// it leaves behind, systemctl stop returns within its time and nothing is left.
func TestStopLadder(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		keys      string
		least     time.Duration // it cannot be faster
		most      time.Duration // it must not be slower, on a busy machine
		signals   string        // that claude got, by its own record
		reason    string
		form      string
		processes int // at least
	}{
		{keys: "ready", most: 4 * time.Second, signals: "SIGINT", reason: "exit status 0", processes: 2},
		{keys: "ready", form: "pty", most: 4 * time.Second, signals: "SIGINT", reason: "exit status 0", processes: 2},
		{keys: "sigint-needs-two", form: "pty", least: 400 * time.Millisecond, most: 5 * time.Second, signals: "SIGINT SIGINT", reason: "exit status 0", processes: 2},
		{keys: "hang-on-sigint", least: 8 * time.Second, most: 11 * time.Second, signals: "SIGINT SIGTERM", reason: "exit status 0", processes: 2},
		{keys: "hang-on-sigterm", least: 12 * time.Second, most: stopBound, signals: "SIGINT SIGTERM", reason: "signal SIGKILL", processes: 2},
		{keys: "hang-on-all", form: "pty", least: 12 * time.Second, most: stopBound, signals: "SIGINT SIGINT SIGTERM", reason: "signal SIGKILL", processes: 2},
		{keys: "exits-after=40", least: 2 * time.Second, most: 6 * time.Second, signals: "SIGINT", reason: "exit status 0", processes: 2},
		{keys: "stopped", most: 5 * time.Second, signals: "SIGINT", reason: "exit status 0", processes: 2},
		{keys: "fork-children=3:outlive:setsid", most: 5 * time.Second, signals: "SIGINT", reason: "exit status 0", processes: 5},
		{keys: "fork-children=3:daemon", most: 5 * time.Second, signals: "SIGINT", reason: "exit status 0", processes: 5},
		{keys: "fork-children=3:outlive:ignore-term", most: 5 * time.Second, signals: "SIGINT", reason: "exit status 0", processes: 5},
		{keys: "fork-children=3:outlive:stop", most: 5 * time.Second, signals: "SIGINT", reason: "exit status 0", processes: 5},
		{keys: "fork-children=2:outlive:hold-stdout", form: "pty", most: 5 * time.Second, signals: "SIGINT", reason: "exit status 0", processes: 4},
	} {
		key, value, _ := strings.Cut(c.keys, "=")
		name := "ladder-" + strings.NewReplacer("=", "-", ":", "-").Replace(c.keys) + c.form
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := onShared(t)
			record := "/home/op/projects/" + name + "/record"
			b.newProject(name, map[string]string{key: value, "record": record})
			b.MustRun("clauster-ctl", "start", "--mode", orStandard(c.form), name)
			b.MustWaitFor("the processes of "+name, settle, func() bool { return len(b.bridgePIDs(name)) >= c.processes })
			pids := b.bridgePIDs(name)

			begun := time.Now()
			b.stop(name)
			took := time.Since(begun)
			if took < c.least || took > c.most {
				t.Errorf("stopped in %s, want %s to %s", took.Round(time.Millisecond), c.least, c.most)
			}
			b.nothingOf(name, pids)
			if got := b.signalsOf(record); got != c.signals {
				t.Errorf("claude got %s, want %s", got, c.signals)
			}
			b.said(b.waitEnd(name), map[string]string{"CLAUSTER_EVENT": "stop", "CLAUSTER_VERDICT": "asked",
				"CLAUSTER_REASON": "stopped on request (" + c.reason + ")"})
		})
	}
}

// A frozen scope takes no signal at all, SIGKILL apart; its freezer must not
// keep it from being emptied.
func TestStopFrozen(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.newProject("ladder-frozen", map[string]string{"fork-children": "2:outlive"})
	b.shortWatchdog("ladder-frozen") // the freezer is looked at with it
	b.mustStart("ladder-frozen")
	b.MustWaitFor("the children", settle, func() bool { return len(b.bridgePIDs("ladder-frozen")) >= 4 })
	pids := b.bridgePIDs("ladder-frozen")
	b.MustRun("systemctl", "freeze", "clauster-bridge-ladder-frozen.scope")
	b.MustWaitFor("the health frozen", settle, func() bool { return b.status("ladder-frozen").Health == "frozen" })
	begun := time.Now()
	b.stop("ladder-frozen")
	if took := time.Since(begun); took > stopBound {
		t.Errorf("stopped in %s, want at most %s", took, stopBound)
	}
	b.nothingOf("ladder-frozen", pids)
}

// A stop that comes in the moment between two keepers finds no process of the
// service to stop, and returns at once. systemd itself then ends the scope,
// which is part of the service: SIGTERM, and SIGKILL after 10 s.
func TestStopWithoutKeeper(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "ladder-blind"
	b.newProject(name, map[string]string{"hang-on-all": "yes", "fork-children": "2:daemon"})
	b.dropIn(name, "RestartSec=20\n")
	b.mustStart(name)
	pids := b.bridgePIDs(name)
	b.MustSh(`kill -KILL "$1"`, strconv.Itoa(b.keeperPID(name)))
	b.MustWaitFor("a dead keeper", settle, func() bool { return b.MustShow("clauster@"+name+".service", "SubState") == "auto-restart" })
	begun := time.Now()
	b.stop(name)
	if took := time.Since(begun); took > stopBound {
		t.Errorf("stopped in %s, want at most %s", took, stopBound)
	}
	b.MustWaitUnit("clauster-bridge-"+name+".scope", "inactive", stopBound)
	b.nothingOf(name, pids)
}

// nothingOf fails the test if a process of a bridge is there after its stop.
func (b *bed) nothingOf(instance string, pids []string) {
	b.t.Helper()
	if got := b.MustShow("clauster-bridge-"+instance+".scope", "ActiveState"); got != "inactive" {
		b.t.Errorf("the scope of %s is %s after stop returned", instance, got)
	}
	for _, pid := range pids {
		if r := b.result("test", "-e", "/proc/"+pid); r.Code == 0 {
			b.t.Errorf("process %s of %s outlived systemctl stop: %s", pid, instance,
				b.MustSh(`tr '\0' ' ' <"/proc/$1/cmdline"; grep State "/proc/$1/status"`, pid))
		}
	}
}

func orStandard(form string) string {
	if form == "" {
		return "standard"
	}
	return form
}

// signalsOf lists the stop signals in a stand-in's record.
func (b *bed) signalsOf(record string) string {
	b.t.Helper()
	var signals []string
	for line := range strings.Lines(b.MustReadFile(record)) {
		if _, after, ok := strings.Cut(line, `"event":"signal","signal":"`); ok {
			signal, _, _ := strings.Cut(after, `"`)
			if signal != "SIGCONT" && signal != "SIGWINCH" {
				signals = append(signals, signal)
			}
		}
	}
	return strings.Join(signals, " ")
}

// argvOf is the command line of an instance's claude.
func (b *bed) argvOf(instance string) string {
	b.t.Helper()
	script := `tr '\0' ' ' <"/proc/$1/cmdline"`
	return strings.TrimSpace(b.MustSh(script, strconv.Itoa(b.status(instance).PID)))
}
