package address

import (
	"net"
	"net/netip"
	"strings"
	"testing"
)

func TestBlocked(t *testing.T) {
	for host, want := range map[string]string{
		"localhost": "loopback", "LocalHost.": "loopback", "hook.localhost": "loopback", "127.0.0.1": "loopback", "::1": "loopback",
		"192.168.1.4": "private", "169.254.169.254": "link-local", "0x7f.1": "not written as four decimal numbers", "2130706433": "not written as four decimal numbers",
		"hooks.example.com": "", "1.1.1.1": "", "localhost.example.com": "",
	} {
		if got := Blocked(host); got != want {
			t.Errorf("%s: %q, want %q", host, got, want)
		}
	}
}

// FuzzHost: a host in a URL is an address that is judged, a name to be asked
// for, or refused; never a name that some resolver reads as an address.
func FuzzHost(f *testing.F) {
	for _, seed := range []string{"127.1", "0x7f.1", "::1", "example.com", "a.0x1", "1.2.3.4", "::ffff:7f00:1", "fe80::1%1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, host string) {
		addr, literal, err := ReadHost(host)
		switch {
		case err != nil:
		case literal:
			again, err := netip.ParseAddr(addr.String())
			if err != nil || What(again) != What(addr) {
				t.Fatalf("%q: %v %v", host, addr, err)
			}
		case net.ParseIP(host) != nil || strings.Trim(host, "0123456789.") == "" || strings.ContainsAny(host, ":%"):
			t.Fatalf("%q counts as a name", host)
		}
	})
}

// FuzzAddress: a public address is one by the standard library's lights too.
func FuzzAddress(f *testing.F) {
	for _, a := range []string{"127.0.0.1", "::ffff:10.0.0.1", "2001:db8::1", "64:ff9b::7f00:1", "8.8.8.8"} {
		f.Add(netip.MustParseAddr(a).AsSlice())
	}
	f.Fuzz(func(t *testing.T, raw []byte) {
		a, ok := netip.AddrFromSlice(raw)
		if !ok {
			return
		}
		u := a.Unmap()
		if What(a) == "" && (u.IsLoopback() || u.IsPrivate() || u.IsLinkLocalUnicast() || u.IsMulticast() || u.IsUnspecified() || !u.IsGlobalUnicast()) {
			t.Fatalf("%s counts as public", a)
		}
		if u.Is4() {
			if b := u.As4(); What(a) != What(netip.AddrFrom16([16]byte{0, 0x64, 0xff, 0x9b, 12: b[0], b[1], b[2], b[3]})) {
				t.Fatalf("%s is something else behind a NAT64", a)
			}
		}
	})
}

// TestReserved: addresses that look public and lead to whoever is near.
func TestReserved(t *testing.T) {
	for a, want := range map[string]string{"168.63.129.16": "reserved (Azure's host)", "192.31.196.1": "reserved (AS112)", "192.175.48.255": "reserved (AS112)",
		"2620:4f:8000::1": "reserved (AS112)", "192.52.193.1": "reserved (AMT)", "::ffff:168.63.129.16": "reserved (Azure's host)", "64:ff9b::168.63.129.16": "reserved (Azure's host)",
		"168.63.129.15": "", "168.63.129.17": "", "192.31.197.1": "", "192.175.49.1": "", "2620:4f:8001::1": ""} {
		if got := What(netip.MustParseAddr(a)); got != want {
			t.Errorf("%s: %q, want %q", a, got, want)
		}
	}
}
