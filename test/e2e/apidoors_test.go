package e2e

import (
	"strings"
	"testing"
	"time"

	"clauster/test/machine"
)

// TestAPIDoors: who gets in by which door, and what an unsafe one says.
func TestAPIDoors(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("doors", nil)
	b.MustSh(`useradd -m -G clauster member; useradd -m stranger`)

	t.Run("unix", func(t *testing.T) {
		b := &bed{b.With(t), t}
		for user, want := range map[string]int{"root": 200, "member": 200} {
			if a := b.ask(user, "GET", "/api/v1/instances", ""); a.Status != want {
				t.Errorf("%s: %d %s", user, a.Status, a.Body)
			}
		}
		// The bridge user's agents and everybody else do not even connect.
		for _, user := range []string{"op", "stranger"} {
			if a := b.ask(user, "GET", "/healthz", ""); a.exit != 7 {
				t.Errorf("%s reached the unix socket: %d %s", user, a.Status, a.Body)
			}
		}
		// A group that is no longer needed is no way in: the peer's own are asked.
		b.MustRun("chmod", "0666", apiSocket)
		for _, user := range []string{"op", "stranger"} {
			if a := b.ask(user, "GET", "/api/v1/instances", ""); a.Status != 403 || a.problem().Hint == "" {
				t.Errorf("%s: %d %s", user, a.Status, a.Body)
			}
		}
		b.MustRun("chmod", "0660", apiSocket)
	})
	t.Run("web", func(t *testing.T) {
		b := &bed{b.With(t), t}
		if a := b.askWeb("member", "GET", "/api/v1/instances", ""); a.Status != 200 {
			t.Errorf("%d %s", a.Status, a.Body)
		}
		// What «localhost» leads to is ours whichever address it is: an agent that
		// could sit on the other would be given tokens and passwords.
		for _, address := range []string{"127.0.0.1:7621", "[::1]:7621"} {
			if a := b.call("member", nil, "GET", "http://"+address+"/api/v1/instances"); a.Status != 200 {
				t.Errorf("%s: %d %s", address, a.Status, a.Body)
			}
			if a := b.call("op", nil, "GET", "http://"+address+"/api/v1/instances"); a.Status != 401 && a.Status != 403 {
				t.Errorf("%s, the bridge user: %d %s", address, a.Status, a.Body)
			}
			if r, err := b.RunAs("op", "timeout", "5", callerPath, "sink", address, "/tmp/stolen"); err != nil || !strings.Contains(r.Stderr, "address already in use") {
				t.Errorf("an agent takes %s: %v %+v", address, err, r)
			}
		}
		// An agent may not drive the API that supervises it.
		if a := b.askWeb("op", "POST", "/api/v1/instances", `{"project":"doors"}`); a.Status != 401 && a.Status != 403 {
			t.Errorf("the bridge user started a bridge: %d %s", a.Status, a.Body)
		}
		// DNS rebinding: the browser believes that we are evil.example.
		if a := b.askWeb("member", "GET", "/api/v1/instances", "", "Host: evil.example:7621"); a.Status != 421 {
			t.Errorf("foreign host: %d %s", a.Status, a.Body)
		}
		for _, headers := range [][]string{{"Origin: http://evil.example"}, {"Origin: null"}, {"Sec-Fetch-Site: cross-site"}} {
			if a := b.askWeb("member", "POST", "/api/v1/instances", `{"project":"doors"}`, headers...); a.Status != 403 || a.problem().Kind != "origin-refused" {
				t.Errorf("%v: %d %s", headers, a.Status, a.Body)
			}
		}
		for _, line := range []string{"GET //x HTTP/1.1", "CONNECT evil.example:80 HTTP/1.1"} {
			if out := b.rawWeb(line, []string{"Host: evil.example", "Connection: close"}, ""); !strings.HasPrefix(out, "HTTP/1.1 421 ") || !strings.Contains(out, "host-refused") {
				t.Errorf("%s: %.300s", line, out)
			}
		}
		if a := b.askWeb("member", "POST", "/api/v1/instances/doors/resume", "a=b", "Content-Type: application/x-www-form-urlencoded"); a.Status != 415 {
			t.Errorf("a form: %d %s", a.Status, a.Body)
		}
		if a := b.askWeb("member", "GET", "/api/v1/instances?token=clauster_pat_0123456789012345678901234567890123456789012", ""); a.Status != 400 {
			t.Errorf("token in the address: %d %s", a.Status, a.Body)
		}
	})
	t.Run("streams", func(t *testing.T) {
		// What is open ends with its token: another process revokes it. Another's
		// goes on.
		b := &bed{b.With(t), t}
		const read = `socket(S, PF_INET, SOCK_STREAM, 0); connect(S, pack_sockaddr_in(7621, inet_aton("127.0.0.1"))) or die "$!"; $n = shift; syswrite(S, shift); open(W, ">", "/root/$n"); while (sysread(S, $b, 4096)) { syswrite(W, $b) } open(E, ">", "/root/$n.over")`
		streams := map[string]*machine.Process{}
		for _, name := range []string{"kept", "revoked"} {
			token := strings.TrimSpace(b.MustSh(`clauster-ctl token issue --expires 1h "$1" | grep -o 'clauster_pat_[A-Za-z0-9_-]*'`, name))
			request := "GET /api/v1/events/stream HTTP/1.1\r\nHost: localhost:7621\r\nConnection: close\r\nAuthorization: Bearer " + token + "\r\n\r\n"
			streams[name] = b.MustStart(machine.Command{Args: []string{"perl", "-MSocket", "-e", read, name, request}})
			b.MustWaitFor("the stream", settle, func() bool { return strings.HasPrefix(b.result("cat", "/root/"+name).Stdout, "HTTP/1.1 200") })
		}
		b.MustRun("clauster-ctl", "token", "revoke", "revoked")
		since := time.Now()
		if r, err := streams["revoked"].Wait(); err != nil || r.Code != 0 || time.Since(since) > 8*time.Second { // and what a busy machine takes
			t.Errorf("it ended after %v: %v %+v", time.Since(since), err, r)
		}
		if over := b.result("ls", "/root/revoked.over", "/root/kept.over").Stdout; strings.TrimSpace(over) != "/root/revoked.over" {
			t.Errorf("ended: %s", over)
		}
		b.MustRun("clauster-ctl", "token", "revoke", "kept")
	})
	t.Run("exposure", func(t *testing.T) {
		b := &bed{b.With(t), t}
		b.MustWriteFile("/etc/systemd/system/clauster-web.socket.d/all.conf", "[Socket]\nListenStream=\nListenStream=0.0.0.0:7621\n", 0o644, "")
		b.MustRun("systemctl", "daemon-reload")
		b.MustRun("systemctl", "stop", "clauster-web.socket", "clauster-api.service")
		r := b.result("systemctl", "start", "clauster-web.socket")
		said := b.result("journalctl", "-u", "clauster-web.socket", "-o", "cat", "-n", "20").Stdout
		if r.Code == 0 || !strings.Contains(said, "error: cannot") || !strings.Contains(said, "hint:") {
			t.Errorf("an open door without authentication: %d\n%s", r.Code, said)
		}
		if a := b.must("GET", "/healthz", ""); a.Status != 200 {
			t.Errorf("the unix door: %d", a.Status)
		}
		// Enforced authentication lets it listen; taken away under the running
		// API, the door answers 503 and the other one stays.
		hash := strings.TrimSpace(b.MustSh(`echo "correct horse battery" | clauster-ctl hash-password`))
		b.writeConfig("[auth]\nenabled = true\npassword_required = true\npassword_hash = \"" + hash + "\"\n")
		b.MustRun("systemctl", "reset-failed", "clauster-web.socket")
		// systemd starts no socket of a service that runs.
		b.MustRun("systemctl", "stop", "clauster-api.service")
		b.MustRun("systemctl", "start", "clauster-web.socket")
		if a := b.askWeb("member", "GET", "/api/v1/instances", ""); a.Status != 401 {
			t.Errorf("unasked: %d %s", a.Status, a.Body)
		}
		b.writeConfig("")
		b.MustRun("systemctl", "reload", "clauster-api")
		if a := b.askWeb("member", "GET", "/api/v1/instances", ""); a.Status != 503 || a.problem().Kind != "door-closed" || a.problem().Hint == "" {
			t.Errorf("after the reload: %d %s", a.Status, a.Body)
		}
		b.must("GET", "/api/v1/instances", "")
		b.MustSh(`rm -r /etc/systemd/system/clauster-web.socket.d; systemctl daemon-reload; systemctl stop clauster-api clauster-web.socket; systemctl start clauster-web.socket`)
	})
	t.Run("reload", func(t *testing.T) {
		b := &bed{b.With(t), t}
		b.must("GET", "/healthz", "") // only what runs can be reloaded
		b.writeConfig("[api]\nopenapi_enabled = true\n")
		b.MustRun("systemctl", "reload", "clauster-api")
		if a := b.askWeb("member", "GET", "/openapi.json", ""); a.Status != 200 {
			t.Errorf("openapi: %d", a.Status)
		}
		b.writeConfig("[api]\nopenapi_enabled = \"perhaps\"\n")
		r := b.result("systemctl", "reload", "clauster-api")
		said := b.result("journalctl", "-u", "clauster-api", "-o", "cat", "-n", "20").Stdout
		if r.Code == 0 || !strings.Contains(said, "openapi_enabled") {
			t.Errorf("a faulty configuration: %d\n%s", r.Code, said)
		}
		if a := b.askWeb("member", "GET", "/openapi.json", ""); a.Status != 200 {
			t.Errorf("the old configuration is gone: %d", a.Status)
		}
		if a := b.must("GET", "/health", ""); !strings.Contains(a.Body, "openapi_enabled") {
			t.Errorf("/health does not say it: %s", a.Body)
		}
		b.writeConfig("")
		b.MustRun("systemctl", "reload", "clauster-api")
	})
}

// writeConfig writes clauster.toml with the bridge user and more.
func (b *bed) writeConfig(more string) {
	b.t.Helper()
	b.MustWriteFile("/etc/clauster/clauster.toml", "user = \"op\"\n"+more, 0o640, "")
	b.MustRun("chown", "root:clauster", "/etc/clauster/clauster.toml")
}
