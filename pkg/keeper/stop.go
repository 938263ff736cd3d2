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
	drainWait = 2 * time.Second  // of what a dead bridge left in terminal and spool
	endWait   = 10 * time.Second // draining, telling and emptying the store
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

// Patience with the bus: askWait bounds one question, meantWait in user mode
// all of them.
const (
	askWait   = 3 * time.Second
	meantWait = 10 * time.Second
)

// meant reports whether systemd stands behind a SIGTERM: an agent shares the
// dropped keeper's uid and may send one, which must not stop the bridge. Only
// a bus that is not there at all means that the host is going down. Every
// other failure proves nothing, because an agent can cause it: it can use up
// the bus's connections of its uid, and with prlimit(2) the keeper's own
// descriptors. So it asks until there is an answer: systemd sends its SIGTERM
// only once, and a storm of 300 stops queues at the bus. In user mode there is nobody to protect the
// bridge from, and a bus that takes connections and answers none is what a user
// manager that goes down leaves.
func (k *keeper) meant() bool {
	for begin := time.Now(); ; time.Sleep(checkGap) {
		state, err := k.unitState()
		switch {
		case err == nil:
			return state == "deactivating" || state == "inactive" || state == "failed"
		case errors.Is(err, unix.ENOENT), errors.Is(err, unix.ECONNREFUSED):
			return true
		case k.manager == systemd.User && time.Since(begin) > meantWait:
			return true
		}
	}
}

func (k *keeper) unitState() (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), askWait)
	defer cancel()
	bus, err := systemd.Connect(ctx, k.manager)
	if err != nil {
		return "", err
	}
	defer bus.Close()
	return bus.ActiveState(ctx, k.inst.Unit())
}

// signalBridge sends through the reaper, which alone knows for sure which
// process claude is. SIGKILL and SIGCONT cannot be forwarded and go to claude
// itself, as long as the reaper that holds its zombie lives.
func (k *keeper) signalBridge(s unix.Signal) {
	if k.reaperGone() {
		return
	}
	r := k.st.Run
	if r.ClaudePID == 0 {
		// The gate still looks around and only keeps the requests; claude must
		// not be started any more.
		_ = unix.PidfdSendSignal(k.fds[fdReaper], unix.SIGKILL, nil, 0)
		return
	}
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
