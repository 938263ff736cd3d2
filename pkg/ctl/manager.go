package ctl

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"clauster/pkg/systemd"
)

// Systemd is what the commands need of pkg/systemd. Errors wrap
// systemd.ErrUnreachable and systemd.ErrDenied; Do gives systemd's result
// word, "done" for success, and waits as long as its context.
type Systemd interface {
	Version(ctx context.Context) (string, error)
	ControlGroup(ctx context.Context) (string, error)
	ListUnits(ctx context.Context, patterns ...string) ([]systemd.UnitStatus, error)
	Glances(ctx context.Context, services []string) (map[string]systemd.Glance, error)
	Services(ctx context.Context, services []string) (map[string]systemd.ServiceProperties, error)
	ActiveSince(ctx context.Context, units []string) (map[string]time.Time, error)
	MainPID(ctx context.Context, unit string) (int, error)
	Do(ctx context.Context, v systemd.Verb, unit string) (string, error)
	Enqueue(ctx context.Context, v systemd.Verb, unit string) error
	ResetFailed(ctx context.Context, unit string) error
	Close()
}

func connectSystemd(ctx context.Context, m systemd.Manager) (Systemd, error) {
	return systemd.Connect(ctx, m)
}

// oldestSystemd is the oldest release that is known to work: Ubuntu 22.04's.
const oldestSystemd = 249

// systemd connects to the manager. Where there is none that fits, the error
// says in one sentence what this machine is instead.
func (a *App) systemd(ctx context.Context) (Systemd, error) {
	if _, err := os.Stat(a.path("/run/systemd/system")); err != nil {
		return nil, a.withoutSystemd()
	}
	if err := a.cgroups().Check(); err != nil {
		return nil, &fault{ExitUnreachable, err, ""}
	}
	bus, err := a.Connect(ctx, a.manager())
	if err != nil {
		if a.userMode {
			return nil, &fault{ExitUnreachable, err, "loginctl enable-linger " + a.userName() + ", or log in: machinectl shell " + a.userName() + "@"}
		}
		return nil, &fault{ExitUnreachable, err, "systemctl status dbus.service"}
	}
	version, err := bus.Version(ctx)
	if err != nil {
		bus.Close()
		return nil, err
	}
	if n := majorVersion(version); n > 0 && n < oldestSystemd {
		bus.Close()
		return nil, unreachable("", "this systemd is version %d, and Clauster needs %d or later", n, oldestSystemd)
	}
	return bus, nil
}

// majorVersion reads "252.39-1~deb12u1" and "v255"; 0 where it cannot.
func majorVersion(s string) int {
	s = strings.TrimPrefix(s, "v")
	end := strings.IndexFunc(s, func(r rune) bool { return r < '0' || r > '9' })
	if end >= 0 {
		s = s[:end]
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0
	}
	return n
}

// withoutSystemd says what a machine without systemd as PID 1 is.
func (a *App) withoutSystemd() error {
	kernel, _ := os.ReadFile(a.path("/proc/sys/kernel/osrelease"))
	if strings.Contains(strings.ToLower(string(kernel)), "microsoft") {
		return unreachable(`add "systemd=true" under [boot] in /etc/wsl.conf, then in Windows: wsl --shutdown`,
			"this WSL runs without systemd, and systemd is what runs bridges")
	}
	for _, mark := range [...]string{"/run/.containerenv", "/.dockerenv", "/run/systemd/container"} {
		if _, err := os.Stat(a.path(mark)); err == nil {
			return unreachable("run it on the host, or boot the container with systemd as its init",
				"this container runs without systemd, and systemd is what runs bridges")
		}
	}
	return unreachable("", "this system was not booted with systemd, and systemd is what runs bridges")
}

// denied turns systemd's refusal into the sentence for this caller: somebody
// without the right, or a member of the group whom only a missing polkit keeps
// out.
func (a *App) denied(err error, what ...string) error {
	if !errors.Is(err, systemd.ErrDenied) {
		return err
	}
	if !a.entitled() {
		return &fault{ExitUnreachable, err, a.sudoHint(what...)}
	}
	if _, e := os.Stat(a.path("/usr/share/dbus-1/system-services/org.freedesktop.PolicyKit1.service")); e != nil {
		return unreachable("sudo clauster-ctl "+strings.Join(what, " ")+", or install it: apt install polkitd",
			"polkit is not installed, and without it systemd takes orders from root only")
	}
	return &fault{ExitUnreachable, err, "sudo clauster-ctl " + strings.Join(what, " ")}
}
