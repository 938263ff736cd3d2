package keeper

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/systemd"
)

// cleanupWait bounds the wait for a killed scope to be empty.
const cleanupWait = 10 * time.Second

// removeWait bounds the emptying of a spool that somebody keeps filling.
const removeWait = 3 * time.Second

// Cleanup is `clauster-keeper cleanup INSTANCE`, run by ExecStopPost= after
// every end of a keeper. It empties the bridge's scope, so that nothing is left
// when systemctl stop returns, but not where the keeper itself died: then the
// next keeper reattaches to the living bridge (systemd-252.md §7, the table).
// Only if a stop was asked for there is no next keeper, and the end is made and
// told here. There is no D-Bus at shutdown, so it goes through the cgroup files.
func Cleanup(instance string, getenv func(string) string) error {
	inst, err := bridge.ParseInstance(instance)
	if err != nil {
		return nil // the keeper has refused this name and said so: nothing is there
	}
	dirs, manager, err := findDirs(inst, getenv, syscall.Geteuid() == 0)
	if err != nil {
		return err
	}
	scope, err := scopePath(inst)
	if err != nil {
		return err
	}
	if err := busOutside(); err != nil {
		return err
	}
	if keeperDied(getenv("EXIT_CODE"), getenv("EXIT_STATUS")) {
		switch job := pendingJob(inst, manager); job.Type {
		case "stop", "restart":
			o := &orphan{inst: inst, dirs: dirs, manager: manager}
			o.endGently(scope, time.Since(job.Since))
			if job.Type == "restart" { // the successor tells, and reads the last words first
				return cgroup.Kill(scope, cleanupWait)
			}
			// The fd store is dropped: no successor will know.
			defer o.tellStop(context.Background(), "stopped on request while its keeper was dead (exit status unknown)")
		default:
			return nil
		}
	}
	if err := cgroup.Kill(scope, cleanupWait); err != nil {
		return err
	}
	// No reason to fail the unit: agents of other bridges have the same uid and
	// may fill the spool while it is emptied. The next launch uses what is left.
	removed := make(chan error, 1)
	go func() { removed <- os.RemoveAll(dirs.spool) }()
	select {
	case err := <-removed:
		if err != nil {
			fmt.Fprintln(os.Stderr, "cannot remove the spool:", err)
		}
	case <-time.After(removeWait):
	}
	return nil
}

// scopePath is where the instance's scope lies, derived from the own cgroup.
func scopePath(inst bridge.Instance) (string, error) {
	own, err := cgroup.Path(os.Getpid())
	if err != nil {
		return "", err
	}
	base := "/" // of the system manager
	if i := strings.Index(own, "/user@"); i >= 0 {
		end := strings.IndexByte(own[i+1:], '/')
		if end < 0 {
			return "", fmt.Errorf("cannot find the user manager's cgroup in %s", own)
		}
		base = own[:i+1+end]
	}
	return filepath.Join(base, bridge.Slice, inst.Scope()), nil
}

// pendingJob asks what systemd is about to do with the unit, nothing where it
// cannot be asked: then the bridge is left to its scope's own stop.
func pendingJob(inst bridge.Instance, m systemd.Manager) systemd.Pending {
	ctx, cancel := context.WithTimeout(context.Background(), meantWait)
	defer cancel()
	bus, err := systemd.Connect(ctx, m)
	if err != nil {
		return systemd.Pending{}
	}
	defer bus.Close()
	job, err := bus.PendingJob(ctx, inst.Unit())
	if err != nil {
		return systemd.Pending{}
	}
	return job
}

// keeperDied tells a keeper that was killed, panicked or was shot by the
// watchdog (Go ends with 2 for both), or that systemd could not even execute
// (200 and above: systemd.exec(5)), from one that ended on purpose with a code
// of its own.
func keeperDied(code, status string) bool {
	n, err := strconv.Atoi(status)
	if code != "exited" || err != nil {
		return true
	}
	return !slices.Contains([]int{bridge.ExitStopped, bridge.ExitNotReady, bridge.ExitCrashed, bridge.ExitTemporary,
		bridge.ExitGaveUp, bridge.ExitPermanent, bridge.ExitConfig}, n)
}
