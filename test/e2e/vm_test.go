package e2e

import (
	"context"
	"strings"
	"testing"
	"time"

	"clauster/test/machine"
)

// What needs a kernel of its own: memory limits, a reboot, a power cut. One VM
// serves all, since each boot under TCG costs more than the tests themselves.
func TestVM(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a VM three times")
	}
	b := newVM(t)
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()
	b.MustSh(`printf 'restart = "never"\n[projects.vm-oom]\nmemory_max = "64M"\n' >> /etc/clauster/clauster.toml`)

	t.Run("MemoryMax", func(t *testing.T) {
		b := &bed{b.With(t), t}
		b.newProject("vm-oom", map[string]string{"eat": "256M"})
		b.mustStart("vm-oom")
		e := b.MustWaitJournal("the crash of vm-oom", func(e machine.Entry) bool {
			return e.Get("CLAUSTER_EVENT") == "crash"
		}, "CLAUSTER_INSTANCE=vm-oom")
		if e.Get("CLAUSTER_VERDICT") != "oom" || e.Get("CLAUSTER_OOM_KILLS") == "" || e.Get("CLAUSTER_OOM_KILLS") == "0" {
			t.Errorf("verdict %q, OOM kills %q", e.Get("CLAUSTER_VERDICT"), e.Get("CLAUSTER_OOM_KILLS"))
		}
		if s := b.status("vm-oom"); s.Status != "crashed" || !strings.Contains(s.Reason, "memory") {
			t.Errorf("status: %+v", s)
		}
	})
	t.Run("reboot", func(t *testing.T) {
		b := &bed{b.With(t), t}
		b.newProject("vm-boot", nil)
		b.mustStart("vm-boot")
		b.MustRun("systemctl", "enable", "clauster@vm-boot")
		b.newProject("vm-off", nil)
		b.mustStart("vm-off")
		before := b.status("vm-boot").Run
		if err := b.Reboot(ctx); err != nil {
			t.Fatal(err)
		}
		b.MustWaitUnit("clauster@vm-boot.service", "active", settle)
		if s := b.status("vm-boot"); s.Status != "running" || s.Run == before {
			t.Errorf("an enabled bridge after a reboot: %+v (run before: %s)", s, before)
		}
		if s := b.status("vm-off"); s.Status != "stopped" {
			t.Errorf("a bridge that was not enabled, after a reboot: %+v", s)
		}
		b.waitEvents("vm-off", "spawn ready stop")
		b.waitEvents("vm-boot", "spawn ready stop spawn ready")
	})
	t.Run("power cut during a launch", func(t *testing.T) {
		b := &bed{b.With(t), t}
		b.newProject("vm-cut", map[string]string{"slow-ready": "600"})
		b.MustRun("systemctl", "start", "--no-block", "clauster@vm-cut")
		b.MustWaitUnit("clauster-bridge-vm-cut.scope", "active", settle)
		if err := b.PowerCut(ctx); err != nil {
			t.Fatal(err)
		}
		b.MustWriteFile("/home/op/projects/vm-cut/.fakeclaude", "", 0o644, "op")
		b.mustStart("vm-cut")
		if s := b.status("vm-cut"); s.Status != "running" || s.Health != "ok" {
			t.Errorf("status: %+v", s)
		}
	})
}
