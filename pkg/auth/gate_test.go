package auth

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"clauster/pkg/config"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// site is a gate on a real web socket and a real unix socket, with a real
// database.
type site struct {
	t      *testing.T
	gate   *Gate
	addr   string // of the web socket
	port   string
	socket string
	dbPath string

	mu    sync.Mutex
	cfg   *config.Config
	now   time.Time
	agent int // uid of the bridge user
	group int
}

func (s *site) clock() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.now
}

func (s *site) sleep(d time.Duration) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.now = s.now.Add(d)
}

// change puts another configuration in force, as a reload does.
func (s *site) change(f func(*config.Config)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	next := *s.cfg
	f(&next)
	s.cfg = &next
}

// answer is what one request got.
type answer struct {
	Code    int
	Who     Principal
	Problem *wire.Problem
	Cookie  *http.Cookie
}

// newSite serves with authentication off unless f says otherwise.
func newSite(t *testing.T, f func(*config.Config)) *site {
	t.Helper()
	s := &site{t: t, now: time.Unix(1_800_000_000, 0), agent: 4242, group: 1, dbPath: filepath.Join(t.TempDir(), "clauster.db"),
		cfg: &config.Config{Auth: config.Auth{CookieSecure: "auto", SessionMaxAgeSeconds: 604800, SessionIdleSeconds: 86400,
			ReverseProxy: config.ReverseProxy{UserHeader: "Remote-User", SharedSecretHeader: "X-Proxy-Auth", HMACWindowSeconds: 60, RequireHMAC: true}}}}
	if f != nil {
		f(s.cfg)
	}
	s.open()
	web, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.addr = web.Addr().String()
	_, s.port, _ = net.SplitHostPort(s.addr)
	s.socket = filepath.Join(t.TempDir(), "api.sock")
	local, err := net.Listen("unix", s.socket)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(web, WebDoor)
	s.serve(local, UnixDoor)
	return s
}

// open makes the gate over the database, anew after a restart of the API.
func (s *site) open() {
	s.t.Helper()
	db, err := store.Open(context.Background(), s.dbPath)
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { db.Close() })
	s.gate = New(s.options(db))
}

func (s *site) options(db Store) Options {
	return Options{
		Config:    func() *config.Config { s.mu.Lock(); defer s.mu.Unlock(); return s.cfg },
		Store:     db,
		Now:       s.clock,
		UID:       -7, // not the test's own, or every rule would be passed by
		Group:     s.group,
		BridgeUID: func() int { s.mu.Lock(); defer s.mu.Unlock(); return s.agent },
	}
}

func (s *site) serve(l net.Listener, door Door) {
	server := &http.Server{ConnContext: ConnContext, Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		a := answer{Code: 200}
		a.Who, a.Problem = s.gate.Admit(r, door)
		if a.Problem == nil && strings.HasPrefix(r.URL.Path, "/login/") {
			a.Cookie, a.Problem = s.gate.Login(r, strings.TrimPrefix(r.URL.Path, "/login/"))
		}
		if a.Problem == nil && r.URL.Path == "/logout" {
			a.Cookie, a.Problem = s.gate.Logout(r)
		}
		if a.Problem != nil {
			a.Code = a.Problem.Code
		}
		_ = json.NewEncoder(w).Encode(a)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = server.Serve(l) }()
	s.t.Cleanup(func() { server.Close(); <-done })
}

// send sends a request line and headers as they are, over a connection of its
// own. Without a Host header it adds the right one.
func (s *site) send(line string, headers ...string) answer {
	s.t.Helper()
	return s.sendTo("tcp", s.addr, line, headers...)
}

func (s *site) sendTo(network, addr, line string, headers ...string) answer {
	s.t.Helper()
	c, err := net.Dial(network, addr)
	if err != nil {
		s.t.Fatal(err)
	}
	defer c.Close()
	text := line + " HTTP/1.1\r\n"
	host := "Host: localhost:" + s.port + "\r\n"
	for _, h := range headers {
		if strings.HasPrefix(h, "Host:") {
			host = ""
		}
		text += h + "\r\n"
	}
	fmt.Fprintf(c, "%s%sConnection: close\r\n\r\n", text, host)
	res, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		s.t.Fatalf("%s: %v", line, err)
	}
	defer res.Body.Close()
	if res.StatusCode != 200 {
		return answer{Code: res.StatusCode} // net/http's own refusal
	}
	var a answer
	if err := json.NewDecoder(res.Body).Decode(&a); err != nil {
		s.t.Fatal(err)
	}
	return a
}

// want compares the outcome: a kind of principal, or a kind of refusal.
func (s *site) want(a answer, want string) {
	s.t.Helper()
	got := string(a.Who.Kind)
	if a.Problem != nil {
		got = string(a.Problem.Kind)
	} else if a.Code != 200 {
		got = fmt.Sprint(a.Code)
	}
	if got != want {
		s.t.Errorf("got %s (%+v), want %s", got, a.Problem, want)
	}
}

func TestUnixDoor(t *testing.T) {
	s := newSite(t, func(c *config.Config) { c.Auth.Enabled = true })
	uid, gid := os.Getuid(), os.Getgid()
	root := uid == 0
	ask := func(own, group, agent int) answer {
		s.gate.uid, s.gate.group, s.agent = own, group, agent
		return s.sendTo("unix", s.socket, "GET /", "Host: anything.example")
	}
	s.want(ask(uid, -1, 4242), "local")
	if a := ask(uid, -1, -1); a.Who.UID != uid || a.Who.Scope != ScopeWrite || a.Who.Name == "" {
		t.Errorf("%+v", a.Who)
	}
	if root {
		t.Log("as root every rule but root's is judged by hand below")
	} else {
		s.want(ask(-7, gid, 4242), "local")
		s.want(ask(-7, gid, uid), "forbidden")
		s.want(ask(-7, -1, 4242), "forbidden")
	}
}

func TestAdmitLocal(t *testing.T) {
	g := New(Options{UID: 100, Group: 50, BridgeUID: func() int { return 1000 }})
	for name, c := range map[string]struct {
		peer peer
		want string // Name or part of the refusal
	}{
		"root":                      {peer{local: true, uid: 0}, ""},
		"the API's own":             {peer{local: true, uid: 100}, ""},
		"member":                    {peer{local: true, uid: 1, groups: []int{1, 50}}, ""},
		"stranger":                  {peer{local: true, uid: 1, groups: []int{1, 51}}, "sudo usermod -aG clauster NAME"},
		"bridge user":               {peer{local: true, uid: 1000, groups: []int{1000}}, "bridge user"},
		"bridge user in the group":  {peer{local: true, uid: 1000, groups: []int{1000, 50}}, "bridge user"},
		"no credentials to be read": {peer{uid: -1, groups: []int{50}}, "cannot tell"},
	} {
		c.peer.name = func() string { return "NAME" }
		who, problem := g.admitLocal(&c.peer)
		if (problem == nil) != (c.want == "") || problem == nil != who.May(ScopeWrite) {
			t.Errorf("%s: %v, %v", name, who, problem)
		} else if problem != nil && !strings.Contains(problem.Detail+" "+problem.Hint, c.want) {
			t.Errorf("%s: %s; %s", name, problem.Detail, problem.Hint)
		}
	}
	// No group: nobody is in it.
	none := New(Options{UID: 100, Group: -1, BridgeUID: func() int { return -1 }})
	if _, problem := none.admitLocal(&peer{local: true, uid: 1, groups: []int{-1}, name: func() string { return "" }}); problem == nil {
		t.Error("a group of no gid was believed")
	}
}

func TestWebDoorKinds(t *testing.T) {
	fixed, scrape := NewToken(TokenPrefix), NewToken(ScrapeTokenPrefix)
	s := newSite(t, nil)
	s.want(s.send("GET /"), "open")
	s.change(func(c *config.Config) {
		c.Auth.APITokenHash, c.Observability.MetricsTokenHash = HashToken(fixed), HashToken(scrape)
	})
	s.want(s.send("GET /", "Authorization: Bearer "+NewToken(TokenPrefix)), "unauthenticated") // not open
	s.change(func(c *config.Config) { c.Auth.Enabled = true })
	if a := s.send("GET /"); a.Problem != nil || a.Who.Known() || a.Who.Kind != Nobody {
		t.Errorf("%+v", a)
	}
	if a := s.send("GET /", "Authorization: bearer "+fixed); a.Who.Kind != Token || !a.Who.May(ScopeWrite) {
		t.Errorf("%+v", a)
	}
	if a := s.send("GET /", "Authorization: Bearer "+scrape); a.Who.Kind != Scraper || a.Who.May(ScopeRead) || !a.Who.May(ScopeScrape) {
		t.Errorf("%+v", a)
	}
	for _, h := range []string{"Bearer", "Bearer ", "Bearer x", "Bearer " + fixed + "x", "Bearer " + strings.Repeat("a", 4000)} {
		s.want(s.send("GET /", "Authorization: "+h), "unauthenticated")
	}
	s.want(s.send("GET /", "Authorization: Bearer "+fixed, "Authorization: Bearer "+fixed), "unauthenticated")
	// A proxy's Basic authentication is not ours to judge.
	s.want(s.send("GET /", "Authorization: Basic YTpi"), "nobody")
}

func TestStoreTokens(t *testing.T) {
	s := newSite(t, func(c *config.Config) { c.Auth.Enabled = true })
	db := s.gate.store.(*store.Store)
	add := func(id, label, scope string, life time.Duration) string {
		token := NewToken(TokenPrefix)
		n := store.Token{ID: id, Label: label, Scope: scope, Created: s.clock()}
		if life > 0 {
			n.Expires = s.clock().Add(life)
		}
		if err := db.AddToken(t.Context(), n, HashToken(token)); err != nil {
			t.Fatal(err)
		}
		return "Authorization: Bearer " + token
	}
	reader, writer, short := add("1", "reader", "read", 0), add("2", "writer", "write", 0), add("3", "short", "write", time.Hour)
	if a := s.send("GET /", reader); a.Who.Name != "reader" || a.Who.Scope != ScopeRead || a.Who.ID != "1" {
		t.Errorf("%+v", a)
	}
	if a := s.send("POST /", writer); a.Who.Scope != ScopeWrite {
		t.Errorf("%+v", a)
	}
	s.want(s.send("GET /", short), "token")
	used := func() time.Time {
		n, err := db.TokenNamed(t.Context(), "reader", s.clock())
		if err != nil {
			t.Fatal(err)
		}
		return n.Used
	}
	first := used()
	if !first.Equal(s.clock()) {
		t.Errorf("used at %v", first)
	}
	s.sleep(30 * time.Second)
	s.want(s.send("GET /", reader), "token")
	if !used().Equal(first) {
		t.Error("written twice in a minute")
	}
	s.sleep(time.Hour)
	s.want(s.send("GET /", reader), "token")
	if used().Equal(first) {
		t.Error("not written after an hour")
	}
	s.want(s.send("GET /", short), "unauthenticated")
	if err := db.RevokeToken(t.Context(), "2", s.clock()); err != nil {
		t.Fatal(err)
	}
	s.want(s.send("GET /", writer), "unauthenticated")
}

// While the database is refused the fixed token still opens, and one of the
// database is answered with the way back, not with «wrong».
func TestWithoutStore(t *testing.T) {
	fixed := NewToken(TokenPrefix)
	s := newSite(t, func(c *config.Config) {
		c.Auth.Enabled, c.Auth.APITokenHash = true, HashToken(fixed)
	})
	s.gate = New(s.options(nil))
	s.want(s.send("GET /", "Authorization: Bearer "+fixed), "token")
	s.want(s.send("GET /", "Authorization: Bearer "+NewToken(TokenPrefix)), "store-refused")
	s.want(s.send("POST /login/whatever1"), "store-refused")
	s.want(s.send("GET /", "Cookie: "+cookiePlain+"="+randomText()), "nobody")
}

// An open web socket is for people on this machine, not for agents.
func TestOpenSocketAndAgents(t *testing.T) {
	s := newSite(t, nil)
	s.want(s.send("GET /"), "open")
	s.agent = os.Getuid()
	a := s.send("GET /")
	s.want(a, "forbidden")
	// A token that was given to it is its own.
	token := NewToken(TokenPrefix)
	s.change(func(c *config.Config) { c.Auth.APITokenHash = HashToken(token) })
	s.want(s.send("GET /", "Authorization: Bearer "+token), "token")
	// User mode: one person's socket, whoever else is on the machine.
	s.agent, s.gate.group, s.gate.userMode = -1, -1, true
	s.gate.uid = os.Getuid()
	s.want(s.send("GET /"), "open")
	if os.Getuid() != 0 {
		s.gate.uid = os.Getuid() + 1
		s.want(s.send("GET /"), "forbidden")
	}
}
