package machine

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"syscall"
)

// HostPID gives the host's number for a process of a container, for tests that
// watch it from outside. VMs have none.
func (m *Machine) HostPID(pid int) (int, error) {
	c, ok := m.back.(*container)
	if !ok {
		return 0, errors.New("cannot map a PID: only containers share the host's processes")
	}
	want, err := os.Readlink(procPath(c.leaderPID(), "ns/pid"))
	if err != nil {
		return 0, err
	}
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return 0, err
	}
	for _, e := range entries {
		host, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if nsPID(host) != pid {
			continue
		}
		if ns, _ := os.Readlink(procPath(host, "ns/pid")); ns == want {
			return host, nil
		}
	}
	return 0, fmt.Errorf("cannot find process %d of machine %s", pid, m.name)
}

// MachinePID gives the machine's number for a process of the host.
func (m *Machine) MachinePID(host int) (int, error) {
	if p := nsPID(host); p != 0 {
		return p, nil
	}
	return 0, fmt.Errorf("cannot find process %d of the host", host)
}

// Leader is the host's PID of a container's PID 1, 0 for a VM. It changes at a
// reboot.
func (m *Machine) Leader() int {
	if c, ok := m.back.(*container); ok {
		return c.leaderPID()
	}
	return 0
}

// Kill sends a signal to a process by its number in the machine.
func (m *Machine) Kill(pid int, sig syscall.Signal) error {
	if _, ok := m.back.(*container); ok {
		host, err := m.HostPID(pid)
		if err != nil {
			return err
		}
		return syscall.Kill(host, sig)
	}
	return m.do("kill", "-"+strconv.Itoa(int(sig)), strconv.Itoa(pid))
}

// MustKill is Kill in a test.
func (m *Machine) MustKill(pid int, sig syscall.Signal) {
	m.tb.Helper()
	if err := m.Kill(pid, sig); err != nil {
		m.tb.Fatalf("%v", err)
	}
}
