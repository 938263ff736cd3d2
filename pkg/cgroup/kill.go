package cgroup

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// pollSlice bounds one wait for a notification, so that a lost one costs no
// more than this.
const pollSlice = 100 * time.Millisecond

// Kill sends SIGKILL to everything in the cgroup and below it, whatever it
// forks meanwhile, stopped and frozen processes too, and waits until nothing
// lives there, at most for the given time. A cgroup that is not there is a
// success. It refuses the root, and a cgroup that holds the caller.
func (h Host) Kill(path string, wait time.Duration) error {
	g, err := h.Open(path)
	if errors.Is(err, errNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer g.Close()
	own, err := h.Path(os.Getpid())
	if err == nil && (path == "/" || own == path || strings.HasPrefix(own, path+"/")) {
		return fmt.Errorf("cannot kill cgroup %s: this process lives in it", path)
	}
	return g.Kill(wait)
}

// Kill is System's Kill.
func Kill(path string, wait time.Duration) error { return System().Kill(path, wait) }

// Kill is Host.Kill for an open cgroup, without its refusals.
func (g *Group) Kill(wait time.Duration) error {
	deadline := time.Now().Add(wait)
	switch err := g.write("cgroup.kill", "1"); {
	case errors.Is(err, unix.ENODEV), errors.Is(err, errNotExist) && g.gone():
		return nil
	case errors.Is(err, errNotExist):
		return g.fail("kill", errors.New("this kernel has no cgroup.kill (it came with 5.14)"))
	case err != nil:
		return g.fail("kill", err)
	}
	return g.waitEmpty(deadline)
}

func (g *Group) write(file, text string) error {
	fd, err := unix.Openat(g.dir, file, unix.O_WRONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	_, err = unix.Write(fd, []byte(text))
	return err
}

// WaitEmpty waits until nothing lives in the cgroup or below it, at most for
// the given time. It blocks a thread; it is meant for ends, not for watching.
func (g *Group) WaitEmpty(wait time.Duration) error { return g.waitEmpty(time.Now().Add(wait)) }

func (g *Group) waitEmpty(deadline time.Time) error {
	fd, err := unix.Openat(g.dir, "cgroup.events", unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if errors.Is(err, errNotExist) || err == unix.ENODEV {
		return nil
	}
	if err != nil {
		return g.fail("watch", err)
	}
	defer unix.Close(fd)
	var buf [fileSize]byte
	for {
		// Reading arms the notification for what changes after it.
		n, err := unix.Pread(fd, buf[:], 0)
		switch populated, ok := field(buf[:max(n, 0)], "populated"); {
		case err == unix.ENODEV:
			return nil
		case err == unix.EINTR:
			continue
		case err != nil:
			return g.fail("watch", err)
		case ok && populated == 0:
			return nil
		}
		left := time.Until(deadline)
		if left <= 0 {
			return g.fail("empty", fmt.Errorf("processes are still there: %w", os.ErrDeadlineExceeded))
		}
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLPRI}}
		unix.Poll(fds, int(min(left, pollSlice)/time.Millisecond)+1)
	}
}
