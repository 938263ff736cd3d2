package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"syscall"
	"time"
)

// Command is something to run in a machine.
type Command struct {
	Args []string
	User string            // root when empty
	Env  map[string]string // on top of the user's login environment
	Dir  string            // the user's home when empty
	In   io.Reader         // standard input, empty when nil
	// Session opens a logind session through PAM (systemd-run, PAMName=login):
	// slower, but the command has a session scope of its own.
	Session bool
	// Terminal gives the command a terminal of 120×40 as its stdin, stdout and
	// stderr, all of whose output counts as Stdout. Containers only.
	Terminal bool
	// Timeout is 60 s when zero; the command is killed at its end.
	Timeout time.Duration
}

// Result is how a command ended.
type Result struct {
	Stdout, Stderr string
	Code           int // as a shell counts: 128+N for signal N
}

// command is a Command made ready for a back end: the account is known and the
// environment complete.
type command struct {
	Command
	account account
	env     []string // KEY=value, all of it
}

// proc is a back end's running command.
type proc interface {
	wait() (code int, err error)
	stdout() string
	stderr() string
	// stdin is nil unless the command was started with a nil In.
	stdin() io.WriteCloser
	signal(sig syscall.Signal) error
	resize(cols, rows int) error
}

// systemPath is root's and, behind ~/.local/bin, every user's search path.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

const defaultTimeout = 60 * time.Second

// Run executes a command as root and waits for it. A command that exits with
// another code than 0 is no error; one that cannot be run or does not end in
// 60 s is.
func (m *Machine) Run(args ...string) (Result, error) {
	return m.RunContext(context.Background(), Command{Args: args})
}

// RunAs is Run as another user, with the environment of a login and in the
// user's home directory.
func (m *Machine) RunAs(user string, args ...string) (Result, error) {
	return m.RunContext(context.Background(), Command{Args: args, User: user})
}

// Sh is Run of a shell script. Arguments become $1 and so on.
func (m *Machine) Sh(script string, args ...string) (Result, error) {
	return m.Run(append([]string{"/bin/sh", "-c", script, "sh"}, args...)...)
}

// RunContext executes a command and waits for it. When ctx or the command's
// timeout ends first, the command is killed and the error says so.
func (m *Machine) RunContext(ctx context.Context, c Command) (Result, error) {
	if c.In == nil {
		c.In = strings.NewReader("")
	}
	p, err := m.StartContext(ctx, c)
	if err != nil {
		return Result{}, err
	}
	return p.Wait()
}

// MustRun is Run for a command that must succeed; it returns its standard
// output. It fails the test of this view otherwise.
func (m *Machine) MustRun(args ...string) string {
	m.tb.Helper()
	return m.must(Command{Args: args})
}

// MustRunAs is RunAs for a command that must succeed.
func (m *Machine) MustRunAs(user string, args ...string) string {
	m.tb.Helper()
	return m.must(Command{Args: args, User: user})
}

// MustSh is Sh for a script that must succeed.
func (m *Machine) MustSh(script string, args ...string) string {
	m.tb.Helper()
	return m.must(Command{Args: append([]string{"/bin/sh", "-c", script, "sh"}, args...)})
}

func (m *Machine) must(c Command) string {
	m.tb.Helper()
	r, err := m.RunContext(context.Background(), c)
	if err == nil {
		err = r.check(c)
	}
	if err != nil {
		m.tb.Fatalf("%v", err)
	}
	return r.Stdout
}

func (r Result) check(c Command) error {
	if r.Code == 0 {
		return nil
	}
	return fmt.Errorf("cannot run %q in the machine: exit code %d\n%s%s", c.Args, r.Code, r.Stdout, r.Stderr)
}

// Process is a command that runs in a machine while the test goes on.
type Process struct {
	proc
	cmd    Command
	cancel context.CancelFunc
	ctx    context.Context
}

// Start begins a command and does not wait for it. The caller calls Wait.
func (m *Machine) Start(c Command) (*Process, error) {
	return m.StartContext(context.Background(), c)
}

// MustStart is Start in a test, whose end kills the command.
func (m *Machine) MustStart(c Command) *Process {
	m.tb.Helper()
	p, err := m.Start(c)
	if err != nil {
		m.tb.Fatalf("%v", err)
	}
	m.tb.Cleanup(p.cancel)
	return p
}

// StartContext begins a command that is killed when ctx ends. With a nil In its
// standard input stays open for Process.Stdin.
func (m *Machine) StartContext(ctx context.Context, c Command) (*Process, error) {
	if len(c.Args) == 0 {
		return nil, errors.New("cannot run a command in the machine: it has no words")
	}
	ready, err := m.prepare(ctx, c)
	if err != nil {
		return nil, err
	}
	timeout := c.Timeout
	if timeout == 0 {
		timeout = defaultTimeout
	}
	ctx, cancel := context.WithTimeout(ctx, timeout)
	p, err := m.back.start(ctx, ready)
	if err != nil {
		cancel()
		return nil, fmt.Errorf("cannot run %q in the machine: %w", c.Args, err)
	}
	return &Process{proc: p, cmd: c, cancel: cancel, ctx: ctx}, nil
}

// Wait waits for the command's end. Call it once.
func (p *Process) Wait() (Result, error) {
	defer p.cancel()
	code, err := p.wait()
	r := Result{Stdout: p.stdout(), Stderr: p.stderr(), Code: code}
	if cause := p.ctx.Err(); cause != nil {
		return r, fmt.Errorf("cannot run %q in the machine: killed: %w\n%s%s", p.cmd.Args, cause, r.Stdout, r.Stderr)
	}
	if err != nil {
		return r, fmt.Errorf("cannot run %q in the machine: %w", p.cmd.Args, err)
	}
	return r, nil
}

// Stdout is what the command has printed so far.
func (p *Process) Stdout() string { return p.stdout() }

// Stderr is what the command has printed on its standard error so far.
func (p *Process) Stderr() string { return p.stderr() }

// Stdin writes to the command; it is nil for one started with an In.
func (p *Process) Stdin() io.WriteCloser { return p.stdin() }

// Signal sends a signal to the command and its process group.
func (p *Process) Signal(sig syscall.Signal) error { return p.signal(sig) }

// Resize changes the size of the command's terminal.
func (p *Process) Resize(cols, rows int) error { return p.resize(cols, rows) }

// WaitOutput waits until cond holds for the standard output so far.
func (p *Process) WaitOutput(timeout time.Duration, cond func(stdout string) bool) error {
	if waitFor(timeout, func() bool { return cond(p.stdout()) }) {
		return nil
	}
	return fmt.Errorf("cannot see the expected output of %q in %v; so far:\n%s%s", p.cmd.Args, timeout, p.stdout(), p.stderr())
}

// prepare looks the user up and completes the environment.
func (m *Machine) prepare(ctx context.Context, c Command) (command, error) {
	who, err := m.account(ctx, c.User)
	if err != nil {
		return command{}, err
	}
	if c.Session {
		c = asSession(c, who)
		who = rootAccount
	}
	env := who.env()
	for k, v := range c.Env {
		env = append(env, k+"="+v)
	}
	if c.Dir == "" {
		c.Dir = who.home
	}
	if c.Terminal {
		env = append(env, "TERM=xterm-256color")
	}
	return command{Command: c, account: who, env: env}, nil
}

// asSession wraps a command so that PAM opens a logind session for it.
func asSession(c Command, who account) Command {
	mode := "--pipe"
	if c.Terminal {
		mode = "--pty"
	}
	args := []string{"systemd-run", mode, "--wait", "--quiet", "--collect", "--uid=" + who.name,
		"-p", "PAMName=login", "-p", "StandardError=inherit"}
	if c.Dir == "" {
		c.Dir = who.home
	}
	args = append(args, "--working-directory="+c.Dir)
	for k, v := range c.Env {
		args = append(args, "--setenv="+k+"="+v)
	}
	c.Args = append(append(args, "--"), c.Args...)
	c.User, c.Env, c.Dir, c.Session = "", nil, "/", false
	return c
}
