package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"syscall"
	"time"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/control"
	"clauster/pkg/gate"
	"clauster/pkg/spool"
	"clauster/pkg/systemd"
	"clauster/pkg/terminal"
)

// Size of a bridge's terminal before anyone attaches. Claude's link line is
// 107 columns wide and would wrap below 120.
const (
	defaultRows = 40
	defaultCols = 120
	ringSize    = 256 << 10
	launchWait  = 30 * time.Second // for systemd to make the scope
)

// launchAndServe prepares as root, opens the gate, drops root and serves.
func (k *keeper) launchAndServe() int {
	ctx, cancel := k.untilStopped()
	k.tell(string(bridge.Starting), "preparing the launch") // without it a new scope looks like a reattach
	order, cause, err := k.prepare(ctx)
	if cause == nil && err == nil {
		cause, err = k.launch(ctx, order)
	}
	stopped := ctx.Err() != nil
	cancel()
	switch {
	case cause == nil && err == nil:
		return k.dropAndServe(stopped)
	case stopped:
		return k.stopBeforeLaunch()
	case err != nil:
		return k.refuse(bridge.Cause{Name: "launch-failed", Class: bridge.ClassTemporary, Reason: k.whyNot(err)})
	}
	return k.refuse(*cause)
}

// dropAndServe goes on behind the open gate. Only here, where no signal is
// taken unchecked any more, root is dropped: an agent that sends SIGTERM from
// its first instruction must not pass for systemd. A stop that came since the
// gate opened is left to the loop's check.
func (k *keeper) dropAndServe(stopped bool) int {
	if err := k.drop(); err != nil {
		return k.refuse(bridge.Cause{Name: "launch-failed", Class: bridge.ClassTemporary, Reason: k.whyNot(err)})
	}
	failpoint("dropped")
	if stopped {
		k.again(unix.SIGTERM)
	}
	return k.serve()
}

// untilStopped gives a context that ends with the first SIGTERM or SIGINT.
// While the keeper is root no agent can send one, so they are believed.
func (k *keeper) untilStopped() (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			select {
			case s := <-k.signals:
				if s != unix.SIGHUP {
					cancel()
					return
				}
			case <-ctx.Done():
				return
			}
		}
	}()
	return ctx, func() { cancel(); <-done }
}

// launch makes everything that has to exist before the gate may open, in an
// order in which a SIGKILL at any point leaves nothing that lives.
func (k *keeper) launch(ctx context.Context, order gate.Order) (*bridge.Cause, error) {
	r := k.st.Run
	failpoint("prepared")
	if err := k.makeSpool(r.User); err != nil {
		return nil, err
	}
	listener, err := k.listen()
	if err != nil {
		return nil, err
	}
	k.fds[fdListen] = listener
	failpoint("listening")
	if k.ring, err = terminal.NewRing(ringSize); err != nil {
		return nil, err
	}
	k.fds[fdRing] = k.ring.Fd()
	g, err := k.forkGate(r.User)
	if err != nil {
		return nil, err
	}
	defer g.order.Close() // unwritten: the gate ends by itself
	failpoint("gate-forked")
	r.ReaperPID = g.pid
	switch err := k.enclose(ctx, g.pid); {
	case errors.Is(err, systemd.ErrTooOld):
		return &bridge.Cause{Name: "systemd-too-old", Class: bridge.ClassConfig, Reason: err.Error()}, nil
	case err != nil:
		return nil, err
	}
	failpoint("scope-made")
	if err := k.records().Write(r.Record); err != nil {
		return nil, err
	}
	failpoint("recorded")
	k.memo.setSpool(spool.Position{})
	k.memo.setScanned(0)
	if err := k.save(); err != nil {
		return nil, err
	}
	failpoint("saved")
	for name, fd := range k.fds {
		if err := k.notify.Store(name, fd); err != nil {
			return nil, err
		}
	}
	if err := k.notify.Barrier(barrierWait); err != nil {
		return nil, err
	}
	failpoint("stored")
	if ctx.Err() != nil {
		return nil, ctx.Err()
	}
	line, err := json.Marshal(order)
	if err != nil {
		return nil, fmt.Errorf("cannot encode the order: %w", err)
	}
	if _, err := g.order.Write(append(line, '\n')); err != nil {
		return nil, fmt.Errorf("cannot open the gate: %w", err)
	}
	failpoint("gate-open")
	return nil, nil
}

// makeSpool makes the directory of the debug file, which belongs to the
// bridge user; its parent is root's, so it cannot be swapped for another. One
// left over from a run whose keeper was killed is used again: root here has no
// CAP_DAC_OVERRIDE (clauster@.service) and could not empty it; the gate does.
func (k *keeper) makeSpool(u user) error {
	wrap := func(err error) error { return fmt.Errorf("cannot make the spool %s: %w", k.dirs.spool, err) }
	if err := os.MkdirAll(filepath.Dir(k.dirs.spool), 0o711); err != nil {
		return wrap(err)
	}
	var st unix.Stat_t
	switch err := unix.Lstat(k.dirs.spool, &st); {
	case err == nil && st.Mode&unix.S_IFMT == unix.S_IFDIR && int(st.Uid) == u.UID:
		return nil
	case err == nil: // another bridge user's
		if err := os.Rename(k.dirs.spool, k.dirs.spool+".left-"+firstN(k.run, 12)); err != nil {
			return wrap(err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return wrap(err)
	}
	if err := os.Mkdir(k.dirs.spool, 0o700); err != nil {
		return wrap(err)
	}
	if err := os.Lchown(k.dirs.spool, u.UID, u.GID); err != nil {
		return wrap(err)
	}
	return nil
}

// listen makes the control socket and gives a descriptor for the store.
func (k *keeper) listen() (int, error) {
	gid := -1
	if k.manager == systemd.System {
		st, err := os.Stat(k.dirs.runtime)
		if err != nil {
			return -1, fmt.Errorf("cannot look at %s: %w", k.dirs.runtime, err)
		}
		if sys, ok := st.Sys().(*syscall.Stat_t); ok {
			gid = int(sys.Gid) // Group= of the unit: clauster
		}
	} else if err := os.MkdirAll(k.dirs.runtime, 0o700); err != nil {
		return -1, fmt.Errorf("cannot make %s: %w", k.dirs.runtime, err)
	}
	l, err := control.Listen(k.dirs.runtime, gid)
	if err != nil {
		return -1, err
	}
	defer l.Close()
	return dupOf(l.File())
}

// dupOf duplicates a file's descriptor, close-on-exec, without putting the
// file into blocking mode as Fd would.
func dupOf(f *os.File) (int, error) {
	raw, err := f.SyscallConn()
	if err != nil {
		return -1, err
	}
	dup := -1
	var dupErr error
	err = raw.Control(func(fd uintptr) { dup, dupErr = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3) })
	return dup, errors.Join(err, dupErr)
}

type gateProcess struct {
	pid   int
	order *os.File // write end: the order, or a close
}

// forkGate starts the gate as the bridge user on a new terminal. The pidfd,
// the terminal and the story land in k.fds.
func (k *keeper) forkGate(u user) (gateProcess, error) {
	none := gateProcess{}
	master, slave, err := pty.Open()
	if err != nil {
		return none, fmt.Errorf("cannot open a pseudo-terminal: %w", err)
	}
	defer slave.Close()
	// Not used but for its descriptor: package pty has put it into blocking
	// mode, and a pump that sits in read(2) can neither be stopped for a reload
	// nor meet a deadline (openTerminal undoes it).
	defer master.Close()
	if err := pty.Setsize(slave, &pty.Winsize{Rows: defaultRows, Cols: defaultCols}); err != nil {
		return none, fmt.Errorf("cannot size the pseudo-terminal: %w", err)
	}
	if err := slave.Chown(u.UID, -1); err != nil {
		return none, fmt.Errorf("cannot give the pseudo-terminal to %s: %w", u.Name, err)
	}
	orderR, orderW, err := os.Pipe()
	if err != nil {
		return none, fmt.Errorf("cannot make the gate's pipe: %w", err)
	}
	defer orderR.Close()
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		orderW.Close()
		return none, fmt.Errorf("cannot make the gate's socket: %w", err)
	}
	theirs := os.NewFile(uintptr(pair[1]), "story")
	defer theirs.Close()
	k.fds[fdStory] = pair[0]
	exe, err := os.Readlink("/proc/self/exe")
	if err != nil {
		orderW.Close()
		return none, fmt.Errorf("cannot find the own executable: %w", err)
	}
	cmd := exec.Cmd{Path: exe, Args: []string{"clauster-keeper", "gate", k.inst.String()}, Dir: "/",
		Env: []string{"LANG=C.UTF-8", "GOMAXPROCS=1", "GOGC=50"}, Stdin: slave, Stdout: slave, Stderr: slave,
		ExtraFiles:  []*os.File{orderR, theirs},
		SysProcAttr: &syscall.SysProcAttr{Setsid: true, Setctty: true}}
	if syscall.Geteuid() == 0 {
		cmd.SysProcAttr.Credential = &syscall.Credential{Uid: uint32(u.UID), Gid: uint32(u.GID), Groups: groups32(u.Groups)}
	}
	if err := cmd.Start(); err != nil {
		orderW.Close()
		return none, fmt.Errorf("cannot start the gate: %w", err)
	}
	pid := cmd.Process.Pid
	_ = cmd.Process.Release()
	pidfd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err == nil {
		k.fds[fdReaper] = pidfd
		k.fds[fdPTY], err = dupOf(master)
	}
	if err != nil {
		orderW.Close()
		return none, fmt.Errorf("cannot hold the gate: %w", err)
	}
	// The unit shields the keeper from the OOM killer; the bridge must not
	// inherit that. The gate itself may not write this file.
	_ = os.WriteFile("/proc/"+strconv.Itoa(pid)+"/oom_score_adj", []byte("0"), 0)
	return gateProcess{pid, orderW}, nil
}

func groups32(groups []int) []uint32 {
	out := make([]uint32, len(groups))
	for i, g := range groups {
		out[i] = uint32(g)
	}
	return out
}

// enclose makes the bridge's scope around the gate and closes the bus again.
func (k *keeper) enclose(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, launchWait)
	defer cancel()
	bus, err := systemd.Connect(ctx, k.manager)
	if err != nil {
		return err
	}
	defer bus.Close()
	if err := bus.CheckVersion(ctx); err != nil {
		return err
	}
	refused, err := bus.StartScope(ctx, systemd.Scope{
		Name: k.inst.Scope(), PID: pid, Slice: bridge.Slice, Service: k.inst.Unit(),
		Description: "Clauster bridge " + k.inst.String(), StopUSec: 10_000_000, Limits: k.limits,
	})
	if err != nil {
		return err
	}
	for _, name := range refused {
		k.warn("this systemd does not take " + name + " on a scope: the limit is not in force")
	}
	path, err := cgroup.Path(pid)
	if err != nil {
		return err
	}
	if filepath.Base(path) != k.inst.Scope() {
		return fmt.Errorf("cannot enclose the bridge: its process is in %s", path)
	}
	k.st.Run.Cgroup = path
	return nil
}
