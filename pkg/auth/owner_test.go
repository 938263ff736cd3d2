package auth

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"os"
	"strings"
	"testing"
)

// Sockets of both families are found in the kernel's own table, also an IPv4
// connection from a program with an IPv6 socket.
func TestOwnerOfRealSockets(t *testing.T) {
	for _, c := range []struct{ network, listen, dial string }{
		{"tcp4", "127.0.0.1:0", ""}, {"tcp6", "[::1]:0", ""}, {"tcp", "[::]:0", "127.0.0.1"},
	} {
		l, err := net.Listen(c.network, c.listen)
		if err != nil {
			t.Logf("no %s here: %v", c.network, err)
			continue
		}
		defer l.Close()
		target := l.Addr().String()
		if c.dial != "" {
			_, port, _ := net.SplitHostPort(target)
			target = net.JoinHostPort(c.dial, port)
		}
		conn, err := net.Dial("tcp", target)
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		in, err := l.Accept()
		if err != nil {
			t.Fatal(err)
		}
		defer in.Close()
		remote, local := plainAddr(in.RemoteAddr().(*net.TCPAddr).AddrPort()), plainAddr(in.LocalAddr().(*net.TCPAddr).AddrPort())
		if uid, what := ownerOf(remote, local, openProc); what != owned || uid != os.Getuid() {
			t.Errorf("%s: uid %d, %v", c.listen, uid, what)
		}
	}
}

func TestOwnerOf(t *testing.T) {
	remote, local := netip.MustParseAddrPort("127.0.0.1:50000"), netip.MustParseAddrPort("127.0.0.1:7621")
	row := string(rowOf(remote, local, false))
	mapped := string(rowOf(remote, local, true))
	const head = "  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode\n"
	for name, c := range map[string]struct {
		tcp, tcp6 string
		uid       int
		what      ownership
	}{
		"nobody's":          {head, head, -1, notHere},
		"found":             {head + "  0:" + row + "01 0:0 00:0 0 1000 0 77 1\n", head, 1000, owned},
		"in tcp6":           {head, head + "  0:" + mapped + "01 0:0 00:0 0 1001 0 77 1\n", 1001, owned},
		"without an owner":  {head + "  0:" + row + "05 0:0 00:0 0 0 0 0 1\n", head, -1, unclear},
		"cut short":         {head + "  0:" + row + "01 0:0\n", head, -1, unclear},
		"the other end":     {head + "  0:" + string(rowOf(local, remote, false)) + "01 0:0 00:0 0 1000 0 77 1\n", head, -1, notHere},
		"a line too long":   {head + strings.Repeat("x", 1<<17), head, -1, unclear},
		"no such file":      {"", head, -1, notHere},
		"not to be opened":  {"denied", head, -1, unclear},
		"another's address": {head + "  0: 0200007F:C350 0100007F:1DC5 01 0:0 00:0 0 1000 0 77 1\n", head, -1, notHere},
	} {
		open := func(table string) (io.ReadCloser, error) {
			text := c.tcp
			if table == "tcp6" {
				text = c.tcp6
			}
			switch text {
			case "":
				return nil, os.ErrNotExist
			case "denied":
				return nil, errors.New("denied")
			}
			return io.NopCloser(strings.NewReader(text)), nil
		}
		if uid, what := ownerOf(remote, local, open); uid != c.uid || what != c.what {
			t.Errorf("%s: %d, %v", name, uid, what)
		}
	}
}
