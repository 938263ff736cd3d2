package keeper

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"syscall"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"

	"clauster/pkg/account"
)

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
func (k *keeper) forkGate(u account.User) (gateProcess, error) {
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
	return gateProcess{pid, orderW}, nil
}

func groups32(groups []int) []uint32 {
	out := make([]uint32, len(groups))
	for i, g := range groups {
		out[i] = uint32(g)
	}
	return out
}
