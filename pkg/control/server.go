package control

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// SocketName is the control socket's name in the instance's runtime
// directory.
const SocketName = "keeper.sock"

// backlog is how many clients may wait for a keeper that is being started
// again.
const backlog = 32

// Listener is the keeper's end of keeper.sock. Its descriptor outlives keepers
// in the fd store.
type Listener struct {
	file *os.File
	l    *net.UnixListener
}

// Listen binds SocketName in dir, replacing what a predecessor left there, and
// gives it to group gid with mode 0660; gid -1 keeps owner and group and makes
// it 0600 (user mode).
//
// A socket address holds 108 bytes and a directory of ours can be longer, so
// the path goes through /proc/self/fd. The mode is set on the socket before it
// has a name: at no time may more than the final group connect, and the
// process-wide umask is left alone.
func Listen(dir string, gid int) (*Listener, error) {
	path := filepath.Join(dir, SocketName)
	wrap := func(err error) error { return fmt.Errorf("cannot listen on %s: %w", path, err) }
	dirFD, err := unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, wrap(err)
	}
	defer unix.Close(dirFD)
	if err := unix.Unlinkat(dirFD, SocketName, 0); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, wrap(err)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, wrap(err)
	}
	file := os.NewFile(uintptr(fd), path)
	if err := bindAt(fd, dirFD, gid); err != nil {
		file.Close()
		return nil, wrap(err)
	}
	return Adopt(file)
}

func bindAt(fd, dirFD, gid int) error {
	if err := unix.Fchmod(fd, 0o600); err != nil {
		return err
	}
	if err := unix.Bind(fd, &unix.SockaddrUnix{Name: viaProc(dirFD, SocketName)}); err != nil {
		return err
	}
	if gid < 0 {
		return nil
	}
	if err := unix.Fchownat(dirFD, SocketName, -1, gid, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return err
	}
	// The directory is root's, so the name cannot have been swapped meanwhile.
	return unix.Fchmodat(dirFD, SocketName, 0o660, 0)
}

// viaProc is a short path to name in the directory behind an open descriptor.
func viaProc(dirFD int, name string) string {
	return fmt.Sprintf("/proc/self/fd/%d/%s", dirFD, name)
}

// Adopt takes a bound socket, fresh or out of the fd store, and calls
// listen() on it: for a stored one that renews the credentials clients see,
// which are otherwise those of the dead predecessor. Clients that connected in
// between are answered. The listener owns the file.
func Adopt(file *os.File) (*Listener, error) {
	// SyscallConn and not Fd: the latter can put the descriptor into blocking
	// mode, and with it the net listener that shares its description.
	raw, err := file.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", file.Name(), err)
	}
	var listenErr error
	err = raw.Control(func(fd uintptr) { listenErr = unix.Listen(int(fd), backlog) })
	if err = errors.Join(err, listenErr); err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", file.Name(), err)
	}
	l, err := net.FileListener(file)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on %s: %w", file.Name(), err)
	}
	ul, ok := l.(*net.UnixListener)
	if !ok {
		l.Close()
		return nil, fmt.Errorf("cannot listen on %s: it is not a unix socket", file.Name())
	}
	ul.SetUnlinkOnClose(false)
	return &Listener{file, ul}, nil
}

// File is the bound socket, for the fd store and for a re-exec. The listener
// keeps owning it; reach the descriptor through SyscallConn.
func (l *Listener) File() *os.File { return l.file }

// Accept waits for a client, which is to be Greeted in a goroutine of its own:
// it may be slow to say hello. The error is net.ErrClosed after Close.
func (l *Listener) Accept() (*Conn, error) {
	c, err := l.l.AcceptUnix()
	if err != nil {
		return nil, err
	}
	conn, err := newConn(c)
	if err != nil {
		c.Close()
		return nil, err
	}
	return conn, nil
}

// Close stops listening and wakes Accept; the socket's name stays.
func (l *Listener) Close() error { return errors.Join(l.l.Close(), l.file.Close()) }

// Greet does the server's half of the handshake within HandshakeTimeout. It
// refuses a client of another version or one that means another instance, and
// tells it so; the caller closes the connection on any error.
func (c *Conn) Greet(ours Hello) error {
	ours.Role = "keeper"
	if err := c.SetReadDeadline(time.Now().Add(HandshakeTimeout)); err != nil {
		return err
	}
	err := c.hearHello() // the client speaks first, so that it can be refused
	if err == nil && c.Hello.Instance != "" && c.Hello.Instance != ours.Instance {
		err = &Error{RefusedInstance, fmt.Sprintf("this keeper serves %s", ours.Instance), ""}
	}
	if err != nil {
		var refused *Error
		if errors.As(err, &refused) {
			_ = c.Send(TypeError, refused) // it may be gone already
		}
		return err
	}
	if err := c.sayHello(ours); err != nil {
		return err
	}
	return c.SetReadDeadline(time.Time{})
}

// Refuse answers a request with an Error.
func (c *Conn) Refuse(kind ErrorKind, message, hint string) error {
	return c.Send(TypeError, &Error{kind, message, hint})
}
