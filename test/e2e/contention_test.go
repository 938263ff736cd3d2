package e2e

import (
	"strings"
	"sync"
	"syscall"
	"testing"
)

// Two people start the same instance at the same moment, by both commands.
func TestTwoStartsAtOnce(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.newProject("two-starts", map[string]string{"slow-ready": "4"})
	var wg sync.WaitGroup
	for range 3 {
		for _, command := range [][]string{{"systemctl", "start", "clauster@two-starts"}, {"clauster-ctl", "start", "two-starts"}} {
			wg.Go(func() {
				if r, err := b.Run(command...); err != nil || r.Code != 0 {
					t.Errorf("%v: exit code %d, %v: %s", command, r.Code, err, r.Stderr)
				}
			})
		}
	}
	wg.Wait()
	if pids := b.MustSh(`pgrep -fc '[c]laude remote-control.*two-starts'`); strings.TrimSpace(pids) != "1" {
		t.Errorf("%s bridges run", pids)
	}
	b.stop("two-starts")
	b.waitRuns("two-starts", "spawn ready stop")
}

// A start that comes while the bridge is stopping gets another bridge.
func TestStartWhileStopping(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.newProject("start-stopping", map[string]string{"exits-after": "20"}) // 1 s after SIGINT
	b.mustStart("start-stopping")
	old := b.status("start-stopping")
	b.MustRun("systemctl", "stop", "--no-block", "clauster@start-stopping")
	b.MustWaitUnit("clauster@start-stopping.service", "deactivating", settle)
	b.mustStart("start-stopping")
	if now := b.status("start-stopping"); now.Run == old.Run || now.Status != "running" {
		t.Errorf("after the start: %+v", now)
	}
	b.stop("start-stopping")
	b.waitRuns("start-stopping", "spawn ready stop", "spawn ready stop")
}

// A stop that comes while the bridge is starting ends the start, at once.
func TestStopWhileStarting(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.newProject("stop-starting", map[string]string{"never-ready": "yes"})
	b.MustRun("systemctl", "start", "--no-block", "clauster@stop-starting")
	b.MustWaitFor("the spawn event", settle, func() bool { return b.eventNames("stop-starting") == "spawn" })
	b.stop("stop-starting")
	if got := b.MustShow("clauster@stop-starting.service", "ActiveState"); got != "inactive" {
		t.Errorf("the unit is %s", got)
	}
	if got := b.MustShow("clauster-bridge-stop-starting.scope", "ActiveState"); got != "inactive" {
		t.Errorf("the scope is %s", got)
	}
	b.waitRuns("stop-starting", "spawn stop")
}

// A stop that comes while a crashed bridge waits for its next start.
func TestStopWhileWaiting(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.newProject("stop-waiting", nil)
	unit := "clauster@stop-waiting.service"
	b.mustStart("stop-waiting")
	for range 2 { // 1 s, then 2 s
		b.MustKill(b.status("stop-waiting").PID, syscall.SIGKILL)
		b.MustWaitFor("the delay", settle, func() bool {
			s := b.status("stop-waiting")
			return s.Status == "crashed" && strings.Contains(s.Reason, "starting again in")
		})
		if b.countEvents("stop-waiting", "crash") == 1 {
			b.MustWaitUnit(unit, "active", settle)
		}
	}
	b.stop("stop-waiting")
	if got := b.MustShow(unit, "ActiveState"); got != "inactive" {
		t.Errorf("the unit is %s", got)
	}
	b.waitRuns("stop-waiting", "spawn ready crash", "spawn ready crash", "stop")
	b.mustStart("stop-waiting") // and a person need not wait
	b.stop("stop-waiting")
}

// A project directory that is not what it was: said, with 78, not tried again.
func TestProjectDirectoryGone(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	for name, c := range map[string]struct{ spoil, reason string }{
		"dir-removed":    {`rm -r "$1"`, "no such file or directory"},
		"dir-symlink":    {`rm -r "$1" && ln -s /home/op "$1"`, "not a directory"},
		"dir-unreadable": {`chown root:root "$1" && chmod 0700 "$1"`, "permission denied"},
		"dir-file":       {`rm -r "$1" && touch "$1"`, "not a directory"},
	} {
		t.Run(name, func(t *testing.T) {
			b := &bed{b.With(t), t}
			path := "/home/op/projects/" + name
			b.newProject(name, nil)
			b.mustStart(name)
			was := b.status(name)
			b.MustSh(c.spoil, path)
			b.MustKill(b.keeperPID(name), syscall.SIGKILL) // what runs goes on, whoever looks after it
			b.MustWaitFor("another keeper", settle, func() bool { return b.countEvents(name, "reattached") == 1 })
			if now := b.status(name); now.Status != "running" || now.PID != was.PID {
				t.Errorf("the running bridge: %+v, was %+v", now, was)
			}
			b.stop(name)
			r := b.start(name)
			if r.Code == 0 {
				t.Fatal("it was started again")
			}
			s := b.status(name)
			if s.Status != "error" || !strings.Contains(s.Reason, c.reason) {
				t.Errorf("status: %+v", s)
			}
			if code := b.MustShow("clauster@"+name+".service", "ExecMainStatus"); code != "78" && code != "77" {
				t.Errorf("exit code %s", code)
			}
			b.MustSh(`chown -R op:op "$1" 2>/dev/null || true; rm -rf "$1"; mkdir "$1"; chown op:op "$1"`, path)
			b.mustStart(name)
			b.stop(name)
		})
	}
}
