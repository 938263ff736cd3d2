package e2e

import (
	"fmt"
	"math/rand/v2"
	"strconv"
	"syscall"
	"testing"
	"time"
)

// constant watches one bridge that must not notice anything: its PID, its run
// and its status stay, its numbered output is complete.
type constant struct {
	*bed
	instance string
	was      status
	rec      *recording
}

// constantBridge starts a bridge and its recorder.
func (b *bed) constantBridge(instance string) *constant {
	b.t.Helper()
	b.newProject(instance, map[string]string{"count": "1000"})
	b.mustStart(instance)
	return &constant{b, instance, b.status(instance), b.record(instance).attached()}
}

// check asks what an operator would ask, at once, and compares.
func (c *constant) check(after string) {
	c.t.Helper()
	now := c.status(c.instance)
	if now.PID != c.was.PID || now.Run != c.was.Run || now.Status != "running" || now.Health != "ok" && now.Health != "reattaching" {
		c.t.Errorf("right after %s: %+v, was %+v", after, now, c.was)
	}
	if got := c.MustShow("clauster@"+c.instance+".service", "ActiveState"); got == "failed" || got == "inactive" {
		c.t.Errorf("right after %s the unit is %s", after, got)
	}
}

// end stops the bridge and checks what was recorded.
func (c *constant) end(reattached int) {
	c.t.Helper()
	c.check("everything")
	c.stop(c.instance)
	c.rec.finish(1000)
	c.waitRuns(c.instance, "spawn ready stop")
	if got := c.countEvents(c.instance, "reattached"); got < reattached {
		c.t.Errorf("%d reattached events, want %d", got, reattached)
	}
}

// No number of keeper deaths fails the unit or costs the bridge a byte.
func TestKeeperKills(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.needRecorder()
	c := b.constantBridge("kills")
	kills := soak(15, 100)
	for n := range kills {
		old := b.keeperPID(c.instance)
		// Half of them hit a keeper that has just begun to take over.
		if n%2 == 0 {
			b.waitReattached(c.instance, 0)
			old = b.keeperPID(c.instance)
		} else {
			b.spread(100 * time.Millisecond)
		}
		if old != 0 {
			_ = b.Kill(old, syscall.SIGKILL) // it may be gone already
		}
		c.check(fmt.Sprintf("kill %d", n+1))
	}
	b.waitReattached(c.instance, 0)
	c.end(kills / 2)
	b.nothingLeft(c.instance)
}

// spread waits for a random part of max, so that kills hit every stage.
func (b *bed) spread(max time.Duration) {
	<-time.After(rand.N(max))
}

// Kills spread over starts and stops: each start ends in a bridge, each stop in
// none, and every run that began is told once.
func TestKillsInStartAndStop(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	const instance = "startstop"
	unit := "clauster@" + instance + ".service"
	b.newProject(instance, map[string]string{"slow-ready": "2"}) // 100 ms
	for n := range soak(8, 50) {
		b.MustRun("systemctl", "start", "--no-block", unit)
		b.spread(250 * time.Millisecond)
		b.shootKeeper(instance)
		b.MustWaitUnit(unit, "active", settle)
		b.MustRun("systemctl", "stop", "--no-block", unit)
		b.spread(60 * time.Millisecond)
		b.shootKeeper(instance)
		b.MustWaitUnit(unit, "inactive", settle)
		b.MustWaitUnit("clauster-bridge-"+instance+".scope", "inactive", settle)
		if t.Failed() {
			t.Fatalf("in round %d", n)
		}
	}
	// The end of a run whose stop came between two keepers is told by the next.
	b.mustStart(instance)
	b.stop(instance)
	for n, run := range b.runs(instance) {
		if run != "spawn ready stop" {
			t.Errorf("run %d: %q", n, run)
		}
	}
	b.nothingLeft(instance)
}

// A restart that meets a dead keeper restarts the bridge all the same.
func TestRestartMeetsDeadKeeper(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.newProject("re-dead", nil)
	b.mustStart("re-dead")
	old := b.status("re-dead")
	b.MustSh(`kill -STOP "$1"; systemctl restart --no-block "$2"; kill -KILL "$1"`, strconv.Itoa(b.keeperPID("re-dead")), "clauster@re-dead")
	b.MustWaitFor("another run", settle, func() bool {
		s := b.status("re-dead")
		return s.Status == "running" && s.Health == "ok" && s.Run != old.Run // ready, not only alive
	})
	if now := b.status("re-dead"); now.PID == old.PID {
		t.Errorf("the restart left process %d", old.PID)
	}
	b.stop("re-dead")
	b.waitRuns("re-dead", "spawn ready stop", "spawn ready stop")
	if n := b.countEvents("re-dead", "warning"); n > 0 {
		t.Errorf("%d warnings: %s", n, b.eventNames("re-dead"))
	}
}

// What else happens to a keeper or to the system around it: the watchdog, a
// panic, a SIGTERM that systemd did not send, managers and buses restarted.
func TestKeeperOrdeals(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.needRecorder()
	watchdog := fmt.Sprintf("[Service]\nWatchdogSec=%ds\n", soak(2, 30))
	b.MustWriteFile("/etc/systemd/system/clauster@ordeals.service.d/watchdog.conf", watchdog, 0o644, "")
	b.MustRun("systemctl", "daemon-reload")
	c := b.constantBridge("ordeals")
	for _, o := range []struct {
		name string
		do   func(*constant)
	}{
		{"stopped until the watchdog bites", dies(syscall.SIGSTOP)},
		{"a panic", dies(syscall.SIGQUIT)},
		{"an abort", dies(syscall.SIGABRT)},
		{"SIGTERM from nobody", stays("systemctl", "kill", "--kill-who=main", "--signal=TERM", "clauster@ordeals")},
		{"SIGHUP from nobody", stays("systemctl", "kill", "--kill-who=main", "--signal=HUP", "clauster@ordeals")},
		{"daemon-reload", stays("systemctl", "daemon-reload")},
		{"daemon-reexec", stays("systemctl", "daemon-reexec")},
		{"dbus restarted", stays("systemctl", "restart", "dbus")},
		{"journald restarted", stays("systemctl", "restart", "systemd-journald")},
		{"journald killed", stays("systemctl", "kill", "--signal=KILL", "systemd-journald")},
		{"killed and daemon-reexec", killedAnd("systemctl", "daemon-reexec")},
		{"killed and dbus restarted", killedAnd("systemctl", "restart", "dbus")},
		{"killed and journald restarted", killedAnd("systemctl", "restart", "systemd-journald")},
	} {
		t.Run(o.name, func(t *testing.T) {
			c := &constant{&bed{b.With(t), t}, c.instance, c.was, nil}
			o.do(c)
			c.check(o.name)
		})
	}
	// State, terminal, reaper, story, ring, listener, inotify: each once.
	if n := b.MustShow("clauster@"+c.instance, "NFileDescriptorStore"); n != "7" {
		t.Errorf("%s descriptors are stored after all that, want 7", n)
	}
	c.end(6)
	b.nothingLeft(c.instance)
}

// dies sends a signal of which the keeper dies.
func dies(sig syscall.Signal) func(*constant) {
	return func(c *constant) {
		c.t.Helper()
		old := c.keeperPID(c.instance)
		c.MustKill(old, sig)
		c.MustWaitFor("the end of keeper "+strconv.Itoa(old), 2*settle, func() bool { return c.keeperPID(c.instance) != old })
		c.check("the keeper's end")
		c.waitReattached(c.instance, old)
	}
}

// stays runs what the keeper must not even notice.
func stays(args ...string) func(*constant) {
	return func(c *constant) {
		c.t.Helper()
		old := c.keeperPID(c.instance)
		c.MustRun(args...)
		c.check("it")
		if now := c.keeperPID(c.instance); now != old {
			c.t.Errorf("keeper %d became %d", old, now)
		}
	}
}

// killedAnd kills the keeper and disturbs what its successor needs.
func killedAnd(args ...string) func(*constant) {
	return func(c *constant) {
		c.t.Helper()
		old := c.keeperPID(c.instance)
		c.MustKill(old, syscall.SIGKILL)
		c.MustRun(args...)
		c.waitReattached(c.instance, old)
	}
}
