package machine

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"
)

// account is what a command needs to know of its user.
type account struct {
	name, home, shell string
	uid, gid          int
}

var rootAccount = account{name: "root", home: "/root", shell: "/bin/bash"}

// env is the environment a login would give. It is built, so nothing of the
// test's own environment leaks into the machine.
func (a account) env() []string {
	path := systemPath
	if a.uid != 0 {
		path = a.home + "/.local/bin:" + path
	}
	env := []string{"HOME=" + a.home, "USER=" + a.name, "LOGNAME=" + a.name, "SHELL=" + a.shell,
		"PATH=" + path, "LANG=C.UTF-8", "TERM=dumb", "SYSTEMD_PAGER=", "SYSTEMD_COLORS=0"}
	if a.uid != 0 {
		dir := "/run/user/" + strconv.Itoa(a.uid)
		env = append(env, "XDG_RUNTIME_DIR="+dir, "DBUS_SESSION_BUS_ADDRESS=unix:path="+dir+"/bus")
	}
	return env
}

// account finds a user of the machine; root is known without asking, since it
// is asked for before the machine can answer.
func (m *Machine) account(ctx context.Context, name string) (account, error) {
	if name == "" || name == "root" {
		return rootAccount, nil
	}
	if a, ok := m.users.Load(name); ok {
		return a.(account), nil
	}
	r, err := m.RunContext(ctx, Command{Args: []string{"getent", "passwd", name}})
	if err != nil {
		return account{}, err
	}
	f := strings.Split(strings.TrimSpace(r.Stdout), ":")
	if r.Code != 0 || len(f) < 7 {
		return account{}, fmt.Errorf("cannot run as %s: the machine has no such user", name)
	}
	a := account{name: name, home: f[5], shell: f[6]}
	if a.uid, err = strconv.Atoi(f[2]); err != nil {
		return account{}, fmt.Errorf("cannot read uid of %s: %w", name, err)
	}
	if a.gid, err = strconv.Atoi(f[3]); err != nil {
		return account{}, fmt.Errorf("cannot read gid of %s: %w", name, err)
	}
	m.users.Store(name, a)
	return a, nil
}

// AddUser makes a user; with Linger it returns once its manager is up.
func (m *Machine) AddUser(u User) error {
	args := []string{"useradd", "--create-home", "--shell", "/bin/bash"}
	if u.UID != 0 {
		args = append(args, "--uid", strconv.Itoa(u.UID))
	}
	if len(u.Groups) > 0 {
		args = append(args, "--groups", strings.Join(u.Groups, ","))
	}
	if err := m.do(append(args, u.Name)...); err != nil {
		return err
	}
	if !u.Linger {
		return nil
	}
	if err := m.do("loginctl", "enable-linger", u.Name); err != nil {
		return err
	}
	who, err := m.account(context.Background(), u.Name)
	if err != nil {
		return err
	}
	return m.WaitUnit(fmt.Sprintf("user@%d.service", who.uid), "active", 30*time.Second)
}

// do is Run for a command whose failure is an error.
func (m *Machine) do(args ...string) error {
	r, err := m.Run(args...)
	if err != nil {
		return err
	}
	return r.check(Command{Args: args})
}
