package auth

import (
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"clauster/pkg/config"
)

func TestHostAllowed(t *testing.T) {
	p := newPolicy(&config.Config{
		Auth: config.Auth{AllowedOrigins: []string{"https://Claude.Example/", "http://[fd00::1]:8080", "https://alt.example:8443"}},
		API:  config.APIServer{AllowedHosts: []string{"any.lan", "one.lan:9000", "[fd00::2]"}},
	})
	local := netip.MustParseAddrPort("127.0.0.1:7621")
	for host, want := range map[string]bool{
		"localhost:7621": true, "LocalHost:7621": true, "localhost.:7621": true, "127.0.0.1:7621": true, "127.8.9.10:7621": true,
		"[::1]:7621": true, "[0:0:0:0:0:0:0:1]:7621": true, "[::ffff:127.0.0.1]:7621": true,
		"claude.example": true, "claude.example:443": true, "CLAUDE.EXAMPLE.": true, "alt.example:8443": true,
		"[fd00::1]:8080": true, "any.lan": true, "any.lan:1": true, "one.lan:9000": true, "[fd00::2]:1234": true,

		"": false, "localhost": false, "localhost:80": false, "localhost:7622": false, "localhost:07621": false, "localhost:+7621": false, "localhost:7621x": false,
		"localhost:": false, "localhost:0": false, "localhost:99999999999": false, "localhost..:7621": false, ".localhost:7621": false,
		"evil.example:7621": false, "localhost.evil.example:7621": false, "evil.localhost:7621": false, "127.0.0.1.evil.example:7621": false,
		"user@localhost:7621": false, "localhost:7621@evil.example": false, "localhost:7621/": false, "localhost:7621#": false, "localhost:7621?": false,
		" localhost:7621": false, "localhost:7621 ": false, "local host:7621": false, "localhost\t:7621": false, "lоcalhost:7621": false, // Cyrillic о
		"0.0.0.0:7621": false, "127.1:7621": false, "2130706433:7621": false, "0x7f000001:7621": false, "0177.0.0.1:7621": false,
		"[::1%lo]:7621": false, "[::1%25lo]:7621": false, "[::1:7621": false, "::1:7621": false, "[::]:7621": false, "[127.0.0.1]:7621": false, "[::1]7621": false, "[]:7621": false,
		"192.168.1.5:7621": false, "claude.example:8443": false, "alt.example": false, "one.lan": false, "one.lan:9001": false, "xany.lan": false, "any.lan.evil.example": false,
		"[fd00::1]": false, "[fd00::3]:8080": false,
	} {
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = host
		if got := p.hostAllowed(r, local); got != want {
			t.Errorf("Host %q: %v", host, got)
		}
	}
	// A name without a port means 80 or 443: only where the socket has one of them.
	r := httptest.NewRequest("GET", "/", nil)
	r.Host = "localhost"
	if !p.hostAllowed(r, netip.MustParseAddrPort("[::1]:80")) {
		t.Error("localhost on port 80")
	}
}

func TestBrowserProof(t *testing.T) {
	p := newPolicy(&config.Config{Auth: config.Auth{AllowedOrigins: []string{"https://claude.example", "HTTP://Dev.Example:3000/"},
		ReverseProxy: config.ReverseProxy{TrustedIPs: []string{"10.0.0.0/8", "::ffff:192.0.2.7"}}}})
	const own = "localhost:7621"
	for _, c := range []struct {
		method, host string
		headers      string // «Name: value» separated by |
		remote       string
		want         proof
	}{
		// Allowed, whatever the spelling.
		{"POST", own, "Origin: http://localhost:7621", "", proofGood},
		{"POST", own, "Origin: http://localhost:7621|Sec-Fetch-Site: same-origin", "", proofGood},
		{"POST", "127.0.0.1:7621", "Origin: http://127.0.0.1:7621", "", proofGood},
		{"POST", "[::1]:7621", "Origin: http://[::1]:7621", "", proofGood},
		{"POST", own, "Origin: HTTP://LOCALHOST:7621", "", proofGood},
		{"POST", own, "Origin: https://claude.example", "", proofGood},
		{"POST", own, "Origin: https://claude.example:443", "", proofGood},
		{"POST", own, "Origin: http://dev.example:3000|Sec-Fetch-Site: cross-site", "", proofGood},
		{"POST", own, "Sec-Fetch-Site: same-origin", "", proofGood},
		{"POST", own, "Sec-Fetch-Site: none", "", proofNone},
		// The Host was allowed before: its own origin is, too.
		{"POST", "any.lan:7621", "Origin: http://any.lan:7621", "", proofGood},
		{"POST", "any.lan", "Origin: http://any.lan", "", proofGood},

		// Another loopback address may be another's port.
		{"POST", own, "Origin: http://127.0.0.1:7621", "", proofForeign},
		{"POST", "127.0.0.1:7621", "Origin: http://127.0.0.2:7621", "", proofForeign},
		{"POST", "127.0.0.1:7621", "Origin: http://[::1]:7621", "", proofForeign},
		{"GET", "127.0.0.1:7621", "Origin: http://[::1]:7621|Connection: Upgrade|Upgrade: websocket", "", proofForeign},
		{"POST", own, "Origin: http://localhost:7621|Sec-Fetch-Site: cross-site", "", proofForeign}, // no browser says so

		{"POST", own, "Origin: null", "", proofForeign},
		{"GET", own, "Origin: null", "", proofForeign},
		{"POST", own, "Origin: null|Sec-Fetch-Site: same-origin", "", proofForeign},
		{"POST", own, "Origin: ", "", proofForeign},
		{"POST", own, "Origin: http://evil.example", "", proofForeign},
		{"GET", own, "Origin: http://evil.example", "", proofForeign},
		{"POST", own, "Origin: http://localhost:3000", "", proofForeign}, // an agent's own page on this host
		{"POST", own, "Origin: http://localhost", "", proofForeign},
		{"POST", own, "Origin: https://localhost:7621", "", proofForeign}, // not served there
		{"POST", own, "Origin: http://user@localhost:7621", "", proofForeign},
		{"POST", own, "Origin: http://localhost:7621/x", "", proofForeign},
		{"POST", own, "Origin: http://localhost:7621.evil.example", "", proofForeign},
		{"POST", own, "Origin: ftp://localhost:7621", "", proofForeign},
		{"POST", own, "Origin: http://claude.example", "", proofForeign}, // http is not https
		{"POST", own, "Origin: http://localhost:7621|Origin: http://evil.example", "", proofForeign},
		{"POST", own, "Sec-Fetch-Site: cross-site", "", proofForeign},
		{"POST", own, "Sec-Fetch-Site: same-site", "", proofForeign},
		{"POST", own, "Sec-Fetch-Site: SAME-ORIGIN", "", proofForeign},
		{"PUT", own, "Sec-Fetch-Site: cross-site", "", proofForeign},
		{"DELETE", own, "Sec-Fetch-Site: cross-site", "", proofForeign},
		{"GET", own, "Sec-Fetch-Site: cross-site|Connection: Upgrade|Upgrade: WebSocket", "", proofForeign},
		{"GET", own, "Origin: http://evil.example|Connection: Upgrade|Upgrade: websocket", "", proofForeign},
		{"POST", "any.lan", "Origin: https://any.lan", "", proofForeign}, // nobody we trust said https

		{"POST", "any.lan", "Origin: https://any.lan|X-Forwarded-Proto: https", "10.1.2.3:4", proofGood},
		{"POST", "any.lan", "Origin: https://any.lan|X-Forwarded-Proto: https", "[::ffff:10.1.2.3]:4", proofGood},
		{"POST", "any.lan", "Origin: https://any.lan|X-Forwarded-Proto: https", "192.0.2.7:4", proofGood},
		{"POST", "any.lan", "Origin: https://any.lan|X-Forwarded-Proto: https", "192.0.2.8:4", proofForeign},
		{"POST", "any.lan", "Origin: https://any.lan|X-Forwarded-Proto: https|X-Forwarded-Proto: http", "10.1.2.3:4", proofForeign},

		// A link may be followed, a program says nothing.
		{"GET", own, "Sec-Fetch-Site: cross-site", "", proofNone},
		{"GET", own, "", "", proofNone},
		{"POST", own, "", "", proofNone},
		{"POST", own, "Referer: http://evil.example/", "", proofNone},
	} {
		r := httptest.NewRequest(c.method, "/", nil)
		r.Host = c.host
		if c.remote != "" {
			r.RemoteAddr = c.remote
		}
		if c.headers != "" {
			for h := range strings.SplitSeq(c.headers, "|") {
				name, value, _ := strings.Cut(h, ": ")
				r.Header.Add(name, value)
			}
		}
		if got := p.browserProof(r); got != c.want {
			t.Errorf("%s %s with %s: %v, want %v", c.method, c.host, c.headers, got, c.want)
		}
	}
}

func TestExposed(t *testing.T) {
	enforced := config.Auth{Enabled: true, PasswordRequired: true}
	for addr, exposed := range map[string]bool{"127.0.0.1": false, "127.3.2.1": false, "::1": false, "::ffff:127.0.0.1": false,
		"0.0.0.0": true, "::": true, "192.168.1.5": true, "fe80::1": true, "::ffff:10.0.0.1": true} {
		a := netip.MustParseAddr(addr)
		if p := Exposed(a, config.Auth{}); (p != nil) != exposed {
			t.Errorf("%s: %v", addr, p)
		} else if p != nil && (p.Code != http.StatusServiceUnavailable || p.Hint == "" || !strings.Contains(p.Detail, addr)) {
			t.Errorf("%+v", p)
		}
		if p := Exposed(a, enforced); p != nil {
			t.Errorf("%s although enforced: %v", addr, p)
		}
		if p := Exposed(a, config.Auth{AllowUnauthenticatedNetwork: true}); p != nil {
			t.Errorf("%s although allowed: %v", addr, p)
		}
		if p := Exposed(a, config.Auth{Enabled: true}); (p != nil) != exposed {
			t.Errorf("%s with nothing to log in by: %v", addr, p)
		}
	}
	if Exposed(netip.Addr{}, config.Auth{}) == nil {
		t.Error("an address that nobody could read")
	}
}
