package e2e

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The delay before the next start doubles from 1 s, is told in systemctl
// status with the count, and survives the keeper.
func TestDelayGrows(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "delay-grows"
	unit := "clauster@" + name + ".service"
	b.newProject(name, map[string]string{"exit-after-ready": "3"})
	b.mustStart(name)
	b.MustWaitFor("the fourth delay", time.Minute, func() bool { return b.countEvents(name, "delayed") == 4 })
	status := b.result("systemctl", "status", "--no-pager", "--full", unit).Stdout
	if !regexp.MustCompile(`Status: "crashed: claude ended with exit status 3; starting again in [4-8]s \(attempt 5\)"`).MatchString(status) {
		t.Errorf("systemctl status does not tell the delay:\n%s", status)
	}
	if s := b.status(name); s.Status != "crashed" || s.Health != "" || !strings.Contains(s.Reason, "starting again in") {
		t.Errorf("status while waiting: %+v", s)
	}
	var delays []string
	for _, e := range b.MustJournal("CLAUSTER_INSTANCE="+name, "CLAUSTER_EVENT=delayed") {
		delays = append(delays, e.Get("CLAUSTER_DELAY_SECONDS"))
	}
	if got := strings.Join(delays, " "); got != "1 2 4 8" {
		t.Errorf("the delays are %s, want 1 2 4 8", got)
	}

	// A keeper killed while it waits: the next one waits for the rest.
	next := time.Now().Add(8 * time.Second)
	b.MustSh(`kill -KILL "$1"`, b.MustShow(unit, "MainPID"))
	b.MustWaitFor("the fifth start", settle, func() bool { return b.countEvents(name, "spawn") == 5 })
	if early := time.Until(next); early > 4*time.Second {
		t.Errorf("the start after a killed keeper came %s early", early)
	}
	b.MustWaitFor("the fifth crash", settle, func() bool { return b.countEvents(name, "crash") == 5 })

	// A person starts it: at once, and counted anew. (In the instant between
	// two keepers systemd itself does not tell such a start from its own.)
	b.MustWaitFor("the fifth delay", settle, func() bool {
		return b.MustShow(unit, "SubState") == "start" && strings.Contains(b.status(name).Reason, "starting again in 1")
	})
	b.MustRun("systemctl", "restart", unit)
	b.MustWaitFor("the sixth crash", settle, func() bool { return b.countEvents(name, "crash") == 6 })
	last := b.lastEvent(name, "crash")
	if got := last.Get("CLAUSTER_RESTARTS"); got != "1" {
		t.Errorf("after a start by a person this is crash %s in a row, want 1", got)
	}
}

// The tenth crash in a row is the last, and the delays before it take eight
// minutes. What the budget counts is proved by the tests of package keeper.
func TestCrashBudget(t *testing.T) {
	t.Parallel()
	if soak(0, 1) == 0 {
		t.Skip("takes nine minutes: make soak")
	}
	b := onShared(t)
	const name = "delay-budget"
	b.newProject(name, map[string]string{"exit-after-ready": "3"})
	b.mustStart(name)
	b.MustWaitUnit("clauster@"+name+".service", "failed", 12*time.Minute)
	if got := b.countEvents(name, "crash"); got != 10 {
		t.Errorf("%d crashes, want 10", got)
	}
	b.said(b.lastEvent(name, "crash"), map[string]string{"CLAUSTER_RESTARTS": "",
		"CLAUSTER_REASON": "claude ended with exit status 3; it crashed too often and is not started again"})
	if got := b.MustShow("clauster@"+name+".service", "ExecMainStatus"); got != "76" {
		t.Errorf("the keeper's exit code is %s, want 76", got)
	}
}

// With restart = "never" the first crash is the last.
func TestRestartNever(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "delay-never"
	b.newProject(name, map[string]string{"exit-after-ready": "3"})
	b.MustWriteFile("/etc/clauster/never.toml", "user = \"op\"\nrestart = \"never\"\n", 0o640, "")
	b.dropIn(name, "Environment=CLAUSTER_CONFIG=/etc/clauster/never.toml\n")
	_ = b.start(name)
	b.said(b.waitEnd(name), map[string]string{"CLAUSTER_EVENT": "crash", "CLAUSTER_VERDICT": "exit"})
	b.MustWaitUnit("clauster@"+name+".service", "failed", settle)
	if got := b.MustShow("clauster@"+name+".service", "ExecMainStatus"); got != "76" {
		t.Errorf("the keeper's exit code is %s, want 76", got)
	}
	s := b.status(name)
	if s.Status != "crashed" || s.Reason != "claude ended with exit status 3" {
		t.Errorf("status: %+v", s)
	}
	if got := b.countEvents(name, "spawn"); got != 1 {
		t.Errorf("%d starts, want 1", got)
	}
}

// An outage before READY and one after it are waited out; when the network is
// back, so is the bridge.
func TestOutage(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "delay-outage"
	unit := "clauster@" + name + ".service"
	b.newProject(name, map[string]string{"crash-at-start": "unreachable"})
	if r := b.start(name); r.Code == 0 {
		t.Error("systemctl start succeeded without a network")
	}
	b.MustWaitFor("the third try", settle, func() bool { return b.countEvents(name, "delayed") == 3 })
	if got := b.MustShow(unit, "ActiveState"); got != "activating" {
		t.Errorf("the unit is %s while the network is away", got)
	}
	if s := b.status(name); s.Status != "error" || !strings.Contains(s.Reason, "claude could not reach the service and gave up; starting again in") {
		t.Errorf("status while the network is away: %+v", s)
	}
	b.MustWriteFile("/home/op/projects/"+name+"/.fakeclaude", "giveup-after=20:for=20\n", 0o644, "op")
	b.MustWaitUnit(unit, "active", settle)
	b.said(b.lastEvent(name, "ready"), map[string]string{"CLAUSTER_STATUS": "running"})
	b.MustWaitFor("the outage while it runs", settle, func() bool { return b.countEvents(name, "crash") >= 1 })
	b.said(b.lastEvent(name, "crash"), map[string]string{"CLAUSTER_VERDICT": "network"})
	b.MustWaitFor("the bridge to come back", settle, func() bool { return b.countEvents(name, "ready") >= 2 })
}

// A start after a crash that is not ready in time is tried again: nobody
// watches it (docs/failures.md).
func TestUnattendedStartIsTriedAgain(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "delay-unattended"
	b.newProject(name, map[string]string{"crash-after": "20:1"})
	b.mustStart(name)
	b.MustWriteFile("/home/op/projects/"+name+"/.fakeclaude", "exit=5\n", 0o644, "op")
	b.MustWaitFor("two failed starts", settle, func() bool { return b.countEvents(name, "error") >= 2 })
	e := b.lastEvent(name, "error")
	b.said(e, map[string]string{"CLAUSTER_VERDICT": "exit", "CLAUSTER_EXIT_CODE": "5", "CLAUSTER_REASON": "claude ended with exit status 5 before it was ready"})
	b.MustWriteFile("/home/op/projects/"+name+"/.fakeclaude", "ready\n", 0o644, "op")
	b.MustWaitUnit("clauster@"+name+".service", "active", settle)
	if _, err := strconv.Atoi(e.Get("CLAUSTER_RESTARTS")); err != nil {
		t.Errorf("the event does not count the restarts: %s", fmt.Sprint(e))
	}
}
