package door

import (
	"net"
	"time"

	"golang.org/x/sys/unix"
)

// wakePause is the least time between two looks at the wake socket. Whoever has
// a keeper's uid may write to it without end, and an agent has.
const wakePause = 20 * time.Millisecond

// Wake calls f after datagrams have come, at most once per wakePause. What is
// in them is not looked at, and none that comes after a call is dropped without
// another: the event it stands for may be younger. f limits what a flood costs
// beyond that. Wake returns when c is closed.
func Wake(c *net.UnixConn, f func()) {
	var nothing [1]byte
	for {
		if _, err := c.Read(nothing[:]); err != nil {
			return
		}
		empty(c)
		f()
		time.Sleep(wakePause)
	}
}

// empty throws away what has queued up. Bounded by the queue's own length
// (net.unix.max_dgram_qlen): a writer that keeps it full is left waiting.
func empty(c *net.UnixConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	var nothing [1]byte
	_ = raw.Read(func(fd uintptr) bool {
		for range 1024 {
			if _, _, err := unix.Recvfrom(int(fd), nothing[:], unix.MSG_DONTWAIT); err != nil {
				break
			}
		}
		return true
	})
}
