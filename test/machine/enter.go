package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/creack/pty"
)

// enterArgs is the command line that enters the container's namespaces and
// becomes the user there.
func (c *container) enterArgs(leader int, cmd command) []string {
	args := []string{"nsenter", "--target", strconv.Itoa(leader), "--all", "--"}
	if cmd.account.uid != 0 {
		args = append(args, "setpriv", "--reuid", strconv.Itoa(cmd.account.uid),
			"--regid", strconv.Itoa(cmd.account.gid), "--init-groups", "--inh-caps=-all", "--")
	}
	// After the change of user: a home may be closed to root's caller, never to
	// its owner.
	args = append(args, "env", "-C", cmd.Dir, "--")
	return append(args, cmd.Args...)
}

// entryCgroup opens the cgroup of execUnit, in which the kernel is to create
// the command (clone3): moving it later would leave a moment in no unit.
// Before that unit exists, early in the boot, it is the machine's init.scope.
func (c *container) entryCgroup() (*os.File, error) {
	payload := filepath.Join(c.cgroups.unified, "payload")
	f, err := os.Open(filepath.Join(payload, "system.slice", execUnit))
	if errors.Is(err, os.ErrNotExist) {
		f, err = os.Open(filepath.Join(payload, "init.scope"))
	}
	return f, err
}

func (c *container) start(ctx context.Context, cmd command) (proc, error) {
	select {
	case <-c.exited:
		return nil, errors.New("the machine is down")
	default:
	}
	cgroup, err := c.entryCgroup()
	if err != nil {
		return nil, err
	}
	defer cgroup.Close()
	args := c.enterArgs(c.leaderPID(), cmd)
	p := &entered{cmd: exec.CommandContext(ctx, args[0], args[1:]...)}
	p.cmd.Env = cmd.env
	p.cmd.SysProcAttr = &syscall.SysProcAttr{UseCgroupFD: true, CgroupFD: int(cgroup.Fd())}
	// nsenter forks in the PID namespace, so killing it alone would leave the
	// command itself: kill the group.
	p.cmd.Cancel = func() error { return p.signal(syscall.SIGKILL) }
	// A daemon the command left behind may hold its pipes open for ever.
	p.cmd.WaitDelay = 2 * time.Second
	if cmd.Terminal {
		return p, p.startTerminal(cmd.In)
	}
	p.cmd.SysProcAttr.Setpgid = true
	p.cmd.Stdout, p.cmd.Stderr = &p.out, &p.err
	if cmd.In != nil {
		p.cmd.Stdin = cmd.In
	} else if p.in, err = p.cmd.StdinPipe(); err != nil {
		return nil, err
	}
	return p, p.cmd.Start()
}

// entered is a command in a container, seen from the host.
type entered struct {
	cmd      *exec.Cmd
	in       io.WriteCloser
	out, err buffer
	pty      *os.File
	drained  chan struct{}
}

func (p *entered) startTerminal(in io.Reader) error {
	f, err := pty.StartWithSize(p.cmd, &pty.Winsize{Cols: 120, Rows: 40})
	if err != nil {
		return err
	}
	p.pty, p.in, p.drained = f, f, make(chan struct{})
	go func() {
		defer close(p.drained)
		_, _ = io.Copy(&p.out, f) // ends with EIO when the last holder is gone
	}()
	if in != nil {
		p.in = nil
		go func() { _, _ = io.Copy(f, in) }() // ends with the terminal
	}
	return nil
}

func (p *entered) wait() (int, error) {
	err := p.cmd.Wait()
	if p.pty != nil {
		waitFor(p.cmd.WaitDelay, func() bool {
			select {
			case <-p.drained:
				return true
			default:
				return false
			}
		})
		p.pty.Close()
	}
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay):
		return p.cmd.ProcessState.ExitCode(), nil
	case errors.As(err, &exit):
		ws := exit.Sys().(syscall.WaitStatus) // always, on Linux
		if ws.Signaled() {
			return 128 + int(ws.Signal()), nil
		}
		return ws.ExitStatus(), nil
	}
	return -1, err
}

func (p *entered) stdout() string        { return p.out.String() }
func (p *entered) stderr() string        { return p.err.String() }
func (p *entered) stdin() io.WriteCloser { return p.in }

func (p *entered) signal(sig syscall.Signal) error {
	return syscall.Kill(-p.cmd.Process.Pid, sig)
}

func (p *entered) resize(cols, rows int) error {
	if p.pty == nil {
		return errors.New("cannot resize: the command has no terminal")
	}
	if err := pty.Setsize(p.pty, &pty.Winsize{Cols: uint16(cols), Rows: uint16(rows)}); err != nil {
		return fmt.Errorf("cannot resize: %w", err)
	}
	return nil
}

// lookPath finds a tool of this package's Debian packages.
func lookPath(name string) (string, error) {
	path, err := exec.LookPath(name)
	if err != nil {
		return "", fmt.Errorf("%w: run test/machine/deps.sh", err)
	}
	return path, nil
}
