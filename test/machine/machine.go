package machine

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Machine is one booted machine, or one test's view of it (see With). All
// methods are safe for concurrent use unless they say otherwise.
type Machine struct {
	*core
	tb testing.TB // nil outside a test: then Must methods panic
}

// core is what all views of a machine share.
type core struct {
	name  string
	dirs  dirs
	back  backend
	users sync.Map // name → account
	lock  *os.File // held while the machine counts as live; nil when attached
}

// backend is how one kind of machine starts, runs commands and ends.
type backend interface {
	// start begins a command; the process must be waited for.
	start(ctx context.Context, c command) (proc, error)
	// console is the end of what the machine printed on its console.
	console() string
	// reboot asks for nothing: it returns once a new PID 1 answers after the
	// function ask made the machine go down.
	reboot(ctx context.Context, ask func() error) error
	// stop ends the machine at once and frees all it holds. Idempotent.
	stop() error
}

// Start boots a container for one test and stops it when the test ends. It
// fails the test when the machine does not come up.
func Start(t testing.TB, o Options) *Machine {
	t.Helper()
	return started(t, o, Boot)
}

func started(t testing.TB, o Options, boot func(context.Context, Options) (*Machine, error)) *Machine {
	t.Helper()
	m, err := boot(context.Background(), o)
	if err != nil {
		t.Fatalf("%v", err)
	}
	t.Cleanup(func() {
		if err := m.Stop(); err != nil {
			t.Errorf("%v", err)
		}
	})
	return m.With(t)
}

// Boot boots a container and returns when systemd has settled. The caller
// stops it; it also dies with the process. ctx bounds the boot only.
func Boot(ctx context.Context, o Options) (*Machine, error) {
	if err := o.settle(false); err != nil {
		return nil, err
	}
	return boot(ctx, o, func(ctx context.Context, d dirs) (backend, error) {
		root, err := d.buildRoot(ctx, o.Verbose)
		if err != nil {
			return nil, err
		}
		return bootContainer(ctx, d, o, root)
	})
}

// boot is what both kinds of machine have in common.
func boot(ctx context.Context, o Options, start func(context.Context, dirs) (backend, error)) (*Machine, error) {
	d, err := findDirs()
	if err != nil {
		return nil, err
	}
	claim, err := d.claim(o.Name)
	if err != nil {
		return nil, fmt.Errorf("cannot boot machine %s: %w", o.Name, err)
	}
	back, err := start(ctx, d)
	if err != nil {
		claim.Close()
		return nil, fmt.Errorf("cannot boot machine %s: %w", o.Name, err)
	}
	m := &Machine{core: &core{name: o.Name, dirs: d, back: back, lock: claim}}
	ctx, cancel := context.WithTimeout(ctx, o.BootTimeout)
	defer cancel()
	if err := m.settle(ctx, o.Users); err != nil {
		err = fmt.Errorf("cannot boot machine %s: %w\nconsole:\n%s", o.Name, err, back.console())
		return nil, errors.Join(err, m.Stop())
	}
	return m, nil
}

// settle waits for the boot to end and makes the users.
func (m *Machine) settle(ctx context.Context, users []User) error {
	if err := m.waitBooted(ctx); err != nil {
		return err
	}
	for _, u := range users {
		if err := m.AddUser(u); err != nil {
			return err
		}
	}
	return nil
}

// waitBooted blocks in systemctl until the boot has ended; before PID 1
// listens, systemctl fails at once and is asked again.
func (m *Machine) waitBooted(ctx context.Context) error {
	var last Result
	var lastErr error
	up := waitContext(ctx, func() bool {
		last, lastErr = m.RunContext(ctx, Command{Args: []string{"systemctl", "is-system-running", "--wait"}})
		switch strings.TrimSpace(last.Stdout) {
		case "running", "degraded", "maintenance":
			return lastErr == nil
		}
		return false
	})
	if !up {
		return fmt.Errorf("systemd did not settle in time: %s%s (%v)", last.Stdout, last.Stderr, lastErr)
	}
	if state := strings.TrimSpace(last.Stdout); state != "running" {
		failed, _ := m.Run("systemctl", "list-units", "--failed", "--no-pager", "--no-legend")
		return fmt.Errorf("systemd is %s: %s", state, failed.Stdout)
	}
	return nil
}

// Name is the machine's name on this host and its host name.
func (m *Machine) Name() string { return m.name }

// With gives the view of a shared machine for one test: Must methods fail that
// test, and when it has failed its end dumps the machine's journal since now.
func (m *Machine) With(t testing.TB) *Machine {
	t.Helper()
	since := time.Now()
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(m.Dump(since))
		}
	})
	return &Machine{core: m.core, tb: t}
}

// Reboot reboots the machine by systemctl and waits until it has settled
// again. Users, files and the journal stay; /run does not.
func (m *Machine) Reboot(ctx context.Context) error {
	err := m.back.reboot(ctx, func() error {
		// The machine may be gone before the command has answered.
		_, err := m.RunContext(ctx, Command{Args: []string{"systemctl", "reboot", "--no-block"}})
		if ctx.Err() != nil {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("cannot reboot machine %s: %w", m.name, err)
	}
	return m.waitBooted(ctx)
}

// Stop ends the machine at once, as pulling the plug would, and removes
// everything it left. Idempotent.
func (m *Machine) Stop() error {
	if m.lock == nil {
		return errors.New("cannot stop an attached machine: its owner does that")
	}
	if err := m.back.stop(); err != nil {
		return fmt.Errorf("cannot stop machine %s: %w", m.name, err)
	}
	if err := m.dirs.discard(m.name); err != nil {
		return fmt.Errorf("cannot clean up after machine %s: %w", m.name, err)
	}
	return m.lock.Close()
}

// Main runs a package's tests against one shared machine and returns the exit
// code for os.Exit. ready gets the machine before the first test; its error
// fails the package.
func Main(tests *testing.M, o Options, ready func(*Machine) error) int {
	m, err := Boot(context.Background(), o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	code := 1
	if err := ready(m); err != nil {
		fmt.Fprintf(os.Stderr, "%v\n", err)
	} else {
		code = tests.Run()
	}
	if err := m.Stop(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// consoleFile is where a machine's console goes.
func (d dirs) consoleFile(name string) string { return filepath.Join(d.run(name), "console.log") }

// readTail reads the last bytes of a file, "" when it cannot.
func readTail(path string) string {
	text, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(text[max(0, len(text)-tailSize):])
}
