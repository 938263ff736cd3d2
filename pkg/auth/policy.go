package auth

import (
	"net"
	"net/http"
	"net/netip"
	"strconv"
	"strings"

	"clauster/pkg/config"
)

// policy is the part of one configuration that the gate needs, in a form that
// is quick to ask. It is made anew when the configuration changes.
type policy struct {
	cfg     *config.Config
	hosts   map[hostport]bool
	origins map[origin]bool
	trusted []netip.Prefix // of the reverse proxy
}

func newPolicy(cfg *config.Config) *policy {
	p := &policy{cfg: cfg, hosts: map[hostport]bool{}, origins: map[origin]bool{}}
	for _, text := range cfg.Auth.AllowedOrigins {
		if o, ok := parseOrigin(strings.TrimRight(text, "/")); ok {
			p.origins[o] = true
			p.hosts[o.hostport] = true
		}
	}
	for _, text := range cfg.API.AllowedHosts {
		if h, ok := parseHost(text, 0); ok {
			p.hosts[h] = true
		}
	}
	for _, text := range cfg.Auth.ReverseProxy.TrustedIPs {
		if a, err := netip.ParseAddr(text); err == nil {
			a = a.Unmap().WithZone("")
			p.trusted = append(p.trusted, netip.PrefixFrom(a, a.BitLen()))
		} else if n, err := netip.ParsePrefix(text); err == nil {
			p.trusted = append(p.trusted, unmapPrefix(n))
		}
	}
	return p
}

// unmapPrefix turns ::ffff:10.0.0.0/104 into 10.0.0.0/8.
func unmapPrefix(n netip.Prefix) netip.Prefix {
	if n.Addr().Is4In6() && n.Bits() >= 96 {
		return netip.PrefixFrom(n.Addr().Unmap(), n.Bits()-96).Masked()
	}
	return n.Masked()
}

// trusts reports whether a peer is the reverse proxy. The address must be
// unmapped.
func (p *policy) trusts(peer netip.Addr) bool {
	for _, n := range p.trusted {
		if n.Contains(peer) {
			return true
		}
	}
	return false
}

// scheme is how the client reached us: TLS of our own, or the word of the
// reverse proxy, which nobody else is asked for.
func (p *policy) scheme(r *http.Request) string {
	if r.TLS != nil {
		return "https"
	}
	if forwarded := r.Header.Values("X-Forwarded-Proto"); len(forwarded) == 1 && len(p.trusted) > 0 && p.trusts(remoteOf(r).Addr()) {
		if strings.EqualFold(forwarded[0], "https") {
			return "https"
		}
	}
	return "http"
}

// remoteOf is the peer's address as the kernel has it.
func remoteOf(r *http.Request) netip.AddrPort {
	a, err := netip.ParseAddrPort(r.RemoteAddr)
	if err != nil {
		return netip.AddrPort{}
	}
	return plainAddr(a)
}

// localOf is the address the request came in by.
func localOf(r *http.Request) netip.AddrPort {
	a, ok := r.Context().Value(http.LocalAddrContextKey).(*net.TCPAddr)
	if !ok {
		return netip.AddrPort{}
	}
	return plainAddr(a.AddrPort())
}

func plainAddr(a netip.AddrPort) netip.AddrPort {
	return netip.AddrPortFrom(a.Addr().Unmap().WithZone(""), a.Port())
}

// String prints an origin as browsers do.
func (o origin) String() string {
	name := o.name
	if strings.Contains(name, ":") {
		name = "[" + name + "]"
	}
	if o.port == defaultPort(o.scheme) {
		return o.scheme + "://" + name
	}
	return o.scheme + "://" + name + ":" + strconv.Itoa(int(o.port))
}
