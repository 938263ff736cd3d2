// Package account finds the bridge user and becomes it: the one place where
// something of ours gives up root. The keeper and clauster-api home share it,
// so that both refuse the same users and drop in the same way.
package account

import (
	"errors"
	"fmt"
	"os"
	osuser "os/user"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// User is the bridge user as a launch needs it.
type User struct {
	Name   string `json:"name"`
	UID    int    `json:"uid"`
	GID    int    `json:"gid"`
	Groups []int  `json:"groups"`
	Home   string `json:"home"`
	Shell  string `json:"shell"`
}

// APIGroup is the group that may use the control sockets and read root's
// configuration. A bridge user in it could reach both.
const APIGroup = "clauster"

// riskyGroups are worth a warning: an agent in one of them is hardly confined.
func riskyGroups() []string {
	return []string{"docker", "sudo", "wheel", "systemd-journal", "adm", "lxd", "libvirt"}
}

// Lookup finds the bridge user. It refuses root and members of group
// clauster, and names the risky groups the user is in. passwd reads passwd(5),
// for the shell.
func Lookup(name string, passwd func() ([]byte, error)) (u User, risky []string, err error) {
	found, err := osuser.Lookup(name)
	if err != nil {
		return User{}, nil, fmt.Errorf("cannot find the bridge user %q: no such user on this host", name)
	}
	if u, risky, err = Judge(found); err == nil {
		u.Shell = shellOf(name, passwd)
	}
	return u, risky, err
}

// Judge is Lookup for an account that was found already; without its shell.
func Judge(found *osuser.User) (u User, risky []string, err error) {
	name := found.Username
	u = User{Name: name, Home: found.HomeDir}
	if u.UID, err = strconv.Atoi(found.Uid); err != nil {
		return User{}, nil, fmt.Errorf("cannot use the bridge user %q: uid %q is not a number", name, found.Uid)
	}
	if u.GID, err = strconv.Atoi(found.Gid); err != nil {
		return User{}, nil, fmt.Errorf("cannot use the bridge user %q: gid %q is not a number", name, found.Gid)
	}
	if u.UID == 0 {
		return User{}, nil, errors.New("cannot run bridges as root: an agent would own the host")
	}
	ids, err := found.GroupIds()
	if err != nil {
		return User{}, nil, fmt.Errorf("cannot list the groups of %q: %w", name, err)
	}
	for _, id := range ids {
		gid, err := strconv.Atoi(id)
		if err != nil {
			continue
		}
		u.Groups = append(u.Groups, gid)
		group, err := osuser.LookupGroupId(id)
		switch {
		case err != nil:
		case group.Name == APIGroup || gid == 0:
			return User{}, nil, fmt.Errorf("cannot run bridges as %q: it is a member of group %s, which may control every bridge", name, group.Name)
		case slices.Contains(riskyGroups(), group.Name):
			risky = append(risky, group.Name)
		}
	}
	return u, risky, nil
}

// shellOf reads the login shell, which os/user does not give; field 7 of
// passwd(5).
func shellOf(name string, passwd func() ([]byte, error)) string {
	data, err := passwd()
	if err != nil {
		return ""
	}
	for line := range strings.Lines(string(data)) {
		f := strings.Split(strings.TrimSpace(line), ":")
		if len(f) == 7 && f[0] == name {
			return f[6]
		}
	}
	return ""
}

// Own is the bridge user of user mode: the caller.
func Own() (User, error) {
	found, err := osuser.LookupId(strconv.Itoa(syscall.Getuid()))
	if err != nil {
		return User{}, fmt.Errorf("cannot find the own login: %w", err)
	}
	groups, err := syscall.Getgroups()
	if err != nil {
		return User{}, fmt.Errorf("cannot list the own groups: %w", err)
	}
	shell := shellOf(found.Username, func() ([]byte, error) { return os.ReadFile("/etc/passwd") })
	return User{Name: found.Username, UID: syscall.Getuid(), GID: syscall.Getgid(), Groups: groups, Home: found.HomeDir, Shell: shell}, nil
}

// Drop becomes the bridge user for good, on every thread (package syscall
// does that for setuid calls). The kernel clears all capability sets with the
// last uid 0, and marks the process non-dumpable; an executable of mode 0711
// keeps it so across a re-exec.
func (u User) Drop() error {
	if syscall.Geteuid() != 0 {
		return nil // user mode: nothing to drop
	}
	if err := syscall.Setgroups(u.Groups); err != nil {
		return fmt.Errorf("cannot drop root: setgroups: %w", err)
	}
	if err := syscall.Setresgid(u.GID, u.GID, u.GID); err != nil {
		return fmt.Errorf("cannot drop root: setresgid: %w", err)
	}
	if err := syscall.Setresuid(u.UID, u.UID, u.UID); err != nil {
		return fmt.Errorf("cannot drop root: setresuid: %w", err)
	}
	if err := syscall.Setresuid(0, 0, 0); err == nil {
		return errors.New("cannot drop root: it could be taken back")
	}
	return nil
}

// As runs f with the effective uid of the bridge user, on this thread alone,
// so that root without CAP_DAC_OVERRIDE can read what only that user may. The
// real and the saved uid stay root's: nobody else's signal reaches the keeper.
func (u User) As(f func() error) error {
	if syscall.Geteuid() != 0 {
		return f()
	}
	// Package syscall would change every thread.
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), uintptr(u.UID), ^uintptr(0)); e != 0 {
		return fmt.Errorf("cannot act as %s: %w", u.Name, e)
	}
	defer func() {
		if _, _, e := unix.RawSyscall(unix.SYS_SETRESUID, ^uintptr(0), 0, ^uintptr(0)); e != 0 {
			panic("cannot act as root again: " + e.Error()) // a thread of another uid must not serve anyone
		}
	}()
	return f()
}
