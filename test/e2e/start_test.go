package e2e

import (
	"strings"
	"testing"
)

// The first promise: systemctl start returns when the bridge has registered,
// in its own scope as the bridge user, and systemctl stop leaves nothing.
func TestStartStop(t *testing.T) {
	b := onShared(t)
	b.newProject("start-stop", nil)
	b.mustStart("start-stop")

	if got := b.MustShow("clauster@start-stop.service", "ActiveState"); got != "active" {
		t.Errorf("service is %s after start returned", got)
	}
	scope := "clauster-bridge-start-stop.scope"
	if got := b.MustShow(scope, "ControlGroup"); got != "/clauster.slice/"+scope {
		t.Errorf("scope's control group is %q", got)
	}
	pids := b.bridgePIDs("start-stop")
	if len(pids) == 0 {
		t.Fatal("no process in the scope")
	}
	for _, pid := range pids {
		got := b.MustSh(`stat -c %U "/proc/$1"; grep CapEff "/proc/$1/status"`, pid)
		if got != "op\nCapEff:\t0000000000000000\n" {
			t.Errorf("process %s of the bridge: %s", pid, got)
		}
	}
	s := b.status("start-stop")
	if s.Status != "running" || s.Health != "ok" || s.Unit != "clauster@start-stop.service" || s.Scope != scope {
		t.Errorf("status: %+v", s)
	}

	b.stop("start-stop")
	if got := b.MustShow(scope, "ActiveState"); got != "inactive" {
		t.Errorf("scope is %s after stop returned", got)
	}
	for _, pid := range pids {
		if r := b.result("test", "-e", "/proc/"+pid); r.Code == 0 {
			t.Errorf("process %s outlived systemctl stop", pid)
		}
	}
	if s := b.status("start-stop"); s.Status != "stopped" {
		t.Errorf("status after stop: %+v", s)
	}
	b.waitEvents("start-stop", "spawn ready stop")
}

// A start that fails says why in the first lines of systemctl status.
func TestStartFails(t *testing.T) {
	b := onShared(t)
	b.newProject("start-fails", map[string]string{"login": "out"})
	if r := b.start("start-fails"); r.Code == 0 {
		t.Fatal("systemctl start succeeded without a login")
	}
	text := b.result("systemctl", "status", "--no-pager", "--full", "clauster@start-fails").Stdout
	if !strings.Contains(text, "Status: ") || !strings.Contains(strings.ToLower(text), "log") {
		t.Errorf("systemctl status does not say why:\n%s", text)
	}
	if s := b.status("start-fails"); s.Status != "error" || s.Reason == "" {
		t.Errorf("status: %+v", s)
	}
}
