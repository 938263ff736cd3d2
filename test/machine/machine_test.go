package machine

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

var shared *Machine

func TestMain(m *testing.M) {
	// TestSweepAfterKill runs this binary again, to be killed.
	if name := os.Getenv("MACHINE_TEST_VICTIM"); name != "" {
		os.Exit(victim(name))
	}
	os.Exit(Main(m, Options{Users: []User{Op(), Admin()}, Verbose: true}, func(b *Machine) error {
		shared = b
		return nil
	}))
}

func TestRun(t *testing.T) {
	m := shared.With(t)
	r, err := m.Sh("echo out; echo err >&2; exit 7")
	if err != nil || r.Stdout != "out\n" || r.Stderr != "err\n" || r.Code != 7 {
		t.Errorf("Sh = %+v, %v", r, err)
	}
	if r, _ := m.Sh("kill -9 $$"); r.Code != 137 {
		t.Errorf("code of a killed command = %d, want 137", r.Code)
	}
	if got := m.MustRun("cat", "/proc/1/comm"); got != "systemd\n" {
		t.Errorf("PID 1 is %q", got)
	}
	if got := m.MustRun("hostname"); strings.TrimSpace(got) != m.Name() {
		t.Errorf("hostname = %q, want %s", got, m.Name())
	}
	links := m.MustSh("ls /sys/class/net /proc/sys/net/ipv4/conf")
	if !strings.Contains(links, "lo") || strings.Contains(links, "eth") {
		t.Errorf("network interfaces: %s", links)
	}
}

func TestRunTimesOut(t *testing.T) {
	m := shared.With(t)
	_, err := m.RunContext(context.Background(), Command{
		Args: []string{"sh", "-c", "sleep 987 & sleep 987"}, Timeout: 200 * time.Millisecond})
	if !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("err = %v, want deadline exceeded", err)
	}
	m.MustWaitFor("the end of the killed command", 5*time.Second, func() bool {
		r, err := m.Run("pgrep", "-f", "^sleep 987")
		return err == nil && r.Code == 1
	})
}

func TestCommandLandsInUnit(t *testing.T) {
	m := shared.With(t)
	const want = "0::/system.slice/machine-exec.service"
	if got := m.MustSh("grep ^0: /proc/self/cgroup"); strings.TrimSpace(got) != want {
		t.Errorf("cgroup = %q, want %s", got, want)
	}
	// A sender that is gone when journald looks at it belongs to no unit: this
	// one reads its input until the test ends.
	p := m.MustStart(Command{Args: []string{"logger", "-t", "belongs"}})
	if _, err := p.Stdin().Write([]byte("hello from a command\n")); err != nil {
		t.Fatal(err)
	}
	e := m.MustWaitJournal("the line of logger", func(Entry) bool { return true }, "SYSLOG_IDENTIFIER=belongs")
	if e.Get("_SYSTEMD_UNIT") != "machine-exec.service" || e.Get("MESSAGE") != "hello from a command" {
		t.Errorf("entry: unit %q, message %q", e.Get("_SYSTEMD_UNIT"), e.Get("MESSAGE"))
	}
}

func TestRunAs(t *testing.T) {
	m := shared.With(t)
	got := m.MustRunAs("op", "sh", "-c", `id -un; id -gn; pwd; echo $HOME $XDG_RUNTIME_DIR; grep CapEff /proc/self/status`)
	want := "op\nop\n/home/op\n/home/op /run/user/1000\nCapEff:\t0000000000000000\n"
	if got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	if got := m.MustRunAs("op", "systemctl", "--user", "is-system-running", "--wait"); got != "running\n" {
		t.Errorf("user manager: %q", got)
	}
	if got := m.MustRunAs("admin", "sudo", "-n", "id", "-un"); got != "root\n" {
		t.Errorf("admin with sudo is %q", got)
	}
	if _, err := m.RunAs("nobody-such", "true"); err == nil {
		t.Error("a user that does not exist: no error")
	}
}

func TestSession(t *testing.T) {
	m := shared.With(t)
	r, err := m.RunContext(context.Background(), Command{
		Args: []string{"sh", "-c", "id -un; cat /proc/self/cgroup; exit 3"}, User: "admin", Session: true})
	if err != nil || r.Code != 3 || !strings.Contains(r.Stdout, "session-") || !strings.HasPrefix(r.Stdout, "admin\n") {
		t.Errorf("session: %+v, %v", r, err)
	}
}

func TestFiles(t *testing.T) {
	m := shared.With(t)
	text := "a\x00b\n" + strings.Repeat("x", 200_000)
	m.MustWriteFile("/home/op/.config/deep/er/file", text, 0o640, "op")
	if got := m.MustReadFile("/home/op/.config/deep/er/file"); got != text {
		t.Errorf("read back %d bytes, want %d", len(got), len(text))
	}
	if got := m.MustRun("stat", "-c", "%U %a", "/home/op/.config/deep/er/file", "/home/op/.config"); got != "op 640\nop 755\n" {
		t.Errorf("owner and mode: %q", got)
	}
	m.MustWriteFile("/etc/owned", "1", 0o600, "op")
	if got := m.MustRun("stat", "-c", "%U %a", "/etc/owned"); got != "op 600\n" {
		t.Errorf("owner and mode: %q", got)
	}
	if _, err := m.ReadFile("/no/such"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("err = %v, want not exist", err)
	}
}

func TestWaitUnit(t *testing.T) {
	m := shared.With(t)
	t.Cleanup(func() { m.MustRun("systemctl", "reset-failed", "waits.service") })
	m.MustRun("systemd-run", "--unit=waits", "sh", "-c", "sleep 0.3; exit 5")
	m.MustWaitUnit("waits.service", "active/running", 5*time.Second)
	m.MustWaitUnit("waits.service", "failed", 5*time.Second)
	if got := m.MustShow("waits.service", "ExecMainStatus"); got != "5" {
		t.Errorf("ExecMainStatus = %s", got)
	}
	err := m.WaitUnit("waits.service", "active", 50*time.Millisecond)
	if err == nil || !strings.Contains(err.Error(), "failed/failed, result exit-code") {
		t.Errorf("err = %v", err)
	}
}

func TestProcessAndPIDs(t *testing.T) {
	m := shared.With(t)
	p := m.MustStart(Command{Args: []string{"sh", "-c", "echo $$; read line; echo got $line; exec sleep 600"}, User: "op"})
	if err := p.WaitOutput(5*time.Second, func(s string) bool { return strings.HasSuffix(s, "\n") }); err != nil {
		t.Fatal(err)
	}
	pid, err := strconv.Atoi(strings.TrimSpace(p.Stdout()))
	if err != nil {
		t.Fatal(err)
	}
	host, err := m.HostPID(pid)
	if err != nil {
		t.Fatal(err)
	}
	if back, err := m.MachinePID(host); err != nil || back != pid || host == pid {
		t.Errorf("machine %d → host %d → machine %d, %v", pid, host, back, err)
	}
	if _, err := p.Stdin().Write([]byte("word\n")); err != nil {
		t.Fatal(err)
	}
	if err := p.WaitOutput(5*time.Second, func(s string) bool { return strings.Contains(s, "got word\n") }); err != nil {
		t.Fatal(err)
	}
	m.MustKill(pid, syscall.SIGTERM)
	if r, err := p.Wait(); err != nil || r.Code != 143 {
		t.Errorf("after SIGTERM: %+v, %v", r, err)
	}
}

func TestTerminal(t *testing.T) {
	m := shared.With(t)
	p := m.MustStart(Command{Args: []string{"sh", "-c", "test -t 0 && stty size; read x; stty size"}, User: "op", Terminal: true})
	if err := p.WaitOutput(5*time.Second, func(s string) bool { return strings.Contains(s, "40 120") }); err != nil {
		t.Fatal(err)
	}
	if err := p.Resize(100, 30); err != nil {
		t.Fatal(err)
	}
	if _, err := p.Stdin().Write([]byte("\n")); err != nil {
		t.Fatal(err)
	}
	if r, err := p.Wait(); err != nil || r.Code != 0 || !strings.Contains(r.Stdout, "30 100") {
		t.Errorf("terminal: %+v, %v", r, err)
	}
}

func TestReboot(t *testing.T) {
	m := Start(t, Options{})
	m.MustWriteFile("/root/kept", "yes", 0o600, "")
	before := m.MustReadFile("/proc/sys/kernel/random/boot_id") // the host's: containers share a kernel
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	old := m.Leader()
	if err := m.Reboot(ctx); err != nil {
		t.Fatal(err)
	}
	if m.Leader() == old || m.MustReadFile("/root/kept") != "yes" || before == "" {
		t.Errorf("leader %d → %d", old, m.Leader())
	}
}
