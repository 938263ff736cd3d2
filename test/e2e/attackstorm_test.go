package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAgentSignalsKeeper: the dropped keeper shares the agent's uid, so every
// signal reaches it. Those that kill or stop it cost reattaches; those that ask
// it to stop are not systemd's and cost nothing. The bridge loses no byte.
func TestAgentSignalsKeeper(t *testing.T) {
	b := onShared(t)
	b.needAttacker()
	b.needRecorder()
	const name = "attack-storm"
	n := soak(60, 5000)
	b.newAttack(name, waiting(name, fmt.Sprintf("attacker storm clauster@%s.service %d SIGTERM SIGINT SIGHUP SIGUSR1 SIGTERM SIGABRT SIGTERM SIGQUIT SIGKILL", name, n)),
		map[string]string{"count": "200"})
	b.mustStart(name)
	pids := b.bridgePIDs(name)
	rec := b.record(name)
	b.letGo(name, "go")
	out := b.attackDone(name, 5*time.Minute+time.Duration(n)*100*time.Millisecond)
	if want := fmt.Sprintf("sent %d\n", n); out != want {
		t.Errorf("the storm: %q, want %q", out, want)
	}
	unit := "clauster@" + name + ".service"
	b.MustWaitUnit(unit, "active", settle)
	if b.countEvents(name, "reattached") == 0 {
		t.Error("no keeper died: the storm proves nothing")
	}
	// A storm without a deadly signal: the same keeper is there afterwards.
	keeper := b.keeperPID(name)
	for _, s := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP, syscall.SIGTERM} {
		b.MustSh(`setpriv --reuid op --clear-groups kill -"$1" "$2"`, fmt.Sprint(int(s)), fmt.Sprint(keeper))
	}
	// What the keeper made of them is told before it answers.
	if s := b.status(name); s.Status != "running" {
		t.Errorf("status: %+v", s)
	}
	for _, pid := range pids[:2] { // the gate and claude; the attack has ended
		if r := b.result("test", "-e", "/proc/"+pid); r.Code != 0 {
			t.Errorf("process %s of the bridge is gone", pid)
		}
	}
	if got := b.keeperPID(name); got != keeper {
		t.Errorf("the keeper is %d, was %d", got, keeper)
	}
	// An upgrade under such a storm: one signal may hit the moment between exec
	// and the new image's handler. Then it is the next keeper that has the new
	// program, and the bridge has not noticed either.
	b.MustSh(`setpriv --reuid op --clear-groups sh -c 'while kill -TERM "$1"; do sleep 0.01; done' sh "$1" 2>/dev/null & storm=$!
		systemctl reload "$2"; systemctl reload "$2"; kill $storm; true`, fmt.Sprint(keeper), unit)
	b.MustWaitUnit(unit, "active", settle)
	b.stop(name)
	rec.finish(100)
	b.waitRuns(name, "spawn ready stop")
}

// TestStopUnderFire: an agent of another bridge of the same user shoots at each
// keeper of this one as soon as it is there. A stop is a stop all the same, and
// the next start is a start.
func TestStopUnderFire(t *testing.T) {
	b := onShared(t)
	b.needAttacker()
	const shooter, target = "attack-shooter", "attack-target"
	unit := "clauster@" + target + ".service"
	b.newAttack(shooter, waiting(shooter, "attacker storm "+unit+" 1000000 SIGKILL"), nil)
	b.newProject(target, map[string]string{"fork-children": "2:setsid"})
	b.mustStart(shooter)
	for range soak(2, 50) {
		b.mustStart(target)
		pids, old := b.bridgePIDs(target), b.keeperPID(target)
		b.letGo(shooter, "go")
		b.MustWaitFor("a dead keeper", settle, func() bool { return b.keeperPID(target) != old })
		b.stop(target)
		if got := b.MustShow(unit, "ActiveState"); got != "inactive" {
			t.Errorf("%s after stop returned", got)
		}
		for _, pid := range pids {
			if r := b.result("test", "-e", "/proc/"+pid); r.Code == 0 {
				t.Errorf("process %s outlived systemctl stop", pid)
			}
		}
		// The shooter starts over with the next life of its own bridge.
		b.MustRun("rm", goFile(shooter))
		b.MustRun("systemctl", "restart", "clauster@"+shooter)
	}
	b.mustStart(target)
	b.stop(target)
	b.stop(shooter)
}

// TestAgentStopsKeeper: a keeper that an agent has stopped is shot by the
// watchdog, and one that it has robbed of its descriptors too; the next one
// reattaches.
func TestAgentStopsKeeper(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	for name, script := range map[string]string{
		"attack-sigstop": "kill -STOP $1",
		"attack-prlimit": "prlimit --pid $1 --nofile=3:3; kill -TERM $1",
	} {
		b.shortWatchdog(name)
		b.newAttack(name, waiting(name, script), nil)
		b.mustStart(name)
		pids, old := b.bridgePIDs(name), b.keeperPID(name)
		b.letGo(name, old)
		b.attackDone(name, settle)
		b.waitReattached(name, old)
		if got := strings.Join(b.bridgePIDs(name), " "); !strings.HasPrefix(got+" ", strings.Join(pids[:2], " ")+" ") {
			t.Errorf("%s: the bridge is %s, was %s", name, got, pids)
		}
		b.stop(name)
		b.waitRuns(name, "spawn ready stop")
	}
}

// TestAgentSignalsGate: an agent that kills its reaper has ended its own
// bridge, which systemd starts again; one that stops it cannot hide an end.
func TestAgentSignalsGate(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	for name, script := range map[string]string{
		"attack-gate-kill": "kill -KILL $1",
		"attack-gate-abrt": "kill -ABRT $1",
		"attack-gate-stop": "kill -STOP $1; kill -KILL $CLAUDE_PID",
	} {
		b.shortWatchdog(name)
		// A second life without the attack: its words are used up.
		b.newAttack(name, waiting(name, "rm "+goFile(name)+"\n"+script), nil)
		b.mustStart(name)
		b.letGo(name, b.gatePID(name))
		b.MustWaitFor("the crash of "+name, settle, func() bool { return b.countEvents(name, "crash") == 1 })
		b.MustWaitFor("the next run of "+name, settle, func() bool { return b.countEvents(name, "ready") == 2 })
		b.stop(name)
		b.waitRuns(name, "spawn ready crash", "spawn ready stop")
	}
}

// shortWatchdog gives one instance a watchdog that bites before a test is
// bored.
func (b *bed) shortWatchdog(instance string) {
	b.t.Helper()
	b.dropIn(instance, "WatchdogSec=4s\nTimeoutAbortSec=2s\n")
}

// dropIn adds lines to the [Service] section of one instance.
func (b *bed) dropIn(instance, lines string) {
	b.t.Helper()
	dir := "/run/systemd/system/clauster@" + instance + ".service.d"
	b.MustWriteFile(dir+"/test.conf", "[Service]\n"+lines, 0o644, "")
	b.MustRun("systemctl", "daemon-reload")
	b.t.Cleanup(func() {
		if _, err := b.Sh(`rm -r "$1" && systemctl daemon-reload`, dir); err != nil {
			b.t.Error(err)
		}
	})
}
