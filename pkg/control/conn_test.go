package control

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// serve answers state requests until the listener closes.
func serve(t *testing.T, l *Listener, instance string) {
	t.Helper()
	done := make(chan struct{})
	t.Cleanup(func() { l.Close(); <-done })
	go func() {
		defer close(done)
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			answer(c, instance)
			c.Close()
		}
	}()
}

func answer(c *Conn, instance string) {
	if c.Greet(Hello{Instance: instance}) != nil {
		return
	}
	for {
		f, err := c.Read()
		if err != nil {
			return
		}
		switch f.Type {
		case TypeStateRequest:
			err = c.Send(TypeState, State{Instance: instance, KeeperPID: os.Getpid()})
		case TypeReloadRequest:
			err = c.Refuse(RefusedDenied, "no", "ask root")
		case TypeInput:
			err = c.SendBytes(TypeOutput, f.Payload)
		}
		if err != nil {
			return
		}
	}
}

func listen(t *testing.T, dir string) *Listener {
	t.Helper()
	l, err := Listen(dir, -1)
	if err != nil {
		t.Fatal(err)
	}
	return l
}

func deadline(t *testing.T) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	t.Cleanup(cancel)
	return ctx
}

func isSelf(pid int, uid uint32) error {
	if pid != os.Getpid() || uid != uint32(os.Getuid()) {
		return fmt.Errorf("pid %d uid %d: %w", pid, uid, ErrPeer)
	}
	return nil
}

func TestStateOverALongPath(t *testing.T) {
	dir := filepath.Join(t.TempDir(), strings.Repeat("d", 97)+":"+strings.Repeat("l", 32))
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	serve(t, listen(t, dir), "blog")
	c, err := Dial(deadline(t), filepath.Join(dir, SocketName), Hello{Role: "ctl", Instance: "blog"}, isSelf)
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	s, err := c.State(deadline(t))
	if err != nil || s.Instance != "blog" || s.KeeperPID != os.Getpid() {
		t.Fatalf("state %+v, %v", s, err)
	}
	var refused *Error
	if _, err := c.Reload(deadline(t)); !errors.As(err, &refused) || refused.Kind != RefusedDenied || refused.Hint != "ask root" {
		t.Fatalf("reload: %v", err)
	}
	big := bytes.Repeat([]byte("0123456789"), MaxPayload/10+100)
	go func() { _ = c.SendBytes(TypeInput, big) }() // the echo below tells
	var echo []byte
	for len(echo) < len(big) {
		f, err := c.Read()
		if err != nil {
			t.Fatal(err)
		}
		echo = append(echo, f.Payload...)
	}
	if !bytes.Equal(echo, big) {
		t.Fatal("the echo differs")
	}
}

func TestListenReplacesAndProtects(t *testing.T) {
	dir := t.TempDir()
	listen(t, dir).Close() // leaves its name, as a killed keeper does
	l := listen(t, dir)
	defer l.Close()
	fi, err := os.Lstat(filepath.Join(dir, SocketName))
	if err != nil || fi.Mode() != fs.ModeSocket|0o600 {
		t.Fatalf("mode %v, %v", fi.Mode(), err)
	}
	if os.Getuid() != 0 {
		t.Skip("giving the socket to a group needs root")
	}
	g, err := Listen(dir, 12345)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	fi, err = os.Lstat(filepath.Join(dir, SocketName))
	if err != nil || fi.Mode() != fs.ModeSocket|0o660 || fi.Sys().(*syscall.Stat_t).Gid != 12345 {
		t.Fatalf("mode %v, %v", fi.Mode(), err)
	}
}

func TestDialErrors(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, SocketName)
	if _, err := Dial(deadline(t), path, Hello{}, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no socket: %v", err)
	}
	listen(t, dir).Close()
	if _, err := Dial(deadline(t), path, Hello{}, nil); !errors.Is(err, unix.ECONNREFUSED) {
		t.Errorf("nobody listens: %v", err)
	}
	serve(t, listen(t, dir), "blog")
	var refused *Error
	if _, err := Dial(deadline(t), path, Hello{Instance: "shop"}, nil); !errors.As(err, &refused) {
		t.Errorf("other instance: %v", err)
	}
	// A wrong peer is asked again until the caller's patience ends.
	asked := 0
	ctx, cancel := context.WithCancel(deadline(t))
	_, err := Dial(ctx, path, Hello{}, func(int, uint32) error {
		if asked++; asked == 3 {
			cancel()
		}
		return ErrPeer
	})
	if !errors.Is(err, ErrPeer) || asked < 3 {
		t.Errorf("wrong peer: %v after %d attempts", err, asked)
	}
}

// A stored listener adopted by a successor answers who connected in between.
func TestAdopt(t *testing.T) {
	dir := t.TempDir()
	first := listen(t, dir)
	raw, err := first.File().SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	var stored int
	if err := raw.Control(func(fd uintptr) { stored, err = unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 0) }); err != nil {
		t.Fatal(err)
	}
	first.Close()
	got := make(chan error, 1)
	go func() {
		c, err := Dial(deadline(t), filepath.Join(dir, SocketName), Hello{Instance: "blog"}, isSelf)
		if err == nil {
			defer c.Close()
			_, err = c.State(deadline(t))
		}
		got <- err
	}()
	second, err := Adopt(os.NewFile(uintptr(stored), "stored"))
	if err != nil {
		t.Fatal(err)
	}
	serve(t, second, "blog")
	if err := <-got; err != nil {
		t.Fatal(err)
	}
}

func TestDeadKeeperEndsWithTheContext(t *testing.T) {
	dir := t.TempDir()
	l := listen(t, dir)
	defer l.Close()
	ctx, cancel := context.WithTimeout(context.Background(), 50*time.Millisecond)
	defer cancel()
	if _, err := Dial(ctx, filepath.Join(dir, SocketName), Hello{}, nil); !errors.Is(err, context.DeadlineExceeded) {
		t.Fatalf("nobody answers: %v", err)
	}
}

func TestVersionsMustMeet(t *testing.T) {
	for _, tc := range []struct {
		h  Hello
		ok bool
	}{
		{Hello{Version: Version, MinVersion: Version}, true},
		{Hello{Version: Version + 5, MinVersion: Version}, true},
		{Hello{Version: Version + 5, MinVersion: Version + 1}, false},
		{Hello{}, false},
	} {
		if err := compatible(tc.h); (err == nil) != tc.ok {
			t.Errorf("%+v: %v", tc.h, err)
		}
	}
}

func TestAcceptEndsWithClose(t *testing.T) {
	l := listen(t, t.TempDir())
	got := make(chan error, 1)
	go func() { _, err := l.Accept(); got <- err }()
	l.Close()
	if err := <-got; !errors.Is(err, net.ErrClosed) {
		t.Fatal(err)
	}
}
