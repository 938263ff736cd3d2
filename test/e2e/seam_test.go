package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"clauster/test/machine"
)

// TestSystemdSeam runs those tests of pkg/systemd that play with units on a real
// manager: among them what a scope loses where systemd refuses a property.
func TestSystemdSeam(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	root, err := machine.RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(t.TempDir(), "systemd.test")
	cmd := exec.Command("go", "test", "-c", "-o", out, "./pkg/systemd")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if err := b.CopyIn(out, "/root/systemd.test", ""); err != nil {
		t.Fatal(err)
	}
	text := b.MustSh("CLAUSTER_THROWAWAY_SYSTEMD=1 /root/systemd.test -test.v -test.run TestScope 2>&1")
	if !strings.Contains(text, "--- PASS: TestScopeWithoutRefusedProperties/of_another_kind") {
		t.Errorf("%s", text)
	}
}

// The machine of these tests has no controllers for memory, io and pids: limits
// of a project do not hold here, and one warning says so, not a keeper later
// another. That they hold where there are controllers TestVM shows.
func TestLimitsThatDoNotHold(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.MustSh(`printf '[projects.limits]\nmemory_max = "1G"\nio_weight = 20\ncpu_quota = "150%%"\n' >>/etc/clauster/clauster.toml`)
	b.newProject("limits", nil)
	b.mustStart("limits")
	b.MustSh(`kill -9 "$(systemctl show -P MainPID clauster@limits)"`)
	b.MustWaitJournal("the next keeper", isEvent("reattached"), "CLAUSTER_INSTANCE=limits")
	var warnings []string
	for _, e := range b.events("limits") {
		if e.Get("CLAUSTER_EVENT") == "warning" {
			warnings = append(warnings, e.Get("MESSAGE"))
		}
	}
	if len(warnings) != 1 || !strings.Contains(warnings[0], "memory_max") || !strings.Contains(warnings[0], "io_weight") {
		t.Errorf("warnings: %q", warnings)
	}
	if s := b.status("limits"); s.Status != "running" || s.Health != "ok" {
		t.Errorf("status: %+v", s)
	}
}
