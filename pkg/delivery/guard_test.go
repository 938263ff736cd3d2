package delivery

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"syscall"
	"testing"
	"time"

	"clauster/pkg/address"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// names is a resolver with an answer for each time it is asked.
type names struct {
	answers [][]string
	asked   int
}

func (n *names) LookupNetIP(context.Context, string, string) ([]netip.Addr, error) {
	var out []netip.Addr
	for _, a := range n.answers[min(n.asked, len(n.answers)-1)] {
		out = append(out, netip.MustParseAddr(a))
	}
	n.asked++
	return out, nil
}

// TestPrivateTargets: every address and every spelling of it that leads into
// the house, written into the URL or given by DNS.
func TestPrivateTargets(t *testing.T) {
	for _, a := range []string{"127.0.0.1", "127.255.255.254", "0.0.0.0", "0.1.2.3", "10.1.2.3", "172.16.0.1", "172.31.255.255", "192.168.1.1",
		"169.254.169.254", "100.64.0.1", "100.127.255.255", "192.0.0.1", "192.0.0.170", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.19.255.255",
		"198.51.100.1", "203.0.113.7", "224.0.0.1", "239.255.255.255", "240.0.0.1", "255.255.255.255",
		"::", "::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1", "::10.0.0.1", "64:ff9b::127.0.0.1", "64:ff9b::10.0.0.1", "64:ff9b:1::1.1.1.1",
		"fe80::1", "fec0::1", "fc00::1", "fdff::1", "ff02::1", "100::1", "2001:db8::1", "2001::1", "2001:2::1", "2002:7f00:1::", "3fff::1", "5f00::1", "4000::1"} {
		if address.What(netip.MustParseAddr(a)) == "" {
			t.Errorf("%s counts as public", a)
		}
		g := newGuard(&names{answers: [][]string{{"93.184.215.14", a}}})
		if _, err := g.resolve(t.Context(), "innocent.example"); !errors.Is(err, address.ErrPrivate) {
			t.Errorf("a name for %s: %v", a, err)
		}
		if _, err := g.resolve(t.Context(), a); !errors.Is(err, address.ErrPrivate) {
			t.Errorf("%s: %v", a, err)
		}
	}
	g := newGuard(&names{answers: [][]string{{"93.184.215.14"}}})
	for _, host := range []string{"2130706433", "0x7f000001", "0x7f.1", "127.1", "127.0.1", "017700000001", "0177.0.0.1", "127.0.0.01", "127.0.0.1.", "1.2.3.4.5", "999.1", "0x", "host.0x7f",
		"fe80::1%eth0", "", ".", "a%b", "99999999999999999999999", "0xffffffffffffffffffffff"} {
		if addrs, err := g.resolve(t.Context(), host); err == nil {
			t.Errorf("%q is let through as %v", host, addrs)
		}
	}
	for _, a := range []string{"1.1.1.1", "93.184.215.14", "172.32.0.1", "100.128.0.1", "192.0.1.1", "198.20.0.1", "2606:4700::1111", "2a00::1", "64:ff9b::1.1.1.1", "::ffff:1.1.1.1"} {
		if what := address.What(netip.MustParseAddr(a)); what != "" {
			t.Errorf("%s counts as %s", a, what)
		}
	}
}

func post(t *testing.T, url string, g *guard) result {
	t.Helper()
	p := newPoster(url, "", "1", 5*time.Second, g)
	defer p.close()
	return p.send(t.Context(), store.Outgoing{Body: "{}", Delivery: wire.Delivery{EventID: "e"}})
}

// TestRebinding: a name that was public when it was asked about, and is
// loopback when it is asked about again. It is asked once, and what was judged
// is what is dialled.
func TestRebinding(t *testing.T) {
	hit := make(chan struct{}, 1)
	s := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { hit <- struct{}{} }))
	defer s.Close()
	_, port, _ := net.SplitHostPort(s.Listener.Addr().String())
	n := &names{answers: [][]string{{"198.41.0.4"}, {"127.0.0.1"}}}
	g := newGuard(n)
	var dialled []string
	control := g.dialer.Control
	g.dialer.Control = func(network, address string, c syscall.RawConn) error {
		dialled = append(dialled, address)
		if err := control(network, address, c); err != nil {
			return err
		}
		return errors.New("far enough")
	}
	if r := post(t, "http://rebound.example:"+port+"/", g); !strings.Contains(r.err, "far enough") {
		t.Error(r)
	}
	if n.asked != 1 || len(dialled) != 1 || dialled[0] != "198.41.0.4:"+port {
		t.Error(n.asked, dialled)
	}
	// The second answer, on its own, and the address as it is.
	for _, url := range []string{"http://rebound.example:" + port, s.URL, "http://[::ffff:127.0.0.1]:" + port, "http://2130706433:" + port, "http://127.1:" + port, "http://[64:ff9b::7f00:1]:" + port} {
		if r := post(t, url, newGuard(&names{answers: [][]string{{"127.0.0.1"}}})); !strings.Contains(r.err, "private targets are blocked") {
			t.Error(url, r)
		}
	}
	select {
	case <-hit:
		t.Error("a private target was reached")
	default:
	}
}

// TestControlJudgesAgain: the last word is at the socket.
func TestControlJudgesAgain(t *testing.T) {
	g := newGuard(nil)
	if conn, err := g.dialer.DialContext(t.Context(), "tcp", "127.0.0.1:9"); !errors.Is(err, address.ErrPrivate) {
		t.Error(conn, err)
	}
}

// TestDeadAddressLeavesTimeForTheNext: of two addresses the first answers
// nothing; the second gets its half of the time.
func TestDeadAddressLeavesTimeForTheNext(t *testing.T) {
	g := newGuard(&names{answers: [][]string{{"198.41.0.4", "199.7.83.42"}}})
	var dialled []string
	g.dialer.Control = nil
	g.dialer.ControlContext = func(ctx context.Context, _, to string, _ syscall.RawConn) error {
		dialled = append(dialled, to)
		<-ctx.Done()
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
	defer cancel()
	if conn, err := g.DialContext(ctx, "tcp", "two.example:443"); err == nil {
		t.Error(conn)
	}
	if len(dialled) != 2 || dialled[1] != "199.7.83.42:443" {
		t.Error(dialled)
	}
}
