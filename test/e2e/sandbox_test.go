package e2e

import (
	"slices"
	"strings"
	"testing"
)

// TestBridgeSandbox: the bridge has the sandbox of its service, and nothing is
// mounted over its /proc: the kernel would refuse bubblewrap, claude's own
// sandbox, a /proc of its own.
func TestBridgeSandbox(t *testing.T) {
	b := onShared(t)
	b.newProject("sandbox", nil)
	b.mustStart("sandbox")
	const script = `sed -n 's/^\(NoNewPrivs\|Seccomp\|CapBnd\):\t/\1=/p' "/proc/$1/status"; awk '{ print $5 }' "/proc/$1/mountinfo" | grep ^/proc`
	host := procMounts(b.MustSh(script, "1"))
	for _, pid := range b.bridgePIDs("sandbox") {
		text := b.MustSh(script, pid)
		for _, want := range []string{"NoNewPrivs=1\n", "Seccomp=2\n", "CapBnd=00000000000000e1\n"} {
			if !strings.Contains(text, want) {
				t.Errorf("process %s of the bridge: no %q in:\n%s", pid, want, text)
			}
		}
		if got := procMounts(text); !slices.Equal(got, host) {
			t.Errorf("mounts below /proc of the bridge: %v, of the machine: %v", got, host)
		}
	}
}

func procMounts(text string) []string {
	var mounts []string
	for _, line := range strings.Split(text, "\n") {
		if strings.HasPrefix(line, "/proc") {
			mounts = append(mounts, line)
		}
	}
	slices.Sort(mounts)
	return mounts
}

// TestAllowSudo: the drop-in that the documentation shows gives a bridge what
// sudo needs, and only that bridge.
func TestAllowSudo(t *testing.T) {
	b := onShared(t)
	const dropIns = "/run/systemd/system/clauster@sudoer.service.d"
	b.MustSh(`mkdir -p "$1" && cp /usr/share/doc/clauster/examples/allow-sudo.conf "$1" && systemctl daemon-reload`, dropIns)
	t.Cleanup(func() {
		if _, err := b.Sh(`rm -r "$1"; systemctl daemon-reload`, dropIns); err != nil {
			t.Error(err)
		}
	})
	for instance, want := range map[string]string{"sudoer": "NoNewPrivs:\t0\n", "sober": "NoNewPrivs:\t1\n"} {
		b.newProject(instance, nil)
		b.mustStart(instance)
		for _, pid := range b.bridgePIDs(instance) {
			if got := b.MustSh(`grep NoNewPrivs "/proc/$1/status"`, pid); got != want {
				t.Errorf("%s: %q, want %q", instance, got, want)
			}
		}
	}
	// The bounding set is what a setuid program can get at most.
	whole := b.MustSh("grep CapBnd /proc/1/status")
	for _, pid := range b.bridgePIDs("sudoer") {
		if got := b.MustSh(`grep CapBnd "/proc/$1/status"`, pid); got != whole {
			t.Errorf("bounding set of the bridge: %q, of the machine: %q", got, whole)
		}
	}
}

// TestPolkit: members of the group and the account of the API start, stop,
// restart and reset bridges; nobody else does, and they do nothing else.
func TestPolkit(t *testing.T) {
	b := onShared(t)
	b.MustSh(`id member 2>/dev/null || useradd -m -G clauster member; id stranger 2>/dev/null || useradd -m stranger`)
	b.newProject("polkit", nil)
	b.newProject("polkit-fails", map[string]string{"mode": "crash-at-start=logged-out"})
	verbs := func(user string, want bool) {
		t.Helper()
		for _, verb := range []string{"start", "restart", "stop"} {
			r, err := b.RunAs(user, "systemctl", "--no-ask-password", verb, "clauster@polkit")
			if err != nil {
				t.Fatal(err)
			}
			if got := r.Code == 0; got != want {
				t.Errorf("%s may %s: %v, want %v: %s", user, verb, got, want, r.Stderr)
			}
		}
	}
	verbs("stranger", false)
	verbs("member", true)
	// The account of the API, as its service has it: no shell, no home.
	verbs("clauster", true)
	for _, user := range []string{"member", "clauster"} {
		b.notAllowed(user, [][]string{
			{"systemctl", "stop", "dbus.service"}, {"systemctl", "start", "clauster@a:b:c.service"}, {"systemctl", "start", "clauster@-x.service"},
			{"systemctl", "enable", "clauster@polkit"}, {"systemctl", "set-property", "clauster@polkit.service", "MemoryMax=1"},
			{"systemctl", "daemon-reload"}, {"systemctl", "kill", "clauster@polkit.service"}, {"systemctl", "reload", "clauster@polkit.service"},
			{"systemctl", "mask", "clauster@polkit.service"}, {"systemctl", "poweroff"},
			{"systemd-run", "--scope", "true"}, {"systemd-run", "--unit", "clauster@made.service", "true"},
		})
	}
	b.mustStart("polkit")
	b.notAllowed("clauster", [][]string{{"systemctl", "stop", "clauster-bridge-polkit.scope"}, {"systemctl", "freeze", "clauster-bridge-polkit.scope"}})
	b.stop("polkit")

	if r := b.start("polkit-fails"); r.Code == 0 {
		t.Fatal("a bridge that is logged out started")
	}
	r, err := b.RunAs("clauster", "systemctl", "--no-ask-password", "reset-failed", "clauster@polkit-fails")
	if err != nil || r.Code != 0 {
		t.Errorf("the API may not reset-failed: %s (%v)", r.Stderr, err)
	}
}

// notAllowed runs commands as a user and wants each of them refused.
func (b *bed) notAllowed(user string, commands [][]string) {
	b.t.Helper()
	for _, args := range commands {
		r, err := b.RunAs(user, append([]string{args[0], "--no-ask-password"}, args[1:]...)...)
		if err != nil {
			b.t.Fatal(err)
		}
		if r.Code == 0 {
			b.t.Errorf("%s may %s", user, strings.Join(args, " "))
		}
	}
}
