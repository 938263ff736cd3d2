//go:build failpoints

package keeper

import (
	"os"

	"golang.org/x/sys/unix"
)

// failpointDir arms fail points in a test build: a file of the point's name
// kills the keeper there, once, or has it panic if the file says "panic", or
// stop there for good if it says "hang" (until somebody cuts the power). The
// file is removed first, so the directory must be writable for the bridge user
// (0777: a sticky bit would keep root's files in it).
const failpointDir = "/run/clauster-failpoints/"

func failpoint(name string) {
	how, err := os.ReadFile(failpointDir + name)
	if err != nil || os.Remove(failpointDir+name) != nil {
		return
	}
	switch string(how) {
	case "panic":
		panic("fail point " + name)
	case "hang":
		select {}
	}
	_ = unix.Kill(unix.Getpid(), unix.SIGKILL)
	select {}
}
