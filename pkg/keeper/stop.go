package keeper

import (
	"context"
	"errors"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
)

// The stop ladder (claude-cli.md §6): SIGINT, for the flag form a second one,
// then SIGTERM, then SIGKILL. What is left of the scope after that is killed by
// `clauster-keeper cleanup` in ExecStopPost. The sum stays well below
// TimeoutStopSec= of clauster@.service.
const (
	secondInt = 400 * time.Millisecond
	intWait   = 8 * time.Second
	termWait  = 4 * time.Second
	killWait  = 2 * time.Second
)

// rung is one step of the ladder: after wait, signal.
type rung struct {
	wait   time.Duration
	signal unix.Signal
}

// ladder gives the steps for a launch mode. SIGCONT lets a stopped claude take
// the request; a frozen one takes it never and falls to SIGKILL.
func ladder(mode bridge.Mode) []rung {
	steps := []rung{{0, unix.SIGINT}, {0, unix.SIGCONT}}
	left := intWait
	if mode == bridge.PTY {
		steps = append(steps, rung{secondInt, unix.SIGINT})
		left -= secondInt
	}
	return append(steps, rung{left, unix.SIGTERM}, rung{termWait, unix.SIGKILL})
}

// meantWait bounds the question below; a storm of 300 stops queues at the bus.
const meantWait = 10 * time.Second

// meant reports whether systemd stands behind a SIGTERM: an agent shares the
// dropped keeper's uid and may send one, which must not stop the bridge. No
// bus to ask means the host is going down. A bus that refuses for its limit of
// connections proves nothing, because an agent can use that up too; a stop that
// was meant then ends with TimeoutStopSec and the scope's own stop (PartOf=).
func (k *keeper) meant() bool {
	ctx, cancel := context.WithTimeout(context.Background(), meantWait)
	defer cancel()
	bus, err := systemd.Connect(ctx, k.manager)
	if err != nil {
		return !errors.Is(err, systemd.ErrBusy)
	}
	defer bus.Close()
	state, err := bus.ActiveState(ctx, k.inst.Unit())
	if err != nil {
		return true
	}
	return state == "deactivating" || state == "inactive" || state == "failed"
}

// signalBridge sends through the reaper, which alone knows for sure which
// process claude is. SIGKILL and SIGCONT cannot be forwarded and go to claude
// itself, as long as the reaper that holds its zombie lives.
func (k *keeper) signalBridge(s unix.Signal) {
	if k.reaperGone() {
		return
	}
	r := k.st.Run
	switch {
	case s != unix.SIGKILL && s != unix.SIGCONT:
		_ = unix.PidfdSendSignal(k.fds[fdReaper], s, nil, 0)
	case r.ClaudePID > 0:
		_ = unix.Kill(r.ClaudePID, s)
	}
	if s == unix.SIGCONT {
		_ = unix.PidfdSendSignal(k.fds[fdReaper], s, nil, 0)
	}
}
