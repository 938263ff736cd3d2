package auth

import (
	"net/http"
	"net/netip"
	"strconv"
	"strings"
)

// hostport is a normalised authority: a name in lower case without a dot at
// its end, or an address in its one canonical form, and a port.
type hostport struct {
	name string
	port uint16 // 0 in a rule: any
}

// parseHost normalises the Host header or the authority of an origin. A port
// that is left out is the given one.
func parseHost(text string, port uint16) (hostport, bool) {
	name, rest := text, ""
	if inner, found := strings.CutPrefix(text, "["); found {
		address, after, closed := strings.Cut(inner, "]")
		ip, err := netip.ParseAddr(address)
		if !closed || err != nil || !ip.Is6() || ip.Zone() != "" {
			return hostport{}, false
		}
		name, rest = ip.Unmap().String(), after
	} else {
		if i := strings.IndexByte(text, ':'); i >= 0 {
			name, rest = text[:i], text[i:]
		}
		name = strings.ToLower(strings.TrimSuffix(name, "."))
		if !plainName(name) {
			return hostport{}, false
		}
	}
	if rest == "" {
		return hostport{name, port}, true
	}
	digits, found := strings.CutPrefix(rest, ":")
	n, err := strconv.ParseUint(digits, 10, 16)
	if !found || err != nil || n == 0 || digits[0] == '0' || digits[0] == '+' {
		return hostport{}, false
	}
	return hostport{name, uint16(n)}, true
}

// plainName accepts what a browser sends: names in ASCII (others come as
// xn--…), underscores as in the wild, IPv4 addresses.
func plainName(s string) bool {
	return s != "" && len(s) <= 253 && s[0] != '.' && !strings.HasSuffix(s, ".") && !strings.ContainsFunc(s, func(c rune) bool {
		return !(c >= 'a' && c <= 'z' || c >= '0' && c <= '9' || c == '-' || c == '.' || c == '_')
	})
}

// loopback reports whether the authority names this machine and nothing that
// another's DNS answers for.
func (h hostport) loopback() bool {
	if h.name == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(h.name)
	return err == nil && ip.IsLoopback()
}

// origin is a normalised Origin header.
type origin struct {
	scheme string // http or https
	hostport
}

// parseOrigin normalises an origin; "null" is none.
func parseOrigin(text string) (origin, bool) {
	scheme, authority, found := strings.Cut(text, "://")
	scheme = strings.ToLower(scheme)
	if !found || scheme != "http" && scheme != "https" {
		return origin{}, false
	}
	h, ok := parseHost(authority, defaultPort(scheme))
	return origin{scheme, h}, ok
}

func defaultPort(scheme string) uint16 {
	if scheme == "https" {
		return 443
	}
	return 80
}

// hostAllowed judges the Host header against DNS rebinding: a page of a
// foreign name that now resolves to this machine still sends that name.
func (p *policy) hostAllowed(r *http.Request, local netip.AddrPort) bool {
	h, ok := parseHost(r.Host, 0)
	if !ok {
		return false
	}
	ports := []uint16{h.port}
	if h.port == 0 { // left out: whoever ends TLS in front of us knows which one
		ports = []uint16{80, 443}
	}
	for _, port := range ports {
		if h.loopback() && port == local.Port() || p.hosts[hostport{h.name, port}] {
			return true
		}
	}
	return p.hosts[hostport{h.name, 0}]
}
