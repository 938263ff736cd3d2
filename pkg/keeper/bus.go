package keeper

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// The sandbox of clauster@.service hides the system bus from the bridge, which
// shares the keeper's mount table: over the bus any user may give himself a
// lingering user manager (logind's default policy), and a process that this
// manager runs is out of its bridge's control group, limits and stop. The
// keeper's own way to the bus lies behind a directory that only root may
// enter, and must still serve after the drop, when systemd is asked who sent a
// SIGTERM. So the directory is opened before the drop, and the socket reached
// through the descriptor, which no agent can have.

// fdBus is the name under which the way to the bus is handed over at a reload.
const fdBus = "bus"

const busVariable = "DBUS_SYSTEM_BUS_ADDRESS"

// drop becomes the bridge user for good, keeping the way to the bus.
func (k *keeper) drop() error {
	if err := k.holdBus(); err != nil {
		k.warn(err.Error())
	}
	return k.st.Run.User.Drop()
}

// holdBus opens the directory of the bus's socket, where one is named.
func (k *keeper) holdBus() error {
	path, found := strings.CutPrefix(os.Getenv(busVariable), "unix:path=")
	if !found || unix.Geteuid() != 0 || k.bus != 0 {
		return nil
	}
	fd, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot keep the way to the system bus %s: %w", path, err)
	}
	k.bus = fd
	return os.Setenv(busVariable, "unix:path=/proc/self/fd/"+strconv.Itoa(fd)+"/"+filepath.Base(path))
}

// adoptBus takes the descriptor over from the image before: its number, and so
// the address in the environment, is the same.
func (k *keeper) adoptBus() {
	if fd, handed := k.fds[fdBus]; handed {
		delete(k.fds, fdBus)
		k.bus = fd
	}
}

// busOutside forgets the address of the hidden bus in a process that systemd
// runs outside of the sandbox («+» in ExecStopPost=): there the bus is where it
// always is.
func busOutside() error {
	path, found := strings.CutPrefix(os.Getenv(busVariable), "unix:path=")
	if !found {
		return nil
	}
	if _, err := os.Lstat(path); err != nil {
		return os.Unsetenv(busVariable)
	}
	return nil
}
