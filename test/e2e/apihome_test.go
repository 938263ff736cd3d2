package e2e

import (
	"strings"
	"testing"
	"time"
)

// homeFollows is longer than the oldest answer of clauster-home that is still
// taken for fresh (the login's, 30 s).
const homeFollows = 60 * time.Second

// TestAPIHomeFollows: login, binary and a project are flipped in the bridge
// user's home, and what the API says follows.
func TestAPIHomeFollows(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	healthz := func() string { return b.must("GET", "/healthz", "").Body }
	follows := func(what string, ask func() string, want string) {
		t.Helper()
		if err := b.WaitFor(what, homeFollows, func() bool { return strings.Contains(ask(), want) }); err != nil {
			t.Errorf("%s: want %s in %s", what, want, ask())
		}
	}
	follows("the version", healthz, `"claude_version":"2.1.330"`)
	follows("the login", healthz, `"claude_login_method":"claude.ai"`)

	// A project that comes, is trusted, and goes.
	b.MustSh("install -d -o op -g op /home/op/projects")
	projects := func() string { return b.must("GET", "/api/v1/projects", "").Body }
	one := func() string { return b.ask("root", "GET", "/api/v1/projects/flip", "").Body }
	if a := b.ask("root", "GET", "/api/v1/projects/flip", ""); a.Status != 404 {
		t.Errorf("before there is one: %d %s", a.Status, a.Body)
	}
	b.MustSh(`p=/home/op/projects/flip; install -d -o op -g op $p $p/.git; echo "ref: refs/heads/side" >$p/.git/HEAD; touch $p/CLAUDE.md; ln -s /etc /home/op/projects/linked`)
	follows("a new project", projects, `"name":"flip"`)
	follows("its branch", one, `"git_branch":"side"`)
	if strings.Contains(projects(), "linked") {
		t.Errorf("a link is a project: %s", projects())
	}
	b.MustRun("clauster-ctl", "trust", "flip")
	follows("its trust", one, `"trust_state":"trusted"`)
	b.MustRun("rm", "-r", "/home/op/projects/flip")
	follows("a project that went", one, `"kind":"not-found"`)

	b.MustSh(`echo login=out >>/home/op/.fakeclaude`)
	follows("a logout", healthz, `"claude_login_ok":false`)
	b.MustSh(`mv /home/op/.local/bin/claude /home/op/claude.away`)
	follows("a claude that went", healthz, `"claude_ok":false`)
}

// TestAPIHomeUnderAttack: the bridge user cannot ask; what it can do to the
// process of its own uid costs an answer and never the next; and what a
// replaced claude starts does not stay.
func TestAPIHomeUnderAttack(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	const project = "/api/v1/projects/prey"
	b.newProject("prey", nil)
	b.must("GET", project, "")
	b.MustRun("useradd", "-m", "stranger")
	for _, user := range []string{"op", "stranger"} {
		if r, err := b.RunAs(user, callerPath, "call", "-s", "/run/clauster/home.sock", "GET", "http://x/"); err != nil || r.Code != 7 {
			t.Errorf("%s reaches clauster-home: %+v %v", user, r, err)
		}
	}
	// Dropped for good: of root only the bounding set is left, and no_new_privs.
	status := b.MustSh(`cat /proc/$(systemctl show -P MainPID clauster-home)/status`)
	for _, line := range []string{"Uid:\t1000\t1000\t1000\t1000", "CapPrm:\t0000000000000000", "CapEff:\t0000000000000000", "NoNewPrivs:\t1"} {
		if !strings.Contains(status, line) {
			t.Errorf("%s is not in\n%s", line, status)
		}
	}
	mem, err := b.RunAs("op", "sh", "-c", `cat /proc/$(systemctl show -P MainPID clauster-home)/environ`)
	if err != nil || mem.Code == 0 {
		t.Errorf("the bridge user reads its memory: %+v %v", mem, err)
	}
	// Killed as fast as the agent can: the socket lives, and an answer comes.
	b.MustSh(`cat >/tmp/killer <<'X'
end=$(($(date +%s)+10))
while [ $(date +%s) -lt $end ]; do
  for p in /proc/[0-9]*; do
    if [ "$(cat $p/comm 2>/dev/null)" = clauster-api ]; then kill -9 ${p#/proc/} 2>/dev/null; fi
  done
done
X
systemd-run -q --uid=op --unit=killer sh /tmp/killer`)
	answers := 0
	for b.MustShow("killer.service", "ActiveState") == "active" {
		if a := b.ask("root", "GET", project, ""); a.Status == 200 {
			answers++
		}
	}
	t.Logf("%d answers while it was killed", answers)
	if state := b.MustShow("clauster-home.socket", "ActiveState"); state != "active" {
		t.Errorf("clauster-home.socket is %s", state)
	}
	pid := func() string { return b.MustShow("clauster-home.service", "MainPID") }
	answered := func() bool {
		a := b.ask("root", "GET", project, "")
		return a.Status == 200 && a.Header.Get("Age") == "" && pid() != "0"
	}
	if err := b.WaitFor("a fresh answer after the kills", settle, answered); err != nil {
		t.Error(err)
	}
	// Stopped: the watchdog replaces it.
	stopped := pid()
	b.MustRun("setpriv", "--reuid", "op", "--regid", "op", "--clear-groups", "kill", "-STOP", stopped)
	if err := b.WaitFor("a fresh answer after the stop", 2*settle, func() bool { return answered() && pid() != stopped }); err != nil {
		t.Error(err)
	}
	// A claude that leaves something behind.
	b.MustSh(`cat >/tmp/claude <<'X'
#!/bin/sh
setsid sleep 54321 >/dev/null 2>&1 </dev/null &
setsid sh -c 'setsid sleep 54321 & exec sleep 54321' >/dev/null 2>&1 </dev/null &
touch /home/op/was-asked
echo '{"loggedIn":true}'
X
mv /home/op/.local/bin/claude /home/op/claude.away; install -m 0755 /tmp/claude /home/op/.local/bin/claude`)
	if err := b.WaitFor("the replaced claude to be asked", homeFollows, func() bool {
		b.must("GET", "/healthz", "")
		return b.MustSh(`test -e /home/op/was-asked && echo yes || true`) != ""
	}); err != nil {
		t.Error(err)
	}
	if err := b.WaitFor("what it left to be gone", settle, func() bool { return b.MustSh(`pgrep -f "[s]leep 54321" || true`) == "" }); err != nil {
		t.Error(err)
	}
}
