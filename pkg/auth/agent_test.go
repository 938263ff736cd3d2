package auth

import (
	"os"
	"strings"
	"testing"

	"clauster/pkg/config"
)

// The operator has mistyped the bridge user, or changed it while bridges run:
// their agents were let in, since they were not the bridge user's any more.
func TestAttackUnderAnotherUser(t *testing.T) {
	s := newSite(t, func(c *config.Config) { c.User = "ghost" })
	var running []int
	s.gate.running = func() []int { return running }

	// Nobody of that name: nothing tells an agent from a person.
	s.agent = -1
	a := s.send("GET /")
	s.want(a, "door-closed")
	if a.Problem == nil || !strings.Contains(a.Problem.Detail, `"ghost"`) || a.Problem.Hint == "" {
		t.Errorf("%+v", a.Problem)
	}
	token := NewToken(TokenPrefix)
	s.change(func(c *config.Config) { c.Auth.APITokenHash = HashToken(token) })
	s.want(s.send("GET /", "Authorization: Bearer "+token), "token")

	// Another account's name, and bridges that run as the one before.
	s.agent = 4242
	s.want(s.send("GET /"), "open")
	running = []int{4343, os.Getuid()}
	s.want(s.send("GET /"), "forbidden")
	s.agent = -1
	s.want(s.send("GET /", "Authorization: Bearer "+token), "token")
	if _, problem := s.gate.admitLocal(&peer{local: true, uid: 4343, groups: []int{s.group}, name: func() string { return "op" }}); problem == nil {
		t.Error("the unix socket takes the agents of a bridge of another user")
	}

	// Of user mode nothing is known but the own uid.
	s.gate.userMode, running = true, nil
	s.want(s.send("GET /"), "open")
}

// Where the address is all the reverse proxy's proof, agents have it, too.
func TestAttackAsProxyUnderAnotherUser(t *testing.T) {
	s := withPassword(t, func(c *config.Config) {
		p := &c.Auth.ReverseProxy
		p.Enabled, p.TrustedIPs, p.RequireHMAC = true, []string{"127.0.0.1"}, false
	})
	var running []int
	s.gate.running = func() []int { return running }
	s.want(s.send("GET /", "Remote-User: ann"), "proxy")
	s.agent = -1
	s.want(s.send("GET /", "Remote-User: ann"), "door-closed")
	// A password is a proof, whoever the bridge user is; not for an agent.
	cookie := s.logIn()
	s.want(s.send("GET /", cookie), "session")
	running = []int{os.Getuid()}
	s.want(s.send("GET /", cookie), "nobody")
	s.want(s.send(rightPassword), "forbidden")
	s.want(s.send("GET /", "Remote-User: ann"), "nobody")
}

// Who uses an open door is asked for nothing, and yet known by the kernel.
func TestOpenDoorKnowsItsAccount(t *testing.T) {
	s := newSite(t, nil)
	a := s.send("GET /")
	if want := accountName(os.Getuid()); a.Who.Kind != Open || a.Who.UID != os.Getuid() || a.Who.Name != want || a.Who.String() != "open:"+want {
		t.Errorf("%+v (%s), want %s", a.Who, a.Who, want)
	}
}
