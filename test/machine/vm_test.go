package machine

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"
)

// One boot serves all that is asked of a VM: under TCG each costs 15 s.
func TestVM(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a VM three times")
	}
	begun := time.Now()
	m := StartVM(t, Options{Users: []User{Op()}, Verbose: true})
	t.Logf("up after %.1f s", time.Since(begun).Seconds())
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Minute)
	defer cancel()

	t.Run("run", func(t *testing.T) {
		m := m.With(t)
		r, err := m.Sh("echo out; echo err >&2; exit 7")
		if err != nil || r.Stdout != "out\n" || r.Stderr != "err\n" || r.Code != 7 {
			t.Errorf("Sh = %+v, %v", r, err)
		}
		if got := m.MustSh("grep ^0: /proc/self/cgroup"); got != "0::/system.slice/machine-exec.service\n" {
			t.Errorf("cgroup = %q", got)
		}
		if got := m.MustRunAs("op", "sh", "-c", "id -un; pwd"); got != "op\n/home/op\n" {
			t.Errorf("as op: %q", got)
		}
		_, err = m.RunContext(ctx, Command{Args: []string{"sleep", "987"}, Timeout: 300 * time.Millisecond})
		if !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v, want deadline exceeded", err)
		}
		text := strings.Repeat("x\x00\n", 100_000)
		m.MustWriteFile("/home/op/a/b", text, 0o600, "op")
		if got := m.MustReadFile("/home/op/a/b"); got != text {
			t.Errorf("read back %d bytes, want %d", len(got), len(text))
		}
	})
	t.Run("memory controller", func(t *testing.T) {
		m := m.With(t)
		if got := m.MustReadFile("/sys/fs/cgroup/cgroup.controllers"); !strings.Contains(got, "memory") || !strings.Contains(got, "io") {
			t.Errorf("controllers: %s", got)
		}
		r, err := m.Run("systemd-run", "--scope", "-p", "MemoryMax=20M", "-p", "MemorySwapMax=0", "tail", "/dev/zero")
		if err != nil || r.Code != 137 {
			t.Errorf("a hog under MemoryMax: %+v, %v", r, err)
		}
	})
	t.Run("reboot", func(t *testing.T) {
		m := m.With(t)
		before := m.MustReadFile("/proc/sys/kernel/random/boot_id")
		m.MustWriteFile("/root/kept", "yes", 0o600, "")
		if err := m.Reboot(ctx); err != nil {
			t.Fatal(err)
		}
		if after := m.MustReadFile("/proc/sys/kernel/random/boot_id"); after == before || m.MustReadFile("/root/kept") != "yes" {
			t.Errorf("boot id %s → %s", before, after)
		}
	})
	t.Run("power cut", func(t *testing.T) {
		m := m.With(t)
		m.MustSh("echo 1 > /root/synced; sync; echo 2 > /root/not-synced")
		p, err := m.Start(Command{Args: []string{"sleep", "987"}})
		if err != nil {
			t.Fatal(err)
		}
		if err := m.PowerCut(ctx); err != nil {
			t.Fatal(err)
		}
		if _, err := p.Wait(); !errors.Is(err, errGone) {
			t.Errorf("a command across a power cut: %v", err)
		}
		if got := m.MustReadFile("/root/synced"); got != "1\n" {
			t.Errorf("synced file: %q", got)
		}
		if r, err := m.Run("test", "-e", "/root/not-synced"); err != nil || r.Code == 0 {
			t.Errorf("a file that was never written to disk is there (%v)", err)
		}
	})
}
