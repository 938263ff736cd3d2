package delivery

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// ErrPrivate means that an address is not one of the public internet, and
// webhooks.block_private_targets is on.
var ErrPrivate = errors.New("private targets are blocked")

// Resolver finds the addresses of a host; *net.Resolver is the real one.
type Resolver interface {
	LookupNetIP(ctx context.Context, network, host string) ([]netip.Addr, error)
}

// guard dials targets of webhooks and nothing private. It resolves the name
// itself, judges every address it got, and dials one of exactly those: a name
// that resolves to something else a moment later (rebinding) gains nothing.
type guard struct {
	resolver Resolver
	dialer   net.Dialer
}

func newGuard(r Resolver) *guard {
	g := &guard{resolver: r}
	// What the kernel is about to connect to is judged once more: the last
	// word, whatever the code above it comes to be.
	g.dialer.Control = func(_, address string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(address)
		if err != nil {
			return fmt.Errorf("cannot judge address %s", address)
		}
		return judge(addr.Addr())
	}
	return g
}

// DialContext is for http.Transport.
func (g *guard) DialContext(ctx context.Context, network, address string) (net.Conn, error) {
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		return nil, err
	}
	addrs, err := g.resolve(ctx, host)
	if err != nil {
		return nil, err
	}
	var first error
	for i, a := range addrs {
		conn, err := g.dial(ctx, network, net.JoinHostPort(a.String(), port), len(addrs)-i)
		if err == nil {
			return conn, nil
		}
		if first == nil {
			first = err
		}
	}
	return nil, first
}

// dial tries one of several addresses that are left, in its share of the time:
// IPv6 that leads nowhere must not use up what IPv4 needs.
func (g *guard) dial(ctx context.Context, network, address string, left int) (net.Conn, error) {
	if end, limited := ctx.Deadline(); limited {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, time.Until(end)/time.Duration(left))
		defer cancel()
	}
	return g.dialer.DialContext(ctx, network, address)
}

// resolve gives a host's addresses, all of them public.
func (g *guard) resolve(ctx context.Context, host string) ([]netip.Addr, error) {
	addr, literal, err := readHost(host)
	if err != nil {
		return nil, err
	}
	addrs := []netip.Addr{addr}
	if !literal {
		if addrs, err = g.resolver.LookupNetIP(ctx, "ip", host); err != nil {
			return nil, err
		}
	}
	if len(addrs) == 0 {
		return nil, fmt.Errorf("cannot find an address of %s", host)
	}
	for _, a := range addrs {
		if err := judge(a); err != nil {
			return nil, err
		}
	}
	return addrs, nil
}

// readHost tells addresses from names. A spelling of an IPv4 address that is
// not four decimal numbers is refused: 2130706433, 0x7f.1 and 017700000001 are
// all 127.0.0.1 to some resolver or other.
func readHost(host string) (addr netip.Addr, literal bool, err error) {
	if a, err := netip.ParseAddr(host); err == nil {
		return a, true, nil
	}
	trimmed := strings.TrimSuffix(host, ".")
	last := trimmed[strings.LastIndexByte(trimmed, '.')+1:]
	if isNumber(last) {
		return addr, false, fmt.Errorf("cannot use the host %s: write an IPv4 address as four decimal numbers (%w)", host, ErrPrivate)
	}
	if trimmed == "" || strings.Contains("."+trimmed+".", "..") || strings.ContainsAny(host, ":%[]") {
		return addr, false, fmt.Errorf("cannot use the host %q", host)
	}
	return addr, false, nil
}

// isNumber is the rule of the URL standard for «ends in a number».
func isNumber(label string) bool {
	if label != "" && strings.Trim(label, "0123456789") == "" {
		return true
	}
	hex, found := strings.CutPrefix(strings.ToLower(label), "0x")
	if !found {
		return false
	}
	_, err := strconv.ParseUint("0"+hex, 16, 64)
	return err == nil || errors.Is(err, strconv.ErrRange)
}

// judge refuses every address that is not one of the public internet.
func judge(a netip.Addr) error {
	what := private(a)
	if what == "" {
		return nil
	}
	return fmt.Errorf("cannot deliver to %s: it is %s (%w)", a, what, ErrPrivate)
}

// reserved are the IPv4 networks of the IANA special-purpose registry that no
// webhook has a reason to be in.
func reserved() []network {
	return []network{
		{"0.0.0.0/8", "unspecified"}, {"10.0.0.0/8", "private"}, {"100.64.0.0/10", "shared (CGNAT)"},
		{"127.0.0.0/8", "loopback"}, {"169.254.0.0/16", "link-local"}, {"172.16.0.0/12", "private"},
		{"192.0.0.0/24", "reserved"}, {"192.0.2.0/24", "for documentation"}, {"192.88.99.0/24", "reserved"},
		{"192.168.0.0/16", "private"}, {"198.18.0.0/15", "for benchmarks"}, {"198.51.100.0/24", "for documentation"},
		{"203.0.113.0/24", "for documentation"}, {"224.0.0.0/4", "multicast"}, {"240.0.0.0/4", "reserved"},
	}
}

// reserved6 are the networks inside 2000::/3 that are not somebody's; what is
// outside of it is refused as a whole.
func reserved6() []network {
	return []network{
		{"2001::/23", "reserved"}, {"2001:db8::/32", "for documentation"}, {"2002::/16", "6to4"}, {"3fff::/20", "for documentation"},
	}
}

type network struct{ prefix, what string }

// private says what an address is, "" for a public one. Of IPv6 only the
// global unicast range is public; IPv4 addresses inside IPv6 ones (mapped, and
// NAT64's 64:ff9b::/96, which is how public hosts look behind a NAT64) are
// judged as what they are.
func private(a netip.Addr) string {
	if a.Zone() != "" {
		return "link-local"
	}
	a = a.Unmap()
	if a.Is4() {
		return within(a, reserved())
	}
	if !a.IsValid() {
		return "no address"
	}
	if netip.MustParsePrefix("64:ff9b::/96").Contains(a) {
		b := a.As16()
		return within(netip.AddrFrom4([4]byte(b[12:])), reserved())
	}
	switch {
	case a.IsLoopback():
		return "loopback"
	case a.IsLinkLocalUnicast():
		return "link-local"
	case a.IsMulticast():
		return "multicast"
	case a.IsUnspecified():
		return "unspecified"
	case a.IsPrivate():
		return "private"
	case !netip.MustParsePrefix("2000::/3").Contains(a):
		return "reserved"
	}
	return within(a, reserved6())
}

func within(a netip.Addr, list []network) string {
	for _, n := range list {
		if netip.MustParsePrefix(n.prefix).Contains(a) {
			return n.what
		}
	}
	return ""
}
