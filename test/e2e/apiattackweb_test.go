package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// The one password of these tests, and the origin of our own pages.
const (
	password  = "correct horse battery"
	ownOrigin = "Origin: http://127.0.0.1:7621"
)

// withPassword asks for one on the web socket.
func (b *bed) withPassword(more string) {
	b.t.Helper()
	hash := strings.TrimSpace(b.MustSh(`echo "$1" | clauster-ctl hash-password`, password))
	b.writeConfig(fmt.Sprintf("[auth]\nenabled = true\npassword_required = true\npassword_hash = %q\n%s", hash, more))
	b.must("GET", "/healthz", "") // only what runs can be reloaded
	b.MustRun("systemctl", "reload", "clauster-api")
}

// login gives the cookie of a new session, as a request's header.
func (b *bed) login(headers ...string) string {
	b.t.Helper()
	a := b.askWeb("admin", "POST", "/api/v1/login", fmt.Sprintf(`{"password":%q}`, password), append(headers, ownOrigin)...)
	cookie, _, _ := strings.Cut(a.Header.Get("Set-Cookie"), ";")
	if a.Status != 204 || cookie == "" {
		b.t.Fatalf("login: %d %s", a.Status, a.Body)
	}
	return "Cookie: " + cookie
}

// refused wants a refusal of a kind.
func (b *bed) refused(what string, a answer, status int, kind string) {
	b.t.Helper()
	if a.Status != status || a.problem().Kind != kind {
		b.t.Errorf("%s: %d %s, want %d %s", what, a.Status, a.Body, status, kind)
	}
}

// TestAPIAttackedThroughBrowser: the operator has logged in, and then looks at
// a page of the attacker's in the same browser. Everything here carries the
// operator's cookie, as the browser would send it.
func TestAPIAttackedThroughBrowser(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("prey", nil)
	b.withPassword("")
	b.mustStart("prey")
	cookie := b.login()
	const start, one = `{"project":"prey"}`, "/api/v1/instances/prey"
	if a := b.askWeb("admin", "GET", "/api/v1/whoami", "", cookie); a.Status != 200 || !strings.Contains(a.Body, `"session"`) {
		t.Fatalf("the operator: %d %s", a.Status, a.Body)
	}

	t.Run("rebinding", func(t *testing.T) {
		// evil.example first points to the attacker's server, whose page then
		// asks its own name again, which by now points to 127.0.0.1. To the
		// browser it is one origin; only the Host header tells.
		b := &bed{b.With(t), t}
		for _, host := range []string{"evil.example", "evil.example:7621", "127.0.0.1.evil.example:7621", "localhost.evil.example:7621", "127.0.0.1:80", "2130706433:7621"} {
			b.refused(host, b.askWeb("admin", "GET", "/api/v1/instances", "", cookie, "Host: "+host), 421, "host-refused")
			b.refused(host, b.askWeb("admin", "POST", "/api/v1/instances", start, cookie, "Host: "+host, "Origin: http://"+host), 421, "host-refused")
		}
		// Liveness is no secret, but even that only by our own name.
		b.refused("healthz", b.askWeb("admin", "GET", "/healthz", "", "Host: evil.example"), 421, "host-refused")
	})
	t.Run("forged changes", func(t *testing.T) {
		// A form or a fetch of the attacker's page. A sandboxed frame and a
		// data: page say «Origin: null»; an old browser says nothing at all.
		b := &bed{b.With(t), t}
		for _, headers := range [][]string{
			{}, {"Origin: null"}, {"Origin: http://evil.example"}, {"Origin: http://127.0.0.1:7621.evil.example"}, {"Origin: http://127.0.0.1:8000"},
			{"Origin: https://127.0.0.1:7621"}, {"Origin: http://127.0.0.1:7621@evil.example"},
			{"Sec-Fetch-Site: cross-site"}, {"Sec-Fetch-Site: same-site"}, {"Sec-Fetch-Site: cross-site", "Origin: null"},
		} {
			headers = append(headers, cookie)
			for _, path := range []string{one + "/restart", "/api/v1/logout"} {
				b.refused(fmt.Sprint(path, headers[:len(headers)-1]), b.askWeb("admin", "POST", path, "", headers...), 403, "origin-refused")
			}
			b.refused(fmt.Sprint("DELETE ", headers[:len(headers)-1]), b.askWeb("admin", "DELETE", one, "", headers...), 403, "origin-refused")
		}
		// What a form can send without being asked first (CORS): refused even
		// where everything else is right.
		for _, media := range []string{"text/plain", "application/x-www-form-urlencoded", "multipart/form-data; boundary=x", "text/plain; application/json"} {
			b.refused(media, b.askWeb("admin", "POST", "/api/v1/instances", start, cookie, ownOrigin, "Content-Type: "+media), 415, "unsupported")
		}
		// The preflight of anything else is answered without a single grant.
		a := b.askWeb("admin", "OPTIONS", "/api/v1/instances", "", "Origin: http://evil.example", "Access-Control-Request-Method: POST")
		for name := range a.Header {
			if strings.HasPrefix(name, "Access-Control-") {
				t.Errorf("preflight: %s: %s", name, a.Header.Get(name))
			}
		}
		if a.Status < 400 {
			t.Errorf("preflight: %d", a.Status)
		}
		if s := b.status("prey"); s.Status != "running" {
			t.Errorf("the bridge: %+v", s)
		}
	})
	t.Run("foreign WebSocket", func(t *testing.T) {
		// WebSockets know no same-origin policy: any page may open one to us,
		// and the browser sends the cookie along.
		b := &bed{b.With(t), t}
		upgrade := []string{cookie, "Connection: Upgrade", "Upgrade: websocket", "Sec-WebSocket-Version: 13", "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ=="}
		for _, origin := range []string{"Origin: http://evil.example", "Origin: null", "Origin: http://127.0.0.1:8000", "X-Nothing: here"} {
			b.refused(origin, b.askWeb("admin", "GET", one+"/logs", "", append(upgrade, origin)...), 403, "origin-refused")
		}
		if out := b.rawWeb("GET "+one+"/logs HTTP/1.1", append(upgrade, "Host: 127.0.0.1:7621", ownOrigin), ""); !strings.HasPrefix(out, "HTTP/1.1 101 ") {
			t.Errorf("our own page: %.300s", out)
		}
	})
	t.Run("token in the address", func(t *testing.T) {
		// A link with a token in it would stay in histories, logs and Referer
		// headers; so it never works, not even with a token that is good.
		b := &bed{b.With(t), t}
		token := strings.TrimSpace(b.MustSh(`clauster-ctl token issue link --scope write`))
		token = token[strings.Index(token, "clauster_pat_"):]
		token, _, _ = strings.Cut(token, "\n")
		if a := b.askWeb("admin", "GET", "/api/v1/whoami", "", "Authorization: Bearer "+token); a.Status != 200 {
			t.Fatalf("as a header: %d %s", a.Status, a.Body)
		}
		for _, path := range []string{"?token=", "?access_token=", "?api_key=x&q=", "/", "?q=%63lauster_pat_x&t="} {
			if a := b.askWeb("admin", "GET", "/api/v1/instances"+path+token, ""); a.Status < 400 || a.Status == 404 {
				t.Errorf("%s: %d %s", path, a.Status, a.Body)
			}
		}
		if said := b.MustRun("journalctl", "-u", "clauster-api", "-o", "cat"); strings.Contains(said, token) {
			t.Error("the journal has the token")
		}
	})
}

// rawWeb sends a request of any bytes to the web socket.
func (b *bed) rawWeb(line string, headers []string, body string) string {
	b.t.Helper()
	request := line + "\r\n" + strings.Join(headers, "\r\n") + "\r\n\r\n" + body
	b.MustWriteFile("/root/request", request, 0o600, "")
	return b.MustSh(`caller raw 127.0.0.1:7621 </root/request`)
}

// TestAPISessionsUnderAttack: what happens to a login that somebody else has a
// hand in, and how often a password may be guessed.
func TestAPISessionsUnderAttack(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.withPassword("")
	who := func(cookie string) int { return b.askWeb("admin", "GET", "/api/v1/whoami", "", cookie).Status }

	// Fixation: the attacker plants a cookie in the victim's browser, one made
	// up or that of a session of his own, and waits for the victim to log in
	// with it. The victim's session must be another one, and his own end.
	made := "clauster_session=" + strings.Repeat("A", 43)
	if cookie := b.login("Cookie: " + made); strings.Contains(cookie, made) || who("Cookie: "+made) != 401 || who(cookie) != 200 {
		t.Errorf("a planted cookie is a session: %s", cookie)
	}
	his := b.login()
	if hers := b.login(his); hers == his || who(his) != 401 || who(hers) != 200 {
		t.Errorf("the attacker's session lives on: %d", who(his))
	}
	// Two cookies of one name are somebody's trick: neither counts.
	if two := b.login(); who(two+"; "+made) != 401 {
		t.Error("a second cookie of the name is not noticed")
	}

	// Logout everywhere: a session that was left open elsewhere ends as well.
	here, there := b.login(), b.login()
	if a := b.askWeb("admin", "POST", "/api/v1/logout", "", here, ownOrigin); a.Status != 204 || who(here) != 401 || who(there) != 401 {
		t.Errorf("logout: %d, then %d and %d", a.Status, who(here), who(there))
	}

	// Guessing: five, and the next five minutes nothing, however often the API
	// is restarted or killed in between. Who is in stays in.
	inside := b.login()
	guess := func(word string) answer {
		return b.askWeb("admin", "POST", "/api/v1/login", fmt.Sprintf(`{"password":%q}`, word), ownOrigin)
	}
	for n := range 5 {
		b.refused(fmt.Sprint("guess ", n), guess(fmt.Sprint("guess", n)), 401, "unauthenticated")
	}
	for _, verb := range [][]string{{"systemctl", "is-active", "clauster-api"}, {"systemctl", "restart", "clauster-api"}, {"systemctl", "kill", "--signal=KILL", "clauster-api"}} {
		b.MustRun(verb...)
		b.MustWaitUnit("clauster-api.service", "active", settle)
		a := guess(password)
		b.refused(fmt.Sprint("the right one after ", verb), a, 429, "throttled")
		if a.Header.Get("Retry-After") == "" {
			t.Error("no Retry-After")
		}
	}
	if who(inside) != 200 {
		t.Error("the lock ended a session")
	}
	b.must("GET", "/api/v1/instances", "")
	// The agent guesses for everybody else's account: it is told apart.
	if a := b.askWeb("op", "POST", "/api/v1/login", fmt.Sprintf(`{"password":%q}`, password), ownOrigin); a.Status != 403 {
		t.Errorf("the bridge user logs in: %d %s", a.Status, a.Body)
	}
	if a := b.askWeb("op", "GET", "/api/v1/whoami", "", inside); a.Status != 401 && a.Status != 403 {
		t.Errorf("the bridge user uses a stolen cookie: %d %s", a.Status, a.Body)
	}
}
