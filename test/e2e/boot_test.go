package e2e

import (
	"context"
	"strings"
	"testing"
)

// A shutdown asks bridges in the order of the stop ladder and waits for them,
// and the boot after it brings back what is enabled, with its conversation.
func TestBootContinues(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.MustSh("mkdir -p /var/log/journal && journalctl --flush")
	slow := map[string]string{"exits-after": "20", "continue": "yes"} // 1 s after SIGINT
	for name, mode := range map[string]string{"boot-enabled": "pty", "boot-plain": "standard"} {
		slow["record"] = "/home/op/" + name + ".record"
		b.newProject(name, slow)
		b.MustRun("clauster-ctl", "start", "--mode", mode, name)
	}
	b.MustRun("systemctl", "enable", "clauster@boot-enabled")
	if err := b.Reboot(context.Background()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"boot-enabled": "SIGINT SIGINT", "boot-plain": "SIGINT"} {
		if got := b.signalsOf("/home/op/" + name + ".record"); !strings.HasPrefix(want, got) || got == "" {
			t.Errorf("%s got %q at shutdown, want %s", name, got, want)
		}
		if !strings.Contains(b.MustReadFile("/home/op/"+name+".record"), `"event":"end"`) {
			t.Errorf("%s was killed before it had ended", name)
		}
	}
	b.MustWaitFor("the enabled bridge", settle, func() bool { return b.status("boot-enabled").Status == "running" })
	b.said(b.waitEnd("boot-enabled"), map[string]string{"CLAUSTER_EVENT": "stop", "CLAUSTER_VERDICT": "asked"})
	if argv := b.argvOf("boot-enabled"); !strings.Contains(argv, "--continue") {
		t.Errorf("after the boot: %s", argv)
	}
	if s := b.status("boot-plain"); s.Status != "stopped" {
		t.Errorf("what is not enabled: %+v", s)
	}
}
