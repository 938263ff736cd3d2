package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
)

// cleanupWait bounds the wait for a killed scope to be empty.
const cleanupWait = 10 * time.Second

// Cleanup is `clauster-keeper cleanup INSTANCE`, run by ExecStopPost= after
// every end of a keeper. It empties the bridge's scope, so that nothing is left
// when systemctl stop returns, but not where the keeper itself died: then the
// next keeper reattaches to the living bridge (systemd-252.md §7, the table).
// There is no D-Bus at shutdown, so it goes through the cgroup files.
func Cleanup(instance string, getenv func(string) string) error {
	inst, err := bridge.ParseInstance(instance)
	if err != nil {
		return err
	}
	if keeperDied(getenv("EXIT_CODE"), getenv("EXIT_STATUS")) {
		return nil
	}
	own, err := cgroup.Path(os.Getpid())
	if err != nil {
		return err
	}
	base := "/" // of the system manager
	if i := strings.Index(own, "/user@"); i >= 0 {
		end := strings.IndexByte(own[i+1:], '/')
		if end < 0 {
			return fmt.Errorf("cannot find the user manager's cgroup in %s", own)
		}
		base = own[:i+1+end]
	}
	scope := filepath.Join(base, bridge.Slice, inst.Scope())
	if err := cgroup.Kill(scope, cleanupWait); err != nil {
		return err
	}
	dirs, _, err := findDirs(inst, getenv, syscall.Geteuid() == 0)
	if err != nil {
		return err
	}
	if err := os.RemoveAll(dirs.spool); err != nil {
		return fmt.Errorf("cannot remove the spool: %w", err)
	}
	return nil
}

// keeperDied tells a keeper that was killed, panicked or was shot by the
// watchdog (Go ends with 2 for both) from one that ended on purpose.
func keeperDied(code, status string) bool {
	return code != "exited" || status == "2"
}
