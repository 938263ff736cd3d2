package door

import (
	"net"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// wakeSocket gives a wake socket as systemd passes one, a second descriptor of
// it, as systemd keeps one, and what a keeper does.
func wakeSocket(t *testing.T) (c *net.UnixConn, kept int, tell func()) {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: filepath.Join(t.TempDir(), "wake"), Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	f, err := c.File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { f.Close() })
	return c, int(f.Fd()), func() {
		if err := Rouse(c); err != nil {
			t.Error(err)
		}
	}
}

// queued reports whether a datagram is in the socket, and takes it.
func queued(t *testing.T, kept int) bool {
	t.Helper()
	var nothing [1]byte
	_, _, err := unix.Recvfrom(kept, nothing[:], unix.MSG_DONTWAIT)
	if err != nil && err != unix.EAGAIN {
		t.Error(err)
	}
	return err == nil
}

// A datagram that comes while a process looks a last time is not taken: it
// starts the next process. It was taken once, and its crash then left.
func TestStillLeavesDatagrams(t *testing.T) {
	c, kept, tell := wakeSocket(t)
	var b Bell
	rung, ended := make(chan struct{}, 10), make(chan struct{})
	go func() {
		defer close(ended)
		Wake(c, func(take func()) { b.Ring(take, func() { rung <- struct{}{} }) })
	}()
	before := time.Now()
	tell()
	<-rung
	if b.LastUse().Before(before) {
		t.Error("a wake is no use")
	}
	b.Still(func() {
		last := b.LastUse()
		tell()
		select {
		case <-rung:
			t.Error("taken while it was still")
		case <-time.After(5 * wakePause):
		}
		if b.LastUse() != last {
			t.Error("rung while it was still")
		}
		c.Close()
	})
	<-ended
	if !queued(t, kept) {
		t.Error("taken, and nobody will be started for it")
	}
}

// What came while it was still is told of when it is over.
func TestRungAfterStill(t *testing.T) {
	c, kept, tell := wakeSocket(t)
	var b Bell
	rung, ended := make(chan struct{}, 10), make(chan struct{})
	go func() {
		defer close(ended)
		Wake(c, func(take func()) { b.Ring(take, func() { rung <- struct{}{} }) })
	}()
	b.Still(tell)
	<-rung
	if queued(t, kept) {
		t.Error("told of, and left")
	}
	c.Close()
	<-ended
}

// A datagram that cannot be sent for want of room is none too few; a socket
// that we closed is systemd's still.
func TestRouse(t *testing.T) {
	c, kept, tell := wakeSocket(t)
	to, err := net.DialUnix("unixgram", nil, c.LocalAddr().(*net.UnixAddr))
	if err != nil {
		t.Fatal(err)
	}
	defer to.Close()
	for err == nil {
		_ = to.SetWriteDeadline(time.Now().Add(10 * time.Millisecond))
		_, err = to.Write(nil)
	}
	tell()
	c.Close()
	for queued(t, kept) { // empties it
	}
	tell()
	if !queued(t, kept) {
		t.Error("nothing in the socket, although nobody reads it any more")
	}
}
