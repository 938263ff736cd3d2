package auth

import (
	"net/http/httptest"
	"testing"
	"time"

	"clauster/pkg/config"
)

func TestSessionAges(t *testing.T) {
	s := withPassword(t, func(c *config.Config) { c.Auth.SessionMaxAgeSeconds, c.Auth.SessionIdleSeconds = 3600, 600 })
	cookie := s.logIn()
	if a := s.send("GET /", cookie); a.Who.Kind != Session || a.Who.Name != "admin" || a.Who.Scope != ScopeWrite {
		t.Errorf("%+v", a)
	}
	for range 6 {
		s.want(s.send("GET /", cookie), "session")
		s.sleep(599 * time.Second)
	}
	s.want(s.send("GET /", cookie), "session") // used, 3594 s old
	s.sleep(10 * time.Second)
	s.want(s.send("GET /", cookie), "nobody")

	idle := s.logIn()
	s.sleep(10 * time.Minute)
	s.want(s.send("GET /", idle), "nobody")
	s.change(func(c *config.Config) { c.Auth.SessionIdleSeconds = 0 })
	s.want(s.send("GET /", idle), "session")
}

// A session that is used more often than it may be idle lasts, however short
// that is.
func TestShortIdleSessionsLast(t *testing.T) {
	for _, idle := range []int{1, 50, 90} {
		s := withPassword(t, func(c *config.Config) { c.Auth.SessionIdleSeconds = idle })
		cookie := s.logIn()
		for range 20 {
			s.sleep(seconds(idle) / 5)
			s.want(s.send("GET /", cookie), "session")
		}
		s.sleep(seconds(idle))
		s.want(s.send("GET /", cookie), "nobody")
	}
}

func TestLogoutEverywhere(t *testing.T) {
	s := withPassword(t, nil)
	here, there := s.logIn(), s.logIn()
	own := "Origin: http://localhost:" + s.port
	a := s.send("POST /logout", here, own)
	if a.Cookie == nil || a.Cookie.MaxAge >= 0 || a.Cookie.Value != "" {
		t.Errorf("%+v", a.Cookie)
	}
	s.want(s.send("GET /", here), "nobody")
	s.want(s.send("GET /", there), "nobody")
}

// Whoever changes the password wants everybody out.
func TestNewPasswordEndsSessions(t *testing.T) {
	s := withPassword(t, nil)
	cookie := s.logIn()
	other, err := HashPassword("correct horse") // the same one, newly salted
	if err != nil {
		t.Fatal(err)
	}
	old := s.cfg.Auth.PasswordHash
	s.change(func(c *config.Config) { c.Auth.PasswordHash = other })
	s.want(s.send("GET /", cookie), "nobody")
	s.change(func(c *config.Config) { c.Auth.PasswordHash = old })
	s.want(s.send("GET /", cookie), "session")
	s.change(func(c *config.Config) { c.Auth.PasswordRequired = false })
	s.want(s.send("GET /", cookie), "nobody")
	s.want(s.send(rightPassword), "unauthenticated")
	s.change(func(c *config.Config) { c.Auth.PasswordRequired, c.Auth.PasswordHash = true, "$argon2id$broken" })
	s.want(s.send(rightPassword), "unavailable")
	s.change(func(c *config.Config) { c.Auth.Enabled = false })
	s.want(s.send(rightPassword), "conflict")
	s.want(s.send("GET /", cookie), "open") // nobody asks for it any more
}

func TestCookieNames(t *testing.T) {
	for _, c := range []struct {
		secure, root, proto, remote string
		name, path                  string
		isSecure                    bool
	}{
		{"auto", "", "", "", cookiePlain, "/", false},
		{"auto", "/clauster", "", "", cookiePlain, "/clauster", false},
		{"auto", "", "https", "10.1.1.1:5", cookieHost, "/", true},
		{"auto", "", "https", "10.2.1.1:5", cookiePlain, "/", false}, // not the proxy
		{"always", "", "", "", cookieHost, "/", true},
		{"always", "/clauster", "", "", cookieSecure, "/clauster", true},
		{"never", "", "https", "10.1.1.1:5", cookiePlain, "/", false},
	} {
		p := newPolicy(&config.Config{RootPath: c.root, Auth: config.Auth{CookieSecure: c.secure, SessionMaxAgeSeconds: 1,
			ReverseProxy: config.ReverseProxy{TrustedIPs: []string{"10.1.0.0/16"}}}})
		r := httptest.NewRequest("GET", "/", nil)
		if c.proto != "" {
			r.Header.Set("X-Forwarded-Proto", c.proto)
			r.RemoteAddr = c.remote
		}
		got := p.cookie(r, "v")
		if got.Name != c.name || got.Path != c.path || got.Secure != c.isSecure {
			t.Errorf("%+v: %s", c, got)
		}
	}
	r := httptest.NewRequest("GET", "https://x/", nil) // httptest sets TLS
	if p := newPolicy(&config.Config{Auth: config.Auth{CookieSecure: "auto"}}); p.cookie(r, "v").Name != cookieHost {
		t.Error("TLS of our own")
	}
}
