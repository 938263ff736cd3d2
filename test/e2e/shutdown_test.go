package e2e

import (
	"context"
	"strings"
	"testing"
	"time"
)

// A shutdown of a container asks bridges as one of a machine does (TestVM), and
// what became of them is told from the journal of the boot before.
func TestShutdown(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.newProject("down-on", nil)
	b.newProject("down-off", map[string]string{"exits-after": "20"}) // a second, by the scale: not at once
	b.newProject("down-hang", map[string]string{"hang-on-all": "1"})
	b.MustRun("systemctl", "enable", "clauster@down-on")
	for _, instance := range []string{"down-on", "down-off", "down-hang"} {
		b.mustStart(instance)
	}
	if err := b.shutDown(); err != nil {
		t.Fatal(err)
	}
	b.MustWaitUnit("clauster@down-on.service", "active", settle)
	b.waitRuns("down-on", "spawn ready stop", "spawn ready")
	b.waitRuns("down-off", "spawn ready stop")
	b.waitRuns("down-hang", "spawn ready stop")
	b.stoppedGracefully("CLAUSTER_INSTANCE=down-on")
	b.stoppedGracefully("CLAUSTER_INSTANCE=down-off")
	if s := b.status("down-hang"); s.Status != "stopped" || !strings.Contains(s.Reason, "SIGKILL") {
		t.Errorf("a bridge that listens to nothing: %+v", s)
	}
}

// Where the journal is lost with each boot nothing is known of how bridges
// ended, and that is what is said.
func TestShutdownWithVolatileJournal(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.MustSh("rm -rf /var/log/journal && systemctl restart systemd-journald")
	b.newProject("volatile-on", nil)
	b.newProject("volatile-off", nil)
	b.mustStart("volatile-on")
	b.mustStart("volatile-off")
	b.MustRun("systemctl", "enable", "clauster@volatile-on")
	if s := b.status("volatile-off"); s.Status != "running" {
		t.Errorf("before: %+v", s)
	}
	launched := b.status("volatile-off").Since
	if err := b.shutDown(); err != nil {
		t.Fatal(err)
	}
	b.MustWaitUnit("clauster@volatile-on.service", "active", settle)
	b.waitRuns("volatile-on", "spawn ready")
	s := b.status("volatile-off")
	if s.Status != "stopped" || s.Since != launched || !strings.Contains(s.Reason, "the journal does not tell how it ended") {
		t.Errorf("after: %+v", s)
	}
}

// shutDown reboots, which for a container is a poweroff and a boot.
func (b *bed) shutDown() error {
	ctx, cancel := context.WithTimeout(context.Background(), 2*time.Minute)
	defer cancel()
	return b.Reboot(ctx)
}
