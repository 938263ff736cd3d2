package journal

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// Pacing of an outlet: how long one attempt waits for room in journald's
// socket, and how soon a journald that is away is tried again.
const (
	sendWait     = time.Second
	retryFirst   = 50 * time.Millisecond
	retryLongest = time.Second
)

// run sends the queue in order until Close. An entry stays at the head until
// it is sent or the kernel refuses it for good; journald being away only makes
// it wait.
func (w *Writer) run() {
	defer close(w.done)
	defer w.out.close()
	for {
		m, ok := w.head()
		if !ok {
			return
		}
		err := w.out.send(m.data)
		if errors.Is(err, errAbandoned) {
			return
		}
		w.sent(m, err == nil)
	}
}

// head waits for the first queued entry; false ends the goroutine.
func (w *Writer) head() (message, bool) {
	for {
		w.mu.Lock()
		closing, queue := w.closing, w.queue
		w.mu.Unlock()
		switch {
		case closing: // what is left was not sent within Close's patience
			return message{}, false
		case len(queue) > 0:
			return queue[0], true
		}
		<-w.wake
	}
}

// sent takes the head off the queue.
func (w *Writer) sent(m message, ok bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.queue[0] = message{} // for the collector
	w.queue = w.queue[1:]
	if m.event {
		w.events--
	} else {
		w.lines--
		w.bytes -= len(m.data)
	}
	switch {
	case ok:
		w.stats.Sent++
	case m.event:
		w.stats.EventsLost++
	default:
		w.stats.LinesLost++
	}
	if len(w.queue) == 0 {
		w.queue = nil
		close(w.idle)
		w.idle = make(chan struct{})
	}
}

// outlet is the socket to journald. It is connected, so that waiting for room
// is woken by journald's reading, and connected again whenever journald's
// socket was replaced.
type outlet struct {
	path string

	mu   sync.Mutex
	conn *net.UnixConn
	stop chan struct{} // closed by abandon; made by the first user
}

// errAbandoned ends a send that Close no longer waits for.
var errAbandoned = errors.New("abandoned")

// send delivers one datagram however long journald takes. Any other error than
// errAbandoned means that this datagram can never be delivered.
func (o *outlet) send(data []byte) error {
	stop := o.stopped()
	wait := retryFirst
	for {
		err := o.try(data)
		if err == nil || isHopeless(err) {
			return err
		}
		pause := time.Duration(0) // journald is there, only slow: the wait has been had
		if !errors.Is(err, os.ErrDeadlineExceeded) {
			o.close()
			pause, wait = wait, min(2*wait, retryLongest)
		}
		select {
		case <-stop:
			return errAbandoned
		case <-time.After(pause):
		}
	}
}

// isHopeless tells errors that another attempt cannot heal.
func isHopeless(err error) bool {
	return errors.Is(err, unix.EINVAL) || errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.EFBIG) ||
		errors.Is(err, unix.ENOSYS)
}

func (o *outlet) try(data []byte) error {
	c, err := o.connected()
	if err != nil {
		return err
	}
	if err := c.SetWriteDeadline(time.Now().Add(sendWait)); err != nil {
		return err
	}
	_, err = c.Write(data)
	if errors.Is(err, unix.EMSGSIZE) || errors.Is(err, unix.ENOBUFS) {
		return sendMemfd(c, data)
	}
	return err
}

// sendMemfd passes an entry that is too large for a datagram as a sealed
// memfd, which journald maps instead of reading.
func sendMemfd(c *net.UnixConn, data []byte) error {
	fd, err := unix.MemfdCreate("clauster-journal", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return err
	}
	f := os.NewFile(uintptr(fd), "clauster-journal")
	defer f.Close()
	if n, err := f.Write(data); err != nil || n != len(data) {
		return errors.Join(err, io.ErrShortWrite)
	}
	const seals = unix.F_SEAL_SEAL | unix.F_SEAL_SHRINK | unix.F_SEAL_GROW | unix.F_SEAL_WRITE
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, seals); err != nil {
		return err
	}
	// Not WriteMsgUnix: it refuses connected datagram sockets.
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	var sendErr error
	err = raw.Write(func(to uintptr) bool {
		sendErr = unix.Sendmsg(int(to), nil, unix.UnixRights(fd), nil, unix.MSG_DONTWAIT|unix.MSG_NOSIGNAL)
		return !errors.Is(sendErr, unix.EAGAIN)
	})
	return errors.Join(err, sendErr)
}

func (o *outlet) connected() (*net.UnixConn, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn != nil {
		return o.conn, nil
	}
	c, err := net.DialUnix("unixgram", nil, &net.UnixAddr{Name: o.path, Net: "unixgram"})
	if err != nil {
		return nil, fmt.Errorf("cannot reach journald at %s: %w", o.path, err)
	}
	o.conn = c
	return c, nil
}

func (o *outlet) close() {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn != nil {
		o.conn.Close()
		o.conn = nil
	}
}

func (o *outlet) stopped() chan struct{} {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.stop == nil {
		o.stop = make(chan struct{})
	}
	return o.stop
}

// abandon makes a send under way, and each later one that does not succeed at
// once, give up.
func (o *outlet) abandon() {
	close(o.stopped())
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn != nil {
		_ = o.conn.SetWriteDeadline(time.Unix(1, 0))
	}
}

// drained waits until journald has read every datagram: for a unix socket
// SIOCOUTQ counts what the receiver has not taken yet.
func (o *outlet) drained(ctx context.Context) error {
	pause := 100 * time.Microsecond
	for {
		n, err := o.unread()
		if err != nil || n == 0 {
			return nil // nothing can be known, or nothing is left
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("cannot wait for journald to read: %w", ctx.Err())
		case <-time.After(pause):
			pause = min(2*pause, 2*time.Millisecond)
		}
	}
}

func (o *outlet) unread() (n int, err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.conn == nil {
		return 0, nil
	}
	raw, err := o.conn.SyscallConn()
	if err != nil {
		return 0, err
	}
	var ioErr error
	err = raw.Control(func(fd uintptr) { n, ioErr = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) })
	return n, errors.Join(err, ioErr)
}
