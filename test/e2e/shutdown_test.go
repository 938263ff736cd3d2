package e2e

import (
	"context"
	"strconv"
	"strings"
	"testing"
)

// A shutdown of the machine gives bridges the same graceful stop as systemctl
// stop, and the boot after it brings back what is enabled, with its
// conversation; what is not enabled stays down.
func TestShutdown(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.MustSh("mkdir -p /var/log/journal && journalctl --flush")
	slow := map[string]string{"exits-after": "20", "continue": "yes"} // 1 s after SIGINT
	for name, mode := range map[string]string{"down-enabled": "pty", "down-plain": "standard"} {
		slow["record"] = "/home/op/" + name + ".record"
		b.newProject(name, slow)
		b.MustRun("clauster-ctl", "start", "--mode", mode, name)
	}
	b.MustRun("systemctl", "enable", "clauster@down-enabled")
	if err := b.Reboot(context.Background()); err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"down-enabled": "SIGINT SIGINT", "down-plain": "SIGINT"} {
		if got := b.signalsOf("/home/op/" + name + ".record"); !strings.HasPrefix(want, got) || got == "" {
			t.Errorf("%s got %q at shutdown, want %s", name, got, want)
		}
		if !strings.Contains(b.MustReadFile("/home/op/"+name+".record"), `"event":"end"`) {
			t.Errorf("%s was killed before it had ended", name)
		}
	}
	b.MustWaitFor("the enabled bridge", settle, func() bool { return b.status("down-enabled").Status == "running" })
	b.said(b.waitEnd("down-enabled"), map[string]string{"CLAUSTER_EVENT": "stop", "CLAUSTER_VERDICT": "asked"})
	if argv := b.argvOf("down-enabled"); !strings.Contains(argv, "--continue") {
		t.Errorf("after the boot: %s", argv)
	}
	if s := b.status("down-plain"); s.Status != "stopped" {
		t.Errorf("what is not enabled: %+v", s)
	}
}

// signalsOf lists the stop signals in a stand-in's record.
func (b *bed) signalsOf(record string) string {
	b.t.Helper()
	var signals []string
	for line := range strings.Lines(b.MustReadFile(record)) {
		if _, after, ok := strings.Cut(line, `"event":"signal","signal":"`); ok {
			signal, _, _ := strings.Cut(after, `"`)
			if signal != "SIGCONT" && signal != "SIGWINCH" {
				signals = append(signals, signal)
			}
		}
	}
	return strings.Join(signals, " ")
}

// argvOf is the command line of an instance's claude.
func (b *bed) argvOf(instance string) string {
	b.t.Helper()
	script := `tr '\0' ' ' <"/proc/$1/cmdline"`
	return strings.TrimSpace(b.MustSh(script, strconv.Itoa(b.status(instance).PID)))
}
