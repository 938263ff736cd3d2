package systemd

import (
	"context"
	"fmt"
	"net"
	"os"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// Socket is one descriptor of socket activation with the name that its unit
// gives it (FileDescriptorName=). Several may bear one name: a unit with two
// ListenStream= lines.
type Socket struct {
	Name string
	FD   int
}

// Sockets takes over what socket activation has passed (sd_listen_fds(3)) and
// clears the variables, so that no child takes it for its own.
func Sockets(getenv func(string) string) []Socket {
	defer func() {
		for _, name := range []string{"LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"} {
			os.Unsetenv(name)
		}
	}()
	if pid, err := strconv.Atoi(getenv("LISTEN_PID")); err != nil || pid != os.Getpid() {
		return nil
	}
	count, err := strconv.Atoi(getenv("LISTEN_FDS"))
	if err != nil || count < 1 || count > 1024 {
		return nil
	}
	names := strings.Split(getenv("LISTEN_FDNAMES"), ":")
	sockets := make([]Socket, count)
	for i := range sockets {
		const firstFD = 3 // SD_LISTEN_FDS_START
		sockets[i].FD = firstFD + i
		unix.CloseOnExec(sockets[i].FD)
		if i < len(names) {
			sockets[i].Name = names[i]
		}
	}
	return sockets
}

// Listener makes a listener of a stream socket. Closing it does not remove the
// socket's name: systemd listens on.
func (s Socket) Listener() (net.Listener, error) {
	f := os.NewFile(uintptr(s.FD), s.Name)
	defer f.Close()
	l, err := net.FileListener(f)
	if err != nil {
		return nil, fmt.Errorf("cannot listen on the socket %q: %w", s.Name, err)
	}
	return l, nil
}

// Datagrams makes a connection of a unix datagram socket.
func (s Socket) Datagrams() (*net.UnixConn, error) {
	f := os.NewFile(uintptr(s.FD), s.Name)
	defer f.Close()
	c, err := net.FileConn(f)
	if err != nil {
		return nil, fmt.Errorf("cannot read from the socket %q: %w", s.Name, err)
	}
	u, ok := c.(*net.UnixConn)
	if !ok {
		c.Close()
		return nil, fmt.Errorf("cannot read from the socket %q: it is no unix socket", s.Name)
	}
	return u, nil
}

// StreamAddresses are the ListenStream= addresses of a socket unit as systemd
// shows them: a path, or address and port (property Listen of
// org.freedesktop.systemd1.Socket).
func (b *Bus) StreamAddresses(ctx context.Context, unit string) ([]string, error) {
	rows, err := property[[][]any](ctx, b, unitPath(unit), "org.freedesktop.systemd1.Socket", "Listen")
	if err != nil {
		return nil, err
	}
	var addresses []string
	for _, row := range rows {
		if len(row) != 2 || row[0] != "Stream" {
			continue
		}
		if text, ok := row[1].(string); ok {
			addresses = append(addresses, text)
		}
	}
	return addresses, nil
}
