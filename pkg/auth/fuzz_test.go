package auth

import (
	"net/http/httptest"
	"net/netip"
	"strings"
	"testing"

	"clauster/pkg/config"
)

// What is read prints as what is read again, and stays within the bounds.
func FuzzPHC(f *testing.F) {
	f.Add("$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHQ$CTFhFdXPJO1aFaMaO6Mm5c8y7cJHAph8ArZWb2GRPPc")
	f.Add("$argon2id$v=19$m=,t=,p=$$")
	f.Fuzz(func(t *testing.T, text string) {
		p, err := parsePHC(text)
		if err != nil {
			return
		}
		if p.memory < 1 || p.memory > maxMemory || p.time < 1 || p.time > maxTime || p.lanes < 1 || p.lanes > maxLanes {
			t.Errorf("out of bounds: %+v", p)
		}
		if again, err := parsePHC(p.String()); err != nil || again.String() != p.String() {
			t.Errorf("%s is read as %s: %v", text, p, err)
		}
	})
}

func FuzzSignature(f *testing.F) {
	f.Add("t=1800000000,v1=" + strings.Repeat("0a", 32))
	f.Add("t=,v1=")
	f.Fuzz(func(t *testing.T, text string) {
		s, err := parseSignature(text)
		if err == nil && (s.at < 0 || len(s.sum) != 32) {
			t.Errorf("%q: %+v", text, s)
		}
	})
}

// No Host or Origin is normalised to something that normalises differently,
// and what holds no name of ours is not ours.
func FuzzHost(f *testing.F) {
	for _, s := range []string{"localhost:7621", "[::1]:7621", "LOCALHOST.:7621", "user@localhost:7621", "http://[::ffff:127.0.0.1]:1", "null"} {
		f.Add(s)
	}
	p := newPolicy(&config.Config{})
	local := netip.MustParseAddrPort("127.0.0.1:7621")
	f.Fuzz(func(t *testing.T, text string) {
		if o, ok := parseOrigin(text); ok {
			if again, ok := parseOrigin(o.String()); !ok || again != o {
				t.Errorf("%q is %v, and that is %v", text, o, again)
			}
		}
		r := httptest.NewRequest("GET", "/", nil)
		r.Host = text
		if p.hostAllowed(r, local) {
			h, ok := parseHost(text, 0)
			if !ok || !h.loopback() || h.port != 7621 || strings.ContainsAny(text, "@/ \t\r\n%?#") {
				t.Errorf("%q is allowed as %v", text, h)
			}
		}
	})
}

// Whatever a Cookie header holds, the value is one that we could have made.
func FuzzCookie(f *testing.F) {
	f.Add("clauster_session=" + strings.Repeat("a", sessionText))
	f.Add("clauster_session=a; clauster_session=b")
	p := newPolicy(&config.Config{})
	f.Fuzz(func(t *testing.T, text string) {
		r := httptest.NewRequest("GET", "/", nil)
		r.Header["Cookie"] = []string{text}
		if v := p.presented(r); v != "" && len(v) != sessionText {
			t.Errorf("%q", v)
		}
	})
}

func FuzzOwnerRow(f *testing.F) {
	f.Add("01 00000000:00000000 00:00000000 00000000  1000        0 12345 1 0000000000000000 20 4 30 10 -1")
	f.Fuzz(func(t *testing.T, text string) {
		if uid, what := ownerInRow([]byte(text)); what == owned && uid < 0 {
			t.Errorf("uid %d", uid)
		}
	})
}
