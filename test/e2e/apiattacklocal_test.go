package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// TestAPIAttackedByAccounts: other accounts of the host, and the bridge user,
// at both doors, where file modes and authentication do not hold them.
func TestAPIAttackedByAccounts(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("accounts", nil)
	b.must("GET", "/api/v1/projects/accounts", "")
	const start = `{"project":"accounts"}`
	down := func(b *bed, what string) {
		b.t.Helper()
		if state := b.MustShow("clauster@accounts.service", "ActiveState"); state != "inactive" {
			b.t.Errorf("%s started a bridge: it is %s", what, state)
			b.stop("accounts")
		}
	}

	t.Run("unix", func(t *testing.T) {
		// The operator has opened the socket to everybody, in haste, and put
		// the bridge user into the group that may.
		b := &bed{b.With(t), t}
		b.MustSh(`useradd -m stranger; usermod -aG clauster op; chmod 0666 "$1"`, apiSocket)
		for _, user := range []string{"op", "stranger", "daemon"} {
			for _, request := range [][2]string{{"GET", "/api/v1/instances"}, {"POST", "/api/v1/instances"}, {"GET", "/api/v1/textfile"}, {"POST", "/api/v1/reload"}, {"GET", "/openapi.json"}} {
				body := ""
				if request[1] == "/api/v1/instances" && request[0] == "POST" {
					body = start
				}
				b.refused(fmt.Sprint(user, request), b.ask(user, request[0], request[1], body), 403, "forbidden")
			}
			// Nobody is anybody else by saying so.
			b.refused(user, b.ask(user, "GET", "/api/v1/instances", "", "Remote-User: root", "X-Forwarded-For: 127.0.0.1", "Forwarded: for=127.0.0.1", "Authorization: Basic cm9vdDp4"), 403, "forbidden")
		}
		b.MustSh(`gpasswd -d op clauster; chmod 0660 "$1"`, apiSocket)
		down(b, "an account")
	})
	t.Run("web", func(t *testing.T) {
		// Without authentication loopback is open: not to agents. They hide
		// whose connection it is by closing it at once, by giving it to a
		// child that ends, and by other addresses of the host.
		b := &bed{b.With(t), t}
		request := "POST /api/v1/instances HTTP/1.1\\r\\nHost: localhost:7621\\r\\nContent-Type: application/json\\r\\nContent-Length: " + fmt.Sprint(len(start)) + "\\r\\n\\r\\n" + strings.ReplaceAll(start, `"`, `\"`)
		for what, after := range map[string]string{"closes": "close S", "exits": "exit", "shuts down": "shutdown(S, 2)", "resets": "setsockopt(S, SOL_SOCKET, SO_LINGER, pack('ii', 1, 0)); close S", "stops writing": "shutdown(S, 1); select(undef, undef, undef, 0.3)", "stays": "select(undef, undef, undef, 0.3)"} {
			for _, address := range []string{"127.0.0.1", "127.9.9.9"} {
				b.MustRunAs("op", "perl", "-MSocket", "-e", fmt.Sprintf(`for (1..%d) { socket(S, PF_INET, SOCK_STREAM, 0); bind(S, pack_sockaddr_in(0, inet_aton("%s"))); connect(S, pack_sockaddr_in(7621, inet_aton("127.0.0.1"))) or die "$!"; syswrite(S, "%s"); %s }`,
					soak(3, 100), address, request, after))
			}
			down(b, "an agent that "+what)
		}
		for _, headers := range [][]string{{}, {"Remote-User: ann"}, {"X-Forwarded-For: 192.0.2.1"}, {"Authorization: Bearer clauster_pat_" + strings.Repeat("A", 43)}, {"Cookie: clauster_session=" + strings.Repeat("A", 43)}, {ownOrigin}} {
			if a := b.askWeb("op", "POST", "/api/v1/instances", start, headers...); a.Status != 403 && a.Status != 401 {
				t.Errorf("the bridge user with %v: %d %s", headers, a.Status, a.Body)
			}
			if a := b.askWeb("op", "GET", "/api/v1/instances", "", headers...); a.Status != 403 && a.Status != 401 {
				t.Errorf("the bridge user with %v: %d %s", headers, a.Status, a.Body)
			}
		}
		down(b, "the bridge user")
		if requested := b.MustJournal("CLAUSTER_EVENT=requested", "_SYSTEMD_UNIT=clauster-api.service"); len(requested) != 0 {
			t.Errorf("requested: %v", requested)
		}
	})
	t.Run("another user", func(t *testing.T) {
		// The operator writes another bridge user into the configuration, or
		// mistypes it, while bridges run: their agents are agents still.
		b := &bed{b.With(t), t}
		b.MustSh(`useradd -m ann; useradd -m joe`)
		b.mustStart("accounts")
		reload := func(user string) {
			t.Helper()
			b.MustWriteFile("/etc/clauster/clauster.toml", fmt.Sprintf("user = %q\n", user), 0o640, "")
			b.MustSh(`chown root:clauster /etc/clauster/clauster.toml; systemctl reload clauster-api`)
		}
		reload("ghost")
		for _, user := range []string{"op", "joe"} {
			b.refused(user, b.askWeb(user, "GET", "/api/v1/instances", ""), 503, "door-closed")
			if a := b.askWeb(user, "GET", "/healthz", ""); a.Status != 200 || a.Body != "{\"status\":\"ok\"}\n" {
				t.Errorf("%s: liveness: %d %q", user, a.Status, a.Body)
			}
		}
		b.must("GET", "/api/v1/instances", "")
		reload("ann")
		for _, user := range []string{"op", "ann"} {
			b.refused(user, b.askWeb(user, "GET", "/api/v1/instances", ""), 403, "forbidden")
		}
		if a := b.askWeb("joe", "GET", "/api/v1/whoami", ""); a.Status != 200 || !strings.Contains(a.Body, `"joe"`) {
			t.Errorf("joe: %d %s", a.Status, a.Body)
		}
		b.stop("accounts")
		reload("op")
	})
	t.Run("systemd", func(t *testing.T) {
		// Somebody who has taken over the API's process: what its account may
		// ask of systemd is the bridges and nothing else.
		b := &bed{b.With(t), t}
		as := func(args ...string) int {
			r := b.result(append([]string{"setpriv", "--reuid=clauster", "--regid=clauster", "--init-groups"}, args...)...)
			return r.Code
		}
		for _, args := range [][]string{
			{"stop", "dbus.service"}, {"start", "clauster-home.service"}, {"restart", "systemd-journald.service"}, {"stop", "clauster-api.socket"}, {"kill", "clauster@accounts"}, {"enable", "clauster@accounts"}, {"mask", "--runtime", "clauster@accounts"},
			{"daemon-reload"}, {"set-property", "--runtime", "clauster@accounts", "MemoryMax=1G"}, {"reboot"}, {"start", "clauster@accounts.socket"}, {"freeze", "clauster@accounts"}, {"reload", "clauster@accounts"},
			{"start", "rescue.target"}, {"set-environment", "A=b"}, {"start", "xclauster@accounts.service"},
		} {
			if as(append([]string{"systemctl", "--no-ask-password", "--no-block"}, args...)...) == 0 {
				t.Errorf("user clauster may systemctl %v", args)
			}
		}
		if as("systemd-run", "--no-ask-password", "id") == 0 {
			t.Error("user clauster may start units of its own")
		}
		if as("systemctl", "--no-ask-password", "start", "clauster@accounts") != 0 || as("systemctl", "--no-ask-password", "stop", "clauster@accounts") != 0 {
			t.Error("user clauster may not start and stop a bridge: the test proves nothing")
		}
	})
}
