package address

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// ErrPrivate means that an address is not one of the public internet, and
// webhooks.block_private_targets is on.
var ErrPrivate = errors.New("private targets are blocked")

// Blocked says why a target with this host is certain to be refused, "" where
// it is not or DNS has the last word: for advice before anything is dialled.
func Blocked(host string) string {
	addr, literal, err := ReadHost(host)
	name := "." + strings.ToLower(strings.TrimSuffix(host, "."))
	switch {
	case errors.Is(err, ErrPrivate):
		return "not written as four decimal numbers"
	case err != nil:
		return "no host"
	case literal:
		return What(addr)
	case strings.HasSuffix(name, ".localhost"):
		return "loopback"
	}
	return ""
}

// ReadHost tells addresses from names. A spelling of an IPv4 address that is
// not four decimal numbers is refused: 2130706433, 0x7f.1 and 017700000001 are
// all 127.0.0.1 to some resolver or other.
func ReadHost(host string) (addr netip.Addr, literal bool, err error) {
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

// Judge refuses every address that is not one of the public internet.
func Judge(a netip.Addr) error {
	what := What(a)
	if what == "" {
		return nil
	}
	return fmt.Errorf("cannot deliver to %s: it is %s (%w)", a, what, ErrPrivate)
}

// reserved are the IPv4 networks of the IANA special-purpose registry that no
// webhook has a reason to be in: also those that are routed, and answered by
// whoever is near (AS112's name servers, AMT's relays). And one address that
// looks like any other: 168.63.129.16 is the host service of every machine in
// Azure, which gives it its configuration.
func reserved() []network {
	return []network{
		{"0.0.0.0/8", "unspecified"}, {"10.0.0.0/8", "private"}, {"100.64.0.0/10", "shared (CGNAT)"},
		{"127.0.0.0/8", "loopback"}, {"169.254.0.0/16", "link-local"}, {"172.16.0.0/12", "private"},
		{"192.0.0.0/24", "reserved"}, {"192.0.2.0/24", "for documentation"}, {"192.88.99.0/24", "reserved"},
		{"192.31.196.0/24", "reserved (AS112)"}, {"192.52.193.0/24", "reserved (AMT)"}, {"192.175.48.0/24", "reserved (AS112)"},
		{"168.63.129.16/32", "reserved (Azure's host)"},
		{"192.168.0.0/16", "private"}, {"198.18.0.0/15", "for benchmarks"}, {"198.51.100.0/24", "for documentation"},
		{"203.0.113.0/24", "for documentation"}, {"224.0.0.0/4", "multicast"}, {"240.0.0.0/4", "reserved"},
	}
}

// reserved6 are the networks inside 2000::/3 that are not somebody's; what is
// outside of it is refused as a whole.
func reserved6() []network {
	return []network{
		{"2001::/23", "reserved"}, {"2001:db8::/32", "for documentation"}, {"2002::/16", "6to4"},
		{"2620:4f:8000::/48", "reserved (AS112)"}, {"3fff::/20", "for documentation"},
	}
}

type network struct{ prefix, what string }

// What says what an address is, "" for a public one. Of IPv6 only the
// global unicast range is public; IPv4 addresses inside IPv6 ones (mapped, and
// NAT64's 64:ff9b::/96, which is how public hosts look behind a NAT64) are
// judged as what they are.
func What(a netip.Addr) string {
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
