package account

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// Confine makes the process, on every thread, one that no program it executes
// can give more to (no_new_privs) and that its uid's other processes cannot
// trace, and then looks whether all of it holds: no capability, no root.
func Confine() error {
	if _, _, e := syscall.AllThreadsSyscall6(unix.SYS_PRCTL, unix.PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0, 0); e != 0 && e != unix.ENOTSUP {
		return fmt.Errorf("cannot set no_new_privs: %w", e)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("cannot become untraceable: %w", err)
	}
	status, err := os.ReadFile("/proc/thread-self/status")
	if err != nil {
		return fmt.Errorf("cannot see whether root was dropped: %w", err)
	}
	return Confined(string(status))
}

// Confined reports what in a /proc/PID/status is more than a dropped process
// may have.
func Confined(status string) error {
	wanted := map[string]bool{"CapInh": false, "CapPrm": false, "CapEff": false, "CapAmb": false, "NoNewPrivs": false, "Uid": false}
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		if _, ok := wanted[name]; !ok {
			continue
		}
		value = strings.TrimSpace(value)
		switch {
		case name == "NoNewPrivs" && value != "1",
			name == "Uid" && strings.Contains(" "+strings.Join(strings.Fields(value), " ")+" ", " 0 "),
			strings.HasPrefix(name, "Cap") && strings.Trim(value, "0") != "":
			return fmt.Errorf("cannot drop root: %s is still %s", name, value)
		}
		wanted[name] = true
	}
	for _, seen := range wanted {
		if !seen {
			return errors.New("cannot see whether root was dropped: the kernel does not say")
		}
	}
	return nil
}
