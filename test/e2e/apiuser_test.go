package e2e

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"

	"clauster/test/machine"
)

const userSocket = "/run/user/1000/clauster/api.sock"

// withUserAPI gives a machine on which op, who lingers and has no rights,
// enabled the sockets of his own manager.
func withUserAPI(t testing.TB) *bed {
	t.Helper()
	b := newMachine(t)
	b.needCaller()
	b.MustRunAs("op", "systemctl", "--user", "enable", "--now", "clauster-api.socket", "clauster-wake.socket", "clauster-web.socket")
	return b
}

// askUser calls the API of op's manager on its unix socket.
func (b *bed) askUser(user, method, path, body string) answer {
	b.t.Helper()
	return b.call(user, append([]string{"-s", userSocket}, with(nil, body)...), method, "http://clauster"+path)
}

// mustUser asks as op and wants a success.
func (b *bed) mustUser(method, path, body string) answer {
	b.t.Helper()
	a := b.askUser("op", method, path, body)
	if a.exit != 0 || a.Status >= 400 {
		b.t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
	return a
}

// writeUserConfig writes the configuration of op's own manager.
func (b *bed) writeUserConfig(text string) {
	b.t.Helper()
	b.MustWriteFile("/home/op/.config/clauster/clauster.toml", text, 0o600, "op")
}

// userAPIState is a property of the API's unit in op's manager.
func (b *bed) userAPIState() string {
	b.t.Helper()
	return strings.TrimSpace(b.MustRunAs("op", "systemctl", "--user", "show", "-P", "ActiveState", "clauster-api.service"))
}

// TestUserModeAPILife: the same life as in system mode, as one uid and with no
// rights at all.
func TestUserModeAPILife(t *testing.T) {
	t.Parallel()
	b := withUserAPI(t)
	b.newUserProject("mine", map[string]string{"count": "10"})
	var started struct {
		status
		Created bool `json:"created"`
	}
	a := b.mustUser("POST", "/api/v1/instances", `{"project":"mine"}`)
	if a.into(t, &started); a.Status != 201 || !started.Created || started.Status != "running" || started.Unit != "clauster@mine.service" {
		t.Errorf("start: %d %s", a.Status, a.Body)
	}
	if now := b.userStatus("mine"); now.Run != started.Run || now.PID != started.PID {
		t.Errorf("the API says %+v, clauster-ctl --user %+v", started.status, now)
	}
	if list := b.mustUser("GET", "/api/v1/instances", ""); !strings.Contains(list.Body, `"mine"`) {
		t.Errorf("list: %s", list.Body)
	}
	if one := b.mustUser("GET", "/api/v1/instances/mine", ""); !strings.Contains(one.Body, "https://claude.ai/") {
		t.Errorf("no link: %s", one.Body)
	}
	if log := b.mustUser("GET", "/api/v1/instances/mine/logs", ""); !strings.Contains(log.Body, "Registered") {
		t.Errorf("logs: %s", log.Body)
	}
	b.mustUser("POST", "/api/v1/instances/mine/restart", "")
	b.mustUser("DELETE", "/api/v1/instances/mine", "")
	b.waitUserEvents("mine", "spawn ready stop spawn ready stop")
	b.MustWaitFor("the events in the store", settle, func() bool {
		var page struct{ Events []struct{ Kind string } }
		b.mustUser("GET", "/api/v1/events?instance=mine&order=asc", "").into(t, &page)
		var kinds []string
		for _, e := range page.Events {
			kinds = append(kinds, e.Kind)
		}
		return strings.Join(kinds, " ") == "requested spawn ready requested stop spawn ready requested stop"
	})
	if projects := b.mustUser("GET", "/api/v1/projects", ""); !strings.Contains(projects.Body, `"/home/op/projects/mine"`) {
		t.Errorf("projects: %s", projects.Body)
	}
	// The system's tools know nothing of it, and neither does another account.
	b.MustRun("systemctl", "start", "clauster-api.socket")
	if all := b.must("GET", "/api/v1/instances", ""); strings.Contains(all.Body, `"mine"`) {
		t.Errorf("the system's API lists a user's bridge: %s", all.Body)
	}
	if a := b.askUser("admin", "GET", "/api/v1/instances", ""); a.exit != 7 {
		t.Errorf("another account on the unix socket: %d %s", a.Status, a.Body)
	}
	if a := b.askWeb("admin", "GET", "/api/v1/instances", ""); a.Status != 403 {
		t.Errorf("another account on the web socket: %d %s", a.Status, a.Body)
	}
	if a := b.askWeb("op", "GET", "/api/v1/instances", ""); a.Status != 200 {
		t.Errorf("the own account on the web socket: %d %s", a.Status, a.Body)
	}
}

// TestUserModeCrashReachesWebhook: of a bridge that dies while no API runs; the
// wake socket of the user's manager starts it.
func TestUserModeCrashReachesWebhook(t *testing.T) {
	t.Parallel()
	b := withUserAPI(t)
	b.newUserProject("dies", nil)
	b.writeUserConfig(webhooks + "[api]\nidle_exit_seconds = 2\n")
	b.sink("127.0.0.1:9001", "/root/hooks")
	b.mustUser("GET", "/healthz", "")
	b.MustRunAs("op", "systemctl", "--user", "start", "clauster@dies")
	b.MustWaitFor("an idle exit", settle, func() bool { return b.userAPIState() == "inactive" })
	b.MustKill(b.userStatus("dies").PID, syscall.SIGKILL)
	b.waitHook("/root/hooks", "crash")
	var list struct {
		Deliveries []struct{ ID, Event, State string }
	}
	b.MustWaitFor("the delivery's state", settle, func() bool {
		out := b.MustRunAs("op", "clauster-ctl", "--user", "deliveries", "list", "--event", "crash", "--json")
		if err := json.Unmarshal([]byte(out), &list); err != nil {
			t.Fatal(err)
		}
		return len(list.Deliveries) == 1 && list.Deliveries[0].State == "delivered"
	})
}

// TestUserModeAPICtl: what clauster-ctl --user tells of the API, and that every
// hint names the user's own manager.
func TestUserModeAPICtl(t *testing.T) {
	t.Parallel()
	b := withUserAPI(t)
	b.newUserProject("seen", nil)
	ctl := func(code int, says string, args ...string) machine.Result {
		t.Helper()
		r := b.asOp(append([]string{"clauster-ctl", "--user"}, args...)...)
		if r.Code != code || !strings.Contains(r.Stdout+r.Stderr, says) {
			t.Errorf("clauster-ctl --user %s: exit code %d\n%s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
		}
		if text := r.Stdout + r.Stderr; strings.Contains(text, "sudo clauster-ctl") || strings.Contains(strings.ReplaceAll(text, "systemctl --user", ""), "systemctl ") {
			t.Errorf("clauster-ctl --user %s names the system's manager:\n%s", strings.Join(args, " "), text)
		}
		return r
	}
	ctl(4, "clauster.db yet", "store", "check") // nobody has asked the API for anything
	ctl(0, "HEALTHY", "health")
	ctl(0, "running", "start", "seen")
	b.MustWaitFor("its events", settle, func() bool {
		return strings.Contains(b.asOp("clauster-ctl", "--user", "events", "--instance", "seen").Stdout, "ready after")
	})
	ctl(0, "no deliveries", "deliveries", "list")
	ctl(1, "[notifications]", "notify", "test")
	ctl(0, "cpu_percent", "metrics", "system")
	ctl(0, "", "errors")
	ctl(0, "integrity", "store", "check")
	token := strings.TrimSpace(ctl(0, "clauster_pat_", "token", "issue", "reader").Stdout)
	ctl(0, "reader", "token", "list")
	web := func(want int, kind, header string) {
		t.Helper()
		a := b.askWeb("op", "GET", "/api/v1/instances", "", header)
		if p := a.problem(); a.Status != want || p.Kind != kind || strings.Contains(p.Hint, "sudo") || strings.Contains(p.Hint, "systemctl reload") {
			t.Errorf("%.40s: %d %s", header, a.Status, a.Body)
		}
	}
	web(200, "", "Authorization: Bearer "+token)
	web(401, "unauthenticated", "Authorization: Bearer nobody's")
	web(421, "host-refused", "Host: elsewhere.example")
	web(403, "origin-refused", "Origin: http://elsewhere.example")
	ctl(0, "", "token", "revoke", "reader")
	web(401, "unauthenticated", "Authorization: Bearer "+token)

	// A faulty configuration, and no database: said, with the user's commands.
	b.writeUserConfig("[api]\nidle_exit_seconds = \"soon\"\n")
	if r := b.asOp("systemctl", "--user", "reload", "clauster-api"); r.Code == 0 {
		t.Error("a faulty configuration was taken")
	}
	b.MustWaitFor("the fault in /health", settle, func() bool { // which looks once a second
		r := b.asOp("clauster-ctl", "--user", "health")
		return r.Code == 1 && strings.Contains(r.Stdout, "clauster-ctl --user config check")
	})
	b.MustRunAs("op", "rm", "/home/op/.config/clauster/clauster.toml")
	b.MustRunAs("op", "systemctl", "--user", "stop", "clauster-api.service")
	const dir = "/home/op/.local/state/clauster/api"
	b.MustRunAs("op", "sh", "-c", `cp -a "$1" "$1.good"; rm -f "$1"/*-wal "$1"/*-shm; dd if=/dev/zero of="$1/clauster.db" bs=4096 count=3 conv=notrunc status=none`, "sh", dir)
	ctl(1, "systemctl --user restart clauster-api", "health")
	if a := b.askUser("op", "GET", "/api/v1/events", ""); a.Status != 503 || !strings.Contains(a.problem().Hint, "systemctl --user restart clauster-api") {
		t.Errorf("events without a database: %d %s", a.Status, a.Body)
	}
	ctl(1, "", "store", "check")
	if s := b.userStatus("seen"); s.Status != "running" {
		t.Errorf("the bridge: %+v", s)
	}
	// And no API at all.
	b.MustRunAs("op", "systemctl", "--user", "disable", "--now", "clauster-api.socket", "clauster-wake.socket", "clauster-web.socket", "clauster-api.service")
	ctl(4, "clauster-api.socket", "events")
	ctl(4, "1 running", "health")
}
