package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"

	"clauster/pkg/control"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// raw puts the terminal into raw mode; the function it gives undoes that and
// what full-screen programs leave switched on.
func (v *viewer) raw() (restore func(), err error) {
	if v.tty == nil {
		return func() {}, nil
	}
	fd := int(v.tty.Fd())
	old, err := term.MakeRaw(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot put the terminal into raw mode: %w", err)
	}
	return func() {
		// Alternate screen, mouse reports, focus reports, bracketed paste,
		// keyboard protocols, colours; then show the cursor.
		_, _ = io.WriteString(v.app.Stdout, "\x1b[?1049l\x1b[?1000l\x1b[?1002l\x1b[?1003l\x1b[?1006l\x1b[?1004l\x1b[?2004l"+
			"\x1b[>4;0m\x1b[<u\x1b[0m\x1b[?25h\r\n")
		_ = term.Restore(fd, old)
	}, nil
}

// typing sends what the operator types, until it is the detach keys. While the
// keeper is away it is dropped: what nobody sees should not act later.
func (v *viewer) typing(ctx context.Context, cancel context.CancelCauseFunc) {
	buf := make([]byte, 4096)
	for {
		n, err := readOrDone(ctx, int(v.tty.Fd()), buf)
		if err != nil {
			if ctx.Err() == nil {
				cancel(errDetached) // the terminal is gone
			}
			return
		}
		send, detach := v.keys.filter(buf[:n])
		if v.readOnly {
			const ctrlC = 3
			detach = detach || n == 1 && buf[0] == ctrlC
		} else if c := v.current(); c != nil && len(send) > 0 {
			_ = c.SendBytes(control.TypeInput, send) // the reading side notices
		}
		if detach {
			if c := v.current(); c != nil {
				_ = c.Send(control.TypeDetach, nil)
			}
			cancel(errDetached)
			return
		}
	}
}

// readOrDone reads what is typed, or ends with the context. A terminal's file
// cannot be given a deadline, so it is polled.
func readOrDone(ctx context.Context, fd int, buf []byte) (int, error) {
	var wake [2]int
	if err := unix.Pipe2(wake[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		return 0, err
	}
	defer unix.Close(wake[0])
	var once sync.Once
	closeWriter := func() { once.Do(func() { unix.Close(wake[1]) }) }
	defer closeWriter()
	defer context.AfterFunc(ctx, closeWriter)()
	for {
		fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}, {Fd: int32(wake[0]), Events: unix.POLLIN}}
		if _, err := unix.Poll(fds, -1); err != nil && !errors.Is(err, unix.EINTR) {
			return 0, err
		}
		if ctx.Err() != nil {
			return 0, ctx.Err()
		}
		if fds[0].Revents != 0 {
			n, err := unix.Read(fd, buf)
			if err == nil && n == 0 {
				err = io.EOF
			}
			return max(n, 0), err
		}
	}
}

// resizing tells the bridge when the terminal's size changes.
func (v *viewer) resizing(ctx context.Context) {
	if v.readOnly {
		return
	}
	changes := make(chan os.Signal, 1)
	signal.Notify(changes, unix.SIGWINCH)
	defer signal.Stop(changes)
	for {
		select {
		case <-ctx.Done():
			return
		case <-changes:
			if c, s := v.current(), v.size(); c != nil && s.Valid() {
				_ = c.Send(control.TypeResize, s) // the reading side notices
			}
		}
	}
}
