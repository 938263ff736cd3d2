package door

import (
	"errors"
	"net"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// wakePause is the least time between two looks at the wake socket. Whoever has
// a keeper's uid may write to it without end, and an agent has.
const wakePause = 20 * time.Millisecond

// Wake calls f when datagrams have come, at most once per wakePause. They are
// still in the socket then, where they start the next process if this one ends;
// f takes them off with its argument, before it acts on them: none that comes
// later is dropped without another call, as the event it stands for may be
// younger. What is in them is not looked at. f limits what a flood costs beyond
// that. Wake returns when c is closed.
func Wake(c *net.UnixConn, f func(take func())) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	for {
		if err := arrived(raw); err != nil {
			return
		}
		f(func() { empty(raw) })
		time.Sleep(wakePause)
	}
}

// Bell is rung by datagrams, and says when it was last. A process that may have
// nothing to do keeps it still while it looks a last time: a datagram that was
// taken just before it left would start nobody any more, and its event wait for
// the next one. The zero value is ready; all methods may be called at once.
type Bell struct {
	still sync.Mutex
	last  atomic.Int64 // Unix nanoseconds
}

// Ring is for Wake: it takes datagrams and calls told, both before or both
// after whatever Still runs.
func (b *Bell) Ring(take, told func()) {
	b.still.Lock()
	defer b.still.Unlock()
	take()
	b.Touch()
	told()
}

// Touch says that there was something to do just now.
func (b *Bell) Touch() { b.last.Store(time.Now().UnixNano()) }

// LastUse is when it was rung or touched last.
func (b *Bell) LastUse() time.Time { return time.Unix(0, b.last.Load()) }

// Still runs f while no datagram is taken off its socket.
func (b *Bell) Still(f func()) {
	b.still.Lock()
	defer b.still.Unlock()
	f()
}

// Rouse sends a datagram to a wake socket of our own: with nobody to read it,
// systemd starts us again. A full one does so without it.
func Rouse(c *net.UnixConn) error {
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	err = unix.Sendto(fd, nil, unix.MSG_NOSIGNAL, &unix.SockaddrUnix{Name: c.LocalAddr().String()})
	if errors.Is(err, unix.EAGAIN) {
		return nil
	}
	return err
}

// arrived waits for a datagram and leaves it where it is.
func arrived(raw syscall.RawConn) (err error) {
	var nothing [1]byte
	closed := raw.Read(func(fd uintptr) bool {
		_, _, err = unix.Recvfrom(int(fd), nothing[:], unix.MSG_PEEK|unix.MSG_DONTWAIT)
		return !errors.Is(err, unix.EAGAIN) && !errors.Is(err, unix.EINTR)
	})
	if closed != nil {
		return closed
	}
	return err
}

// empty throws away what has queued up. Bounded by the queue's own length
// (net.unix.max_dgram_qlen): a writer that keeps it full is left waiting.
func empty(raw syscall.RawConn) {
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
