package machine

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"syscall"
	"time"
)

// state is what a machine that outlives its starter tells other processes.
type state struct {
	Holder int // PID of the process that owns the machine
	Init   int // PID of the container's namespace init
}

// Publish lets other processes of this host find a container by name (Attach,
// StopNamed). The process that booted it keeps owning it.
func (m *Machine) Publish() error {
	c, ok := m.back.(*container)
	if !ok {
		return errors.New("cannot publish a VM")
	}
	data, err := json.Marshal(state{Holder: os.Getpid(), Init: c.init.Pid})
	if err != nil {
		return err
	}
	final := m.dirs.state(m.name)
	if err := os.WriteFile(final+".tmp", data, 0o644); err != nil {
		return err
	}
	return os.Rename(final+".tmp", final)
}

// Done is closed when a container has gone down, by itself or by Stop; nil for
// a VM.
func (m *Machine) Done() <-chan struct{} {
	if c, ok := m.back.(*container); ok {
		return c.exited
	}
	return nil
}

// errNoMachine says that no such machine is up.
var errNoMachine = errors.New("no such machine is up")

// published reads the state of a machine that is up.
func (d dirs) published(name string) (state, error) {
	var s state
	data, err := os.ReadFile(d.state(name))
	if err != nil {
		return s, errNoMachine
	}
	l, err := lock(filepath.Join(d.run(name), "lock"), false)
	if err == nil {
		l.Close() // nobody holds it: what the file says is history
		return s, errNoMachine
	}
	if !errors.Is(err, errLocked) {
		return s, err
	}
	return s, json.Unmarshal(data, &s)
}

// Attach gives a view of a container that another process owns and has
// published. Its Stop is an error; use StopNamed.
func Attach(name string) (*Machine, error) {
	d, err := findDirs()
	if err != nil {
		return nil, err
	}
	s, err := d.published(name)
	if err != nil {
		return nil, fmt.Errorf("cannot enter machine %s: %w", name, err)
	}
	leader := findLeader(s.Init)
	if leader == 0 {
		return nil, fmt.Errorf("cannot enter machine %s: it has no PID 1 at the moment", name)
	}
	text, err := os.ReadFile(filepath.Join(d.run(name), "cgroups"))
	if err != nil {
		return nil, err
	}
	c := &container{name: name, dirs: d, cgroups: decodeCgroups(string(text), name), leader: leader, exited: make(chan struct{})}
	return &Machine{core: &core{name: name, dirs: d, back: c}}, nil
}

// StopNamed asks the owner of a published machine to stop it, and returns when
// nothing of it is left. A machine that is not up is no error.
func StopNamed(name string) error {
	d, err := findDirs()
	if err != nil {
		return err
	}
	s, err := d.published(name)
	if errors.Is(err, errNoMachine) {
		return Sweep()
	} else if err != nil {
		return err
	}
	if err := syscall.Kill(s.Holder, syscall.SIGTERM); err != nil {
		return fmt.Errorf("cannot stop machine %s: %w", name, err)
	}
	gone := waitFor(20*time.Second, func() bool {
		_, err := d.published(name)
		return errors.Is(err, errNoMachine)
	})
	if !gone {
		return fmt.Errorf("cannot stop machine %s: its owner, process %d, does not end", name, s.Holder)
	}
	return Sweep()
}

// List gives the names of the published machines that are up.
func List() ([]string, error) {
	d, err := findDirs()
	if err != nil {
		return nil, err
	}
	entries, err := os.ReadDir(d.runs())
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, err := d.published(e.Name()); err == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// Enter replaces this process by a command in the machine, on this process's
// terminal. It returns only on failure.
func (m *Machine) Enter(cmd Command) error {
	c, ok := m.back.(*container)
	if !ok {
		return errors.New("cannot enter a VM")
	}
	ready, err := m.prepare(context.Background(), cmd)
	if err != nil {
		return err
	}
	args := c.enterArgs(c.leaderPID(), ready)
	cgroup, err := c.entryCgroup()
	if err != nil {
		return err
	}
	defer cgroup.Close()
	procs := filepath.Join(cgroup.Name(), "cgroup.procs")
	if err := os.WriteFile(procs, []byte(strconv.Itoa(os.Getpid())), 0); err != nil {
		return err
	}
	nsenter, err := lookPath(args[0])
	if err != nil {
		return err
	}
	return syscall.Exec(nsenter, args, ready.env)
}
