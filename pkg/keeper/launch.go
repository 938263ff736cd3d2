package keeper

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/account"
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
func (k *keeper) makeSpool(u account.User) error {
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

// enclose makes the bridge's scope around the gate and closes the bus again.
func (k *keeper) enclose(ctx context.Context, pid int) error {
	ctx, cancel := context.WithTimeout(ctx, launchWait)
	defer cancel()
	bus, err := k.connect(ctx)
	if err != nil {
		return err
	}
	defer k.disconnect()
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
	path, err := cgroup.Path(pid)
	if err != nil {
		return err
	}
	if filepath.Base(path) != k.inst.Scope() {
		return fmt.Errorf("cannot enclose the bridge: its process is in %s", path)
	}
	k.checkLimits(path, refused)
	k.st.Run.Cgroup = path
	return nil
}
