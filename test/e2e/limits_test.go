package e2e

import (
	"strings"
	"testing"

	"clauster/test/machine"
)

// TestRefusedLimits: a property that this systemd does not take is dropped by
// name, and every other one is in force before the gate opens (scopeprobe uses
// the keeper's own call).
func TestRefusedLimits(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const scope, probe = "safe-refused.scope", "/usr/local/bin/scopeprobe"
	if err := b.CopyIn(build(t, "scopeprobe", "./test/e2e/scopeprobe"), probe, ""); err != nil {
		t.Fatal(err)
	}
	p := b.MustStart(machine.Command{Args: []string{probe, scope}})
	if err := p.WaitOutput(settle, func(out string) bool { return strings.Contains(out, "\n") }); err != nil {
		t.Fatal(err)
	}
	if got := p.Stdout(); got != "refused [NotOfThisVersion LoadCredential]\n" {
		t.Errorf("the probe says %q", got)
	}
	for property, want := range map[string]string{"ActiveState": "active", "MemoryMax": "67108864", "TasksMax": "9", "PartOf": "dbus.service"} {
		if got := b.MustShow(scope, property); got != want {
			t.Errorf("%s=%s, want %s", property, got, want)
		}
	}
	if err := p.Stdin().Close(); err != nil {
		t.Error(err)
	}
	if r, err := p.Wait(); err != nil || r.Code != 0 {
		t.Errorf("the probe ended with %d, %v: %s", r.Code, err, r.Stderr)
	}
}
