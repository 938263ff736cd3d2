package auth

import (
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"clauster/pkg/config"
)

// withPassword serves with a password login: «correct horse».
func withPassword(t *testing.T, more func(*config.Config)) *site {
	t.Helper()
	hash, err := HashPassword("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	return newSite(t, func(c *config.Config) {
		c.Auth.Enabled, c.Auth.PasswordRequired, c.Auth.PasswordHash = true, true, hash
		if more != nil {
			more(c)
		}
	})
}

const rightPassword = "POST /login/correct%20horse"

// logIn logs in as a browser does and gives the cookie header.
func (s *site) logIn(headers ...string) string {
	s.t.Helper()
	a := s.send(rightPassword, append(headers, "Origin: http://localhost:"+s.port)...)
	if a.Cookie == nil {
		s.t.Fatalf("no login: %+v", a)
	}
	return "Cookie: " + a.Cookie.Name + "=" + a.Cookie.Value
}

// The operator visits evil.example. Its page loads, then its DNS answers
// 127.0.0.1: the page's own requests reach our socket as same-origin ones. The
// browser still says the name it believes to talk to.
func TestAttackRebinding(t *testing.T) {
	s := newSite(t, nil)
	for _, host := range []string{"evil.example", "evil.example:" + s.port, "localhost.evil.example:" + s.port} {
		s.want(s.send("GET /api/v1/instances", "Host: "+host, "Sec-Fetch-Site: same-origin"), "host-refused")
		s.want(s.send("POST /api/v1/instances", "Host: "+host, "Origin: http://"+host, "Sec-Fetch-Site: same-origin"), "host-refused")
	}
	s.want(s.send("GET http://evil.example/"), "host-refused")
	s.want(s.send("GET http://evil.example/", "Host: localhost:"+s.port), "host-refused")
	s.want(s.send("GET /", "Host: localhost:"+s.port, "Host: evil.example"), "400")
	s.want(s.send("GET /"), "open")
}

// A page elsewhere posts a form to localhost: without a preflight, since forms
// may. The cookie would go along, and with authentication off none is needed.
func TestAttackCrossSitePost(t *testing.T) {
	s := newSite(t, nil)
	for _, h := range [][]string{
		{"Origin: http://evil.example", "Sec-Fetch-Site: cross-site"},
		{"Sec-Fetch-Site: cross-site"}, // a browser that hides the Origin
		{"Sec-Fetch-Site: same-site"},  // a page of an agent's server on another port
		{"Origin: http://localhost:3000"},
		{"Origin: null"}, // a sandboxed frame
		{"Origin: null", "Sec-Fetch-Site: same-origin"},
		{"Content-Type: text/plain", "Origin: http://evil.example"},
	} {
		s.want(s.send("POST /api/v1/instances/blog/restart", h...), "origin-refused")
	}
	s.want(s.send("POST /x", "Origin: http://localhost:"+s.port), "open")
	s.want(s.send("POST /x"), "open") // curl

	// A bearer token in a page elsewhere: a script there holds it, but the page
	// is not one of ours.
	token := NewToken(TokenPrefix)
	s.change(func(c *config.Config) { c.Auth.Enabled, c.Auth.APITokenHash = true, HashToken(token) })
	s.want(s.send("POST /x", "Authorization: Bearer "+token, "Origin: http://evil.example"), "origin-refused")
	s.want(s.send("POST /x", "Authorization: Bearer "+token), "token")
}

// A page elsewhere opens a WebSocket to us: same-origin policy does not apply
// to those, and the cookie goes along.
func TestAttackCrossSiteWebSocket(t *testing.T) {
	s := withPassword(t, nil)
	upgrade := []string{"Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA=="}
	cookie := s.logIn()
	own := "Origin: http://localhost:" + s.port
	s.want(s.send("GET /ws", append(upgrade, cookie, own)...), "session")
	s.want(s.send("GET /ws", append(upgrade, cookie, "Origin: http://evil.example")...), "origin-refused")
	s.want(s.send("GET /ws", append(upgrade, cookie, "Origin: null")...), "origin-refused")
	s.want(s.send("GET /ws", append(upgrade, cookie)...), "origin-refused")
	s.want(s.send("GET /ws", append(upgrade, cookie, "Sec-Fetch-Site: cross-site")...), "origin-refused")
}

// With a session: what a browser sends without saying from where changes
// nothing, and reading stays possible.
func TestAttackCookieWithoutOrigin(t *testing.T) {
	s := withPassword(t, nil)
	cookie := s.logIn()
	s.want(s.send("POST /x", cookie), "origin-refused")
	s.want(s.send("DELETE /x", cookie), "origin-refused")
	s.want(s.send("GET /x", cookie), "session")
	s.want(s.send("POST /x", cookie, "Sec-Fetch-Site: same-origin"), "session")
	// What a person typed or a bookmark holds is no page of ours.
	s.want(s.send("POST /x", cookie, "Sec-Fetch-Site: none"), "origin-refused")
	s.want(s.send("GET /x", cookie, "Sec-Fetch-Site: none"), "session")
}

// Somebody on the network sends the headers that only the reverse proxy may;
// or stands behind the proxy and has it pass on more than it signed.
func TestAttackForgedProxyHeaders(t *testing.T) {
	s := newSite(t, func(c *config.Config) {
		c.Auth.Enabled = true
		p := &c.Auth.ReverseProxy
		p.Enabled, p.TrustedIPs, p.SharedSecret = true, []string{"10.9.9.9"}, "key"
	})
	sign := func(user string, at int64, method, path string) string {
		return fmt.Sprintf("X-Proxy-Auth: t=%d,v1=%s", at, hex.EncodeToString(signatureOf("key", user, at, method, path)))
	}
	now := s.clock().Unix()
	good := sign("ann", now, "POST", "/x")
	// From elsewhere than the proxy: not believed, even if it is right.
	s.want(s.send("POST /x", "Remote-User: ann", good), "nobody")
	s.change(func(c *config.Config) { c.Auth.ReverseProxy.TrustedIPs = []string{"::ffff:127.0.0.0/104"} })
	if a := s.send("POST /x", "Remote-User: ann", good); a.Who.Kind != Proxy || a.Who.Name != "ann" || a.Who.Scope != ScopeWrite {
		t.Errorf("%+v", a)
	}
	s.want(s.send("POST /x?a=b", "Remote-User: ann", good), "proxy") // the query is not signed
	for name, h := range map[string][]string{
		"another user":    {"Remote-User: root", good},
		"two users":       {"Remote-User: ann", "Remote-User: root", good},
		"two signatures":  {"Remote-User: ann", good, good},
		"no signature":    {"Remote-User: ann"},
		"another method":  {"Remote-User: ann", sign("ann", now, "GET", "/x")},
		"another path":    {"Remote-User: ann", sign("ann", now, "POST", "/y")},
		"old":             {"Remote-User: ann", sign("ann", now-61, "POST", "/x")},
		"of the future":   {"Remote-User: ann", sign("ann", now+61, "POST", "/x")},
		"nonsense":        {"Remote-User: ann", "X-Proxy-Auth: t=1"},
		"a negative time": {"Remote-User: ann", "X-Proxy-Auth: t=-5,v1=" + strings.Repeat("0", 64)},
		"read in two ways": {"Remote-User: ann:5:GET:/y", sign("ann:5:GET:/y", now, "POST", "/x"),
			"X-Forwarded-Proto: https"},
	} {
		if a := s.send("POST /x", h...); a.Problem == nil || a.Problem.Kind != "unauthenticated" {
			t.Errorf("%s: %+v", name, a)
		}
	}
	s.want(s.send("POST /x"), "nobody")
	// A cross-site form through the proxy: the proxy's own login goes along.
	s.want(s.send("POST /x", "Remote-User: ann", good, "Origin: http://evil.example"), "origin-refused")

	// Without HMAC the address is all there is, and an agent on this host has
	// the same one: its uid tells.
	s.change(func(c *config.Config) { c.Auth.ReverseProxy.RequireHMAC = false })
	s.want(s.send("POST /x", "Remote-User: ann"), "proxy")
	s.mu.Lock()
	s.agent = os.Getuid()
	s.mu.Unlock()
	s.want(s.send("POST /x", "Remote-User: ann"), "nobody")
	s.want(s.send("POST /x", "Remote-User: ann", "X-Forwarded-For: 10.9.9.9"), "nobody")
}

// The attacker plants a session cookie of his own making in the operator's
// browser and waits for a login to make it good.
func TestAttackSessionFixation(t *testing.T) {
	s := withPassword(t, nil)
	planted := "Cookie: " + cookiePlain + "=" + randomText()
	a := s.send(rightPassword, planted, "Origin: http://localhost:"+s.port)
	if a.Cookie == nil || strings.HasSuffix(planted, a.Cookie.Value) {
		t.Fatalf("%+v", a)
	}
	s.want(s.send("GET /", planted), "nobody")
	// A valid one is not kept either: a new login is a new session.
	old := "Cookie: " + a.Cookie.Name + "=" + a.Cookie.Value
	s.want(s.send("GET /", old), "session")
	fresh := s.logIn(old)
	s.want(s.send("GET /", old), "nobody")
	s.want(s.send("GET /", fresh), "session")
	// Two cookies of the name: one of them was planted, nobody knows which.
	s.want(s.send("GET /", fresh+"; "+cookiePlain+"="+randomText()), "nobody")
	c := a.Cookie
	if !c.HttpOnly || c.SameSite != http.SameSiteLaxMode || c.Path != "/" || c.Domain != "" || c.MaxAge != 604800 {
		t.Errorf("%+v", c)
	}
}

// A token in the address ends in access logs, in the history and in Referer
// headers of pages elsewhere.
func TestAttackTokenInAddress(t *testing.T) {
	token := NewToken(TokenPrefix)
	s := newSite(t, func(c *config.Config) { c.Auth.APITokenHash = HashToken(token) })
	for _, target := range []string{"/?token=" + token, "/?" + token, "/" + token, "/?token=" + strings.ReplaceAll(token, "_", "%5F"),
		"/?a=b&token=clauster%5fpat%5Fx", "/metrics?t=" + NewToken(ScrapeTokenPrefix), "/clauster%5Fpat_x"} {
		s.want(s.send("GET "+target), "bad-request")
		s.want(s.send("GET "+target, "Authorization: Bearer "+token), "bad-request")
		s.want(s.sendTo("unix", s.socket, "GET "+target), "bad-request")
	}
	s.want(s.send("GET /?after=a%20b&x=50%25", "Authorization: Bearer "+token), "token")
	// What cannot be read holds no token that is known of: nobody needs a new one.
	for target, says := range map[string]string{"/?%zz": "cannot read the query", "/?x=%": "cannot read the query", "/?%zz&t=" + token: "cannot take a token"} {
		if a := s.send("GET " + target); a.Problem == nil || a.Problem.Kind != "bad-request" || !strings.Contains(a.Problem.Detail, says) || strings.Contains(a.Problem.Hint, "rotate") != strings.Contains(says, "token") {
			t.Errorf("%s: %+v", target, a.Problem)
		}
	}
}

// The attacker guesses passwords; once locked he makes the API restart (it
// idles out by itself) and hopes that it forgets.
func TestAttackThrottleAcrossRestart(t *testing.T) {
	s := withPassword(t, nil)
	for range lockAfter {
		s.want(s.send("POST /login/wrong-guess"), "unauthenticated")
	}
	locked := s.send(rightPassword)
	s.want(locked, "throttled")
	if locked.Problem.RetryAfter != 300 {
		t.Errorf("%+v", locked.Problem)
	}
	s.sleep(299 * time.Second)
	s.open()
	s.want(s.send(rightPassword), "throttled")
	s.sleep(time.Second)
	s.want(s.send(rightPassword), "nobody") // admitted as nobody, then let in
	// Success forgets the failures before it.
	for range lockAfter - 1 {
		s.want(s.send("POST /login/wrong-guess"), "unauthenticated")
	}
	s.logIn()
	s.want(s.send("POST /login/wrong-guess"), "unauthenticated")
	s.logIn()
}

// A hundred guesses at once must not all be checked before the first is counted.
func TestAttackGuessesAtOnce(t *testing.T) {
	s := withPassword(t, nil)
	var mu sync.Mutex
	checked := 0
	var all sync.WaitGroup
	for range 40 {
		all.Go(func() {
			a := s.send("POST /login/wrong-guess")
			mu.Lock()
			defer mu.Unlock()
			if a.Problem != nil && a.Problem.Kind == "unauthenticated" {
				checked++
			}
		})
	}
	all.Wait()
	if checked > lockAfter {
		t.Errorf("%d passwords were checked", checked)
	}
}

// Everybody behind the proxy has its address: nobody may lock the others out,
// and guessing still gets slow.
func TestAttackSharedAddress(t *testing.T) {
	s := withPassword(t, func(c *config.Config) { c.Auth.ReverseProxy.TrustedIPs = []string{"127.0.0.1"} })
	for range sharedCeiling {
		s.want(s.send("POST /login/wrong-guess"), "unauthenticated")
	}
	for _, wait := range []int{1, 2, 4, 8, 16, 32, 60} {
		a := s.send("POST /login/wrong-guess")
		s.want(a, "throttled")
		if a.Problem != nil && a.Problem.RetryAfter != wait {
			t.Errorf("wait %d s, want %d", a.Problem.RetryAfter, wait)
		}
		s.sleep(time.Duration(wait) * time.Second)
		s.want(s.send("POST /login/wrong-guess"), "unauthenticated")
	}
	s.sleep(time.Minute)
	s.logIn()
}

// An agent sends a request and closes its socket at once: the kernel shows
// such a socket as root's.
func TestAttackOrphanedSocket(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	c, err := net.Dial("tcp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	defer in.Close()
	remote, local := plainAddr(in.RemoteAddr().(*net.TCPAddr).AddrPort()), plainAddr(in.LocalAddr().(*net.TCPAddr).AddrPort())
	if uid, what := ownerOf(remote, local, openProc); what != owned || uid != os.Getuid() {
		t.Errorf("open: uid %d, %v", uid, what)
	}
	c.Close()
	if uid, what := ownerOf(remote, local, openProc); what == owned {
		t.Errorf("closed: uid %d", uid)
	}
}

// Whoever has an account on the host has sixteen million addresses of it.
func TestAttackLoopbackAddresses(t *testing.T) {
	p := newPolicy(&config.Config{})
	for _, address := range []string{"127.0.0.1", "127.0.0.2", "127.255.255.254", "::1"} {
		if key := p.throttleKey(netip.MustParseAddr(address), ""); key != "ip:loopback" {
			t.Errorf("%s counts as %s", address, key)
		}
	}
	if a, b := p.throttleKey(netip.MustParseAddr("192.0.2.1"), ""), p.throttleKey(netip.MustParseAddr("192.0.2.2"), ""); a == b {
		t.Errorf("two hosts count as %s", a)
	}
}
