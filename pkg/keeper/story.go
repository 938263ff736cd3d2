package keeper

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"

	"clauster/pkg/gate"
)

// maxStory bounds what is read of a gate's reports; they are a few hundred
// bytes, but the gate runs as the bridge user.
const maxStory = 256 << 10

// readStory peeks at everything the gate has reported so far. Peeking leaves
// it for a successor.
func readStory(fd int) (gate.Story, error) {
	data, err := peek(fd)
	if err != nil {
		return gate.Story{}, err
	}
	return gate.ReadStory(data)
}

func peek(fd int) ([]byte, error) {
	buf := make([]byte, 4096)
	for {
		n, _, err := unix.Recvfrom(fd, buf, unix.MSG_PEEK|unix.MSG_DONTWAIT)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case errors.Is(err, unix.EAGAIN):
			return nil, nil
		case err != nil:
			return nil, err
		case n == len(buf) && n < maxStory:
			buf = make([]byte, min(2*n, maxStory))
		default:
			return buf[:n], nil
		}
	}
}

// watchStory sends the story each time it has grown, until f is closed. The
// socket stays readable for ever once something was said, so it is the edge
// that matters, which is what Go's poller reports.
func watchStory(f *os.File, out chan<- gate.Story) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	known := 0
	for {
		var story gate.Story
		var readErr error
		err := raw.Read(func(fd uintptr) bool {
			data, err := peek(int(fd))
			if err == nil && len(data) <= known {
				return false // wait for more
			}
			known = len(data)
			story, readErr = gate.ReadStory(data)
			if readErr == nil {
				readErr = err
			}
			return true
		})
		if err = errors.Join(err, readErr); err != nil {
			return err
		}
		out <- story
	}
}

// waitReaper returns when the reaper has ended, or f is closed.
func waitReaper(f *os.File) error {
	raw, err := f.SyscallConn()
	if err != nil {
		return err
	}
	return raw.Read(func(fd uintptr) bool { return pidfdEnded(int(fd)) })
}

// pidfdEnded reports whether the process behind a pidfd has ended.
func pidfdEnded(fd int) bool {
	fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
	for {
		n, err := unix.Poll(fds, 0)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		return err == nil && n > 0
	}
}
