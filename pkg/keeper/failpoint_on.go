//go:build failpoints

package keeper

import (
	"os"

	"golang.org/x/sys/unix"
)

// failpointDir arms fail points in a test build: a file of the point's name
// kills the keeper there, once: the file is removed first, so the directory
// must be writable for the bridge user.
const failpointDir = "/run/clauster-failpoints/"

func failpoint(name string) {
	if os.Remove(failpointDir+name) == nil {
		_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
		select {}
	}
}
