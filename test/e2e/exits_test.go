package e2e

import (
	"fmt"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"clauster/test/machine"
)

// waitEnd waits for the event that ends an instance's first run.
func (b *bed) waitEnd(instance string) machine.Entry {
	b.t.Helper()
	var end machine.Entry
	b.MustWaitFor("the end of "+instance, settle, func() bool {
		for _, e := range b.MustJournal("CLAUSTER_INSTANCE="+instance, "CLAUSTER_EVENT=stop", "CLAUSTER_EVENT=crash", "CLAUSTER_EVENT=error") {
			end = e
			return true
		}
		return false
	})
	return end
}

// said compares fields of an event.
func (b *bed) said(e machine.Entry, want map[string]string) {
	b.t.Helper()
	for field, value := range want {
		if got := e.Get(field); got != value {
			b.t.Errorf("%s: %s=%q, want %q (%s)", e.Get("CLAUSTER_INSTANCE"), field, got, value, e.Get("MESSAGE"))
		}
	}
}

// A bridge that ends while no keeper looks is judged by the next one as if it
// had looked: the exit status is in the reaper's report, the last words in the
// terminal and in the debug file.
func TestEndsWithoutKeeper(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		keys map[string]string
		kill syscall.Signal // of claude, 0 where it ends by itself
		want map[string]string
	}{
		{"exit-blind-kill", nil, syscall.SIGKILL, map[string]string{"CLAUSTER_EVENT": "crash", "CLAUSTER_EXIT_SIGNAL": "SIGKILL", "CLAUSTER_VERDICT": "signal"}},
		{"exit-blind-segv", map[string]string{"crash-after": "2:signal=11", "scale": "1"}, 0,
			map[string]string{"CLAUSTER_EVENT": "crash", "CLAUSTER_EXIT_SIGNAL": "SIGSEGV", "CLAUSTER_VERDICT": "signal"}},
		// A clean shutdown that nobody of ours asked for is a crash all the same.
		{"exit-blind-term", nil, syscall.SIGTERM, map[string]string{"CLAUSTER_EVENT": "crash", "CLAUSTER_EXIT_CODE": "0", "CLAUSTER_VERDICT": "exit"}},
		{"exit-blind-code", map[string]string{"crash-after": "2:42", "scale": "1"}, 0,
			map[string]string{"CLAUSTER_EVENT": "crash", "CLAUSTER_EXIT_CODE": "42", "CLAUSTER_VERDICT": "exit"}},
		{"exit-blind-login", map[string]string{"poll-fatal-401": "yes", "scale": "2"}, 0,
			map[string]string{"CLAUSTER_EVENT": "crash", "CLAUSTER_EXIT_CODE": "1", "CLAUSTER_VERDICT": "poll-refused-401"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := onShared(t)
			b.newProject(c.name, c.keys)
			b.dropIn(c.name, "RestartSec=6\n") // long enough for the end
			b.mustStart(c.name)
			pid := b.status(c.name).PID
			b.MustKill(b.keeperPID(c.name), syscall.SIGKILL)
			b.MustWaitFor("a dead keeper", settle, func() bool { return b.MustShow("clauster@"+c.name+".service", "SubState") == "auto-restart" })
			if c.kill != 0 {
				b.MustKill(pid, c.kill)
			}
			b.MustWaitFor("the end of claude", settle, func() bool {
				r, err := b.Run("test", "-e", "/proc/"+strconv.Itoa(pid))
				return err == nil && r.Code != 0
			})
			if got := b.MustShow("clauster@"+c.name+".service", "SubState"); got != "auto-restart" {
				t.Fatalf("a keeper was there again before the bridge had ended: %s", got)
			}
			b.said(b.waitEnd(c.name), c.want)
			if events := b.eventNames(c.name); !strings.HasPrefix(events, "spawn ready crash") {
				t.Errorf("events %s", events)
			}
		})
	}
}

// Keeper and bridge killed by one blow: the reaper's report is still there.
func TestKeeperAndBridgeKilledTogether(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	for _, mode := range []string{"standard", "pty"} {
		name := "exit-both-" + mode
		b.newProject(name, nil)
		b.MustRun("clauster-ctl", "start", "--mode", mode, name)
		b.MustRun("kill", "-KILL", strconv.Itoa(b.keeperPID(name)), strconv.Itoa(b.status(name).PID))
		b.said(b.waitEnd(name), map[string]string{"CLAUSTER_EVENT": "crash", "CLAUSTER_EXIT_SIGNAL": "SIGKILL", "CLAUSTER_VERDICT": "signal"})
		b.MustWaitFor("the next bridge", settle, func() bool { return b.status(name).Status == "running" })
		b.stop(name)

		name = "exit-both-early-" + mode
		b.newProject(name, map[string]string{"never-ready": "yes"})
		b.MustRun("clauster-ctl", "start", "--no-wait", "--mode", mode, name)
		b.MustWaitFor("the spawn of "+name, settle, func() bool { return b.countEvents(name, "spawn") == 1 && b.status(name).PID != 0 })
		b.MustRun("kill", "-KILL", strconv.Itoa(b.keeperPID(name)), strconv.Itoa(b.status(name).PID))
		b.said(b.waitEnd(name), map[string]string{"CLAUSTER_EVENT": "error", "CLAUSTER_EXIT_SIGNAL": "SIGKILL", "CLAUSTER_VERDICT": "signal"})
	}
}

// The reaper killed too, with or without the keeper: nothing can know the exit
// status, and the verdict says so and by which evidence it was made.
func TestNobodyKnowsTheExit(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const killAll = `echo 1 >"/sys/fs/cgroup$(systemctl show -P ControlGroup "clauster-bridge-$1.scope")/cgroup.kill"`
	for _, c := range []struct{ name, script string }{
		{"exit-unknown", killAll},
		{"exit-unknown-too", `kill -KILL "$(systemctl show -P MainPID "clauster@$1.service")"; ` + killAll},
	} {
		b.newProject(c.name, nil)
		b.mustStart(c.name)
		b.MustSh(c.script, c.name)
		end := b.waitEnd(c.name)
		b.said(end, map[string]string{"CLAUSTER_EVENT": "crash", "CLAUSTER_VERDICT": "unknown", "CLAUSTER_EXIT_CODE": "", "CLAUSTER_EXIT_SIGNAL": ""})
		if got, want := end.Get("CLAUSTER_REASON"), "claude ended, exit status unknown (its reaper ended without a report)"; got != want {
			t.Errorf("%s: reason %q, want %q", c.name, got, want)
		}
		b.MustWaitFor("the next bridge", settle, func() bool { return b.status(c.name).Status == "running" })
		b.stop(c.name)
	}
}

// Children that outlive a crashed bridge do not outlive its run: they are gone
// before the next bridge is started.
func TestOutlivingChildren(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	for _, kind := range []string{"outlive", "outlive:setsid", "daemon", "outlive:ignore-term", "stop"} {
		name := "exit-children-" + strings.ReplaceAll(kind, ":", "-")
		b.newProject(name, map[string]string{"fork-children": "2:" + kind})
		b.mustStart(name)
		pid := b.status(name).PID
		b.MustWaitFor("the children of "+name, settle, func() bool { return len(b.bridgePIDs(name)) >= 4 }) // reaper, claude, 2
		pids := b.bridgePIDs(name)
		b.MustKill(pid, syscall.SIGKILL)
		b.waitEnd(name)
		b.MustWaitFor("the next bridge of "+name, settle, func() bool { return b.countEvents(name, "spawn") == 2 })
		for _, old := range pids {
			if r := b.result("test", "-e", "/proc/"+old); r.Code == 0 {
				t.Errorf("%s: process %s of the first run is there in the second", name, old)
			}
		}
		b.stop(name)
	}
}

// A person at a terminal that may write ends a bridge: that is a stop. With a
// viewer that may only look it is a crash, like every exit that nobody asked for.
func TestEndedByPerson(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.newProject("exit-person", nil)
	b.MustRun("clauster-ctl", "start", "--mode", "pty", "exit-person")
	view := b.MustStart(machine.Command{Args: []string{"clauster-ctl", "attach", "exit-person"}, Terminal: true})
	if err := view.WaitOutput(settle, func(out string) bool { return strings.Contains(out, "active") }); err != nil {
		t.Fatal(err)
	}
	if _, err := fmt.Fprint(view.Stdin(), "/exit\r"); err != nil {
		t.Fatal(err)
	}
	b.said(b.waitEnd("exit-person"), map[string]string{"CLAUSTER_EVENT": "stop", "CLAUSTER_VERDICT": "ended-by-person", "CLAUSTER_EXIT_CODE": "0"})
	b.MustWaitUnit("clauster@exit-person.service", "inactive", settle)
	if _, err := view.Wait(); err != nil {
		t.Error(err)
	}

	b.newProject("exit-watched", map[string]string{"crash-after": "3:0", "scale": "1"})
	b.mustStart("exit-watched")
	watch := b.MustStart(machine.Command{Args: []string{"clauster-ctl", "attach", "--read-only", "exit-watched"}, Terminal: true, Timeout: time.Minute})
	b.said(b.waitEnd("exit-watched"), map[string]string{"CLAUSTER_EVENT": "crash", "CLAUSTER_VERDICT": "exit", "CLAUSTER_EXIT_CODE": "0"})
	if _, err := watch.Wait(); err != nil {
		t.Error(err)
	}
}

// lastEvent is the last event of one name.
func (b *bed) lastEvent(instance, event string) machine.Entry {
	b.t.Helper()
	entries := b.MustJournal("CLAUSTER_INSTANCE="+instance, "CLAUSTER_EVENT="+event)
	if len(entries) == 0 {
		b.t.Fatalf("%s has no event %s: %s", instance, event, b.eventNames(instance))
	}
	return entries[len(entries)-1]
}
