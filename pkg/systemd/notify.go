package systemd

import (
	"errors"
	"fmt"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Notifier talks to the service manager's notify socket (sd_notify(3)) over
// one datagram socket that lives as long as the process: go-systemd's
// SdNotify dials for every message and cannot pass file descriptors.
// Its methods may be called from several goroutines.
type Notifier struct {
	fd       int
	to       unix.Sockaddr
	watchdog time.Duration
}

// sendTimeout bounds a send to a manager that does not read its socket.
const sendTimeout = 5 * time.Second

// NewNotifier reads NOTIFY_SOCKET and WATCHDOG_USEC by getenv (os.Getenv in
// production). Without NOTIFY_SOCKET it returns a Notifier that sends
// nothing, so that a keeper can be run by hand.
func NewNotifier(getenv func(string) string) (*Notifier, error) {
	path := getenv("NOTIFY_SOCKET")
	if path == "" {
		return &Notifier{fd: -1}, nil
	}
	if path[0] != '/' && path[0] != '@' {
		return nil, fmt.Errorf("cannot use NOTIFY_SOCKET %q: it is neither a path nor an abstract name", path)
	}
	fd, err := unix.Socket(unix.AF_UNIX, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open the notify socket: %w", err)
	}
	tv := unix.NsecToTimeval(sendTimeout.Nanoseconds())
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_SNDTIMEO, &tv)
	n := &Notifier{fd: fd, to: &unix.SockaddrUnix{Name: path}}
	if usec, err := strconv.ParseInt(getenv("WATCHDOG_USEC"), 10, 64); err == nil && usec > 0 {
		n.watchdog = time.Duration(usec) * time.Microsecond
	}
	return n, nil
}

// Watchdog is the unit's WatchdogSec, 0 where there is none.
func (n *Notifier) Watchdog() time.Duration { return n.watchdog }

// Send passes assignments such as "READY=1". Newlines inside one would forge
// another and are replaced by spaces.
func (n *Notifier) Send(assignments ...string) error {
	return n.send(nil, assignments...)
}

// Store hands descriptors to the manager's fd store under a name, with
// FDPOLL=0: without it the manager drops a terminal (and on new kernels a
// pidfd) at hang-up, and with it the last output. The manager keeps its own
// duplicates.
func (n *Notifier) Store(name string, fds ...int) error {
	return n.send(fds, "FDSTORE=1", "FDNAME="+name, "FDPOLL=0")
}

// Unstore removes every stored descriptor of that name.
func (n *Notifier) Unstore(name string) error {
	return n.Send("FDSTOREREMOVE=1", "FDNAME="+name)
}

// Barrier waits until the manager has processed everything sent before it
// (BARRIER=1, systemd 246), or fails after timeout.
func (n *Notifier) Barrier(timeout time.Duration) error {
	if n.fd < 0 {
		return nil
	}
	var p [2]int
	if err := unix.Pipe2(p[:], unix.O_CLOEXEC); err != nil {
		return fmt.Errorf("cannot make a notify barrier: %w", err)
	}
	defer unix.Close(p[0])
	err := n.send([]int{p[1]}, "BARRIER=1")
	unix.Close(p[1])
	if err != nil {
		return err
	}
	return waitHangup(p[0], timeout)
}

func waitHangup(fd int, timeout time.Duration) error {
	deadline := time.Now().Add(timeout)
	for {
		left := time.Until(deadline)
		if left <= 0 {
			return fmt.Errorf("cannot hear from the service manager: no answer to a notify barrier in %s", timeout)
		}
		fds := []unix.PollFd{{Fd: int32(fd)}}
		n, err := unix.Poll(fds, int(left.Milliseconds())+1)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot wait for a notify barrier: %w", err)
		}
		if n > 0 {
			return nil
		}
	}
}

func (n *Notifier) send(fds []int, assignments ...string) error {
	if n.fd < 0 {
		return nil
	}
	clean := make([]string, len(assignments))
	for i, a := range assignments {
		clean[i] = strings.ReplaceAll(a, "\n", " ")
	}
	var oob []byte
	if len(fds) > 0 {
		oob = unix.UnixRights(fds...)
	}
	msg := []byte(strings.Join(clean, "\n"))
	for {
		err := unix.Sendmsg(n.fd, msg, oob, n.to, unix.MSG_NOSIGNAL)
		if errors.Is(err, unix.EINTR) {
			continue
		}
		if err != nil {
			return fmt.Errorf("cannot notify the service manager: %w", err)
		}
		return nil
	}
}

// StoredFDs takes the descriptors that the manager passed (LISTEN_PID,
// LISTEN_FDS, LISTEN_FDNAMES) by name and marks them close-on-exec. Order
// says nothing: the fd store gives them back in reverse. Of several with one
// name the first is kept and the rest are closed. go-systemd's activation
// package drops everything that is not a socket without a word, so it is not
// used for the store.
func StoredFDs(getenv func(string) string) map[string]int {
	fds := map[string]int{}
	if pid, err := strconv.Atoi(getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return fds
	}
	count, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || count < 1 || count > 1024 {
		return fds
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	for i := range count {
		const firstFD = 3 // SD_LISTEN_FDS_START
		fd := firstFD + i
		unix.CloseOnExec(fd)
		name := ""
		if i < len(names) {
			name = names[i]
		}
		if _, double := fds[name]; double {
			unix.Close(fd)
			continue
		}
		fds[name] = fd
	}
	return fds
}

// ServiceEnviron lists the variables by which a manager addresses one
// process; they must never reach a child.
func ServiceEnviron() []string {
	return []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_PID", "LISTEN_FDS",
		"LISTEN_FDNAMES", "INVOCATION_ID", "JOURNAL_STREAM", "MAINPID", "SYSTEMD_EXEC_PID",
		"CREDENTIALS_DIRECTORY", "MEMORY_PRESSURE_WATCH", "MEMORY_PRESSURE_WRITE"}
}
