package delivery

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"

	"clauster/pkg/address"
)

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
	g.dialer.Control = func(_, to string, _ syscall.RawConn) error {
		addr, err := netip.ParseAddrPort(to)
		if err != nil {
			return fmt.Errorf("cannot judge address %s", to)
		}
		return address.Judge(addr.Addr())
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
	addr, literal, err := address.ReadHost(host)
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
		if err := address.Judge(a); err != nil {
			return nil, err
		}
	}
	return addrs, nil
}
