package systemd

import (
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// manager is the other end of a notify socket.
type manager struct {
	t    *testing.T
	conn *net.UnixConn
}

func newManager(t *testing.T) (*manager, *Notifier) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "notify")
	conn, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	env := map[string]string{"NOTIFY_SOCKET": path, "WATCHDOG_USEC": "30000000"}
	n, err := NewNotifier(func(name string) string { return env[name] })
	if err != nil {
		t.Fatal(err)
	}
	return &manager{t, conn}, n
}

// receive gives the next message and its descriptors.
func (m *manager) receive() (string, []int) {
	m.t.Helper()
	buf, oob := make([]byte, 4096), make([]byte, 256)
	n, oobn, _, _, err := m.conn.ReadMsgUnix(buf, oob)
	if err != nil {
		m.t.Fatal(err)
	}
	var fds []int
	messages, _ := unix.ParseSocketControlMessage(oob[:oobn])
	for _, c := range messages {
		got, _ := unix.ParseUnixRights(&c)
		fds = append(fds, got...)
	}
	return string(buf[:n]), fds
}

func TestNotifier(t *testing.T) {
	m, n := newManager(t)
	if n.Watchdog() != 30*time.Second {
		t.Errorf("watchdog %s", n.Watchdog())
	}
	if err := n.Send("STATUS=ok: one\nREADY=1"); err != nil {
		t.Fatal(err)
	}
	if got, _ := m.receive(); got != "STATUS=ok: one READY=1" {
		t.Errorf("a newline forged an assignment: %q", got)
	}
	f, err := os.CreateTemp(t.TempDir(), "stored")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := n.Store("pty", int(f.Fd())); err != nil {
		t.Fatal(err)
	}
	text, fds := m.receive()
	if text != "FDSTORE=1\nFDNAME=pty\nFDPOLL=0" || len(fds) != 1 {
		t.Errorf("store: %q, %v", text, fds)
	}
	for _, fd := range fds {
		unix.Close(fd)
	}
}

func TestBarrier(t *testing.T) {
	m, n := newManager(t)
	answered := make(chan string)
	go func() {
		text, fds := m.receive()
		for _, fd := range fds {
			unix.Close(fd)
		}
		answered <- text
	}()
	if err := n.Barrier(5 * time.Second); err != nil {
		t.Fatal(err)
	}
	if text := <-answered; text != "BARRIER=1" {
		t.Errorf("barrier: %q", text)
	}
	if err := n.Barrier(10 * time.Millisecond); err == nil || !strings.Contains(err.Error(), "cannot hear from the service manager") {
		t.Errorf("a silent manager: %v", err)
	}
}

func TestWithoutManager(t *testing.T) {
	n, err := NewNotifier(func(string) string { return "" })
	if err != nil || n.Send("READY=1") != nil || n.Barrier(time.Second) != nil {
		t.Errorf("a keeper run by hand: %v", err)
	}
	if _, err := NewNotifier(func(string) string { return "relative" }); err == nil {
		t.Error("a relative NOTIFY_SOCKET was taken")
	}
}

func TestStoredFDs(t *testing.T) {
	env := map[string]string{"LISTEN_PID": "1", "LISTEN_FDS": "1", "LISTEN_FDNAMES": "pty"}
	if fds := StoredFDs(func(name string) string { return env[name] }); len(fds) != 0 {
		t.Errorf("descriptors meant for another process were taken: %v", fds)
	}
}

func TestUnitPath(t *testing.T) {
	for unit, want := range map[string]string{
		"clauster@blog.service":      "/org/freedesktop/systemd1/unit/clauster_40blog_2eservice",
		"clauster@a-b:c.d.service":   "/org/freedesktop/systemd1/unit/clauster_40a_2db_3ac_2ed_2eservice",
		"9.mount":                    "/org/freedesktop/systemd1/unit/_39_2emount",
		"clauster-bridge-a_b1.scope": "/org/freedesktop/systemd1/unit/clauster_2dbridge_2da_5fb1_2escope",
	} {
		if got := string(unitPath(unit)); got != want {
			t.Errorf("unitPath(%q) = %s", unit, got)
		}
	}
}
