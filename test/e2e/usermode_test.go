package e2e

import (
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"clauster/test/machine"
)

// asOp runs a command as op, a user with a lingering manager and no rights.
func (b *bed) asOp(args ...string) machine.Result {
	b.t.Helper()
	r, err := b.RunAs("op", args...)
	if err != nil {
		b.t.Fatal(err)
	}
	return r
}

// newUserProject is newProject for the user manager of op.
func (b *bed) newUserProject(name string, keys map[string]string) {
	b.t.Helper()
	b.newProject(name, keys)
	b.t.Cleanup(func() { b.asOp("systemctl", "--user", "stop", "clauster@"+name) })
}

// userStatus asks clauster-ctl --user, as op.
func (b *bed) userStatus(instance string) status {
	b.t.Helper()
	text := b.MustRunAs("op", "clauster-ctl", "--user", "status", instance, "--json")
	var s status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		b.t.Fatalf("cannot read status of %s: %v\n%s", instance, err, text)
	}
	return s
}

// userEvents gives the names of an instance's events as journald vouches for
// them: of that user unit and of op.
func (b *bed) userEvents(instance string) string {
	b.t.Helper()
	var names []string
	for _, e := range b.MustJournal("_SYSTEMD_USER_UNIT=clauster@"+instance+".service", "_UID=1000") {
		if name := e.Get("CLAUSTER_EVENT"); name != "" && e.Get("CLAUSTER_INSTANCE") == instance {
			names = append(names, name)
		}
	}
	return strings.Join(names, " ")
}

func (b *bed) waitUserEvents(instance, want string) {
	b.t.Helper()
	if err := b.WaitFor("events", settle, func() bool { return b.userEvents(instance) == want }); err != nil {
		b.t.Errorf("events of %s: %q, want %q", instance, b.userEvents(instance), want)
	}
}

// TestUserMode: a life in a user manager, without root: start, a killed keeper,
// reload, a stop, a crash, and everything clauster-ctl shows of them.
func TestUserMode(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "user-life"
	unit, scope := "clauster@"+name+".service", "clauster-bridge-"+name+".scope"
	b.newUserProject(name, nil)
	b.MustRunAs("op", "systemctl", "--user", "start", unit)
	s := b.userStatus(name)
	if s.Status != "running" || s.Health != "ok" || s.Unit != unit || s.Scope != scope {
		t.Errorf("status: %+v", s)
	}
	own := b.MustSh(`sed -n 's/^0:://p' "/proc/$1/cgroup"`, strconv.Itoa(s.PID))
	if want := "/user.slice/user-1000.slice/user@1000.service/clauster.slice/" + scope + "\n"; own != want {
		t.Errorf("the bridge is in %s, want %s", own, want)
	}

	keeper := b.userKeeper(name)
	b.MustKill(keeper, syscall.SIGKILL)
	b.MustWaitFor("a new keeper", settle, func() bool { k := b.userKeeper(name); return k != 0 && k != keeper && b.userState(name) == "active" })
	keeper = b.userKeeper(name)
	b.MustRunAs("op", "systemctl", "--user", "reload", unit)
	if got := b.userKeeper(name); got != keeper {
		t.Errorf("a reload changed the keeper's pid from %d to %d", keeper, got)
	}
	// Any SIGTERM but systemd's is nobody's business.
	b.MustRunAs("op", "kill", "-TERM", strconv.Itoa(keeper))
	if got := b.userStatus(name); got.PID != s.PID || got.Status != "running" {
		t.Errorf("status after a killed keeper, a reload and a SIGTERM: %+v, was %+v", got, s)
	}
	if got := strings.TrimSpace(b.MustRunAs("op", "stat", "-c", "%a %U", "/home/op/.local/state/clauster/instances/"+name+".json",
		"/home/op/.local/state/clauster/session_ref.key", "/run/user/1000/clauster/bridges/"+name+"/keeper.sock")); got != "640 op\n600 op\n600 op" {
		t.Errorf("modes of record, key and socket: %q", got)
	}
	b.MustRunAs("op", "systemctl", "--user", "stop", unit)
	b.waitUserEvents(name, "spawn ready reattached reloaded stop")
	if s := b.userStatus(name); s.Status != "stopped" || s.Reason == "" || s.Since == "" {
		t.Errorf("status after stop: %+v", s)
	}
	if r := b.asOp("sh", "-c", `ls -d /run/user/1000/clauster/*/"$1"`, "sh", name); r.Stdout != "" {
		t.Errorf("left after stop: %s", r.Stdout)
	}
	// The system manager knows nothing of it.
	if r := b.result("clauster-ctl", "status", name); r.Code != 3 {
		t.Errorf("clauster-ctl status without --user: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

func (b *bed) userKeeper(instance string) int {
	b.t.Helper()
	pid, _ := strconv.Atoi(strings.TrimSpace(b.MustRunAs("op", "systemctl", "--user", "show", "-P", "MainPID", "clauster@"+instance)))
	return pid
}

func (b *bed) userState(instance string) string {
	b.t.Helper()
	return strings.TrimSpace(b.MustRunAs("op", "systemctl", "--user", "show", "-P", "ActiveState", "clauster@"+instance))
}

// TestUserModeCtl: clauster-ctl --user needs no rights for anything, and reads
// the user's own configuration.
func TestUserModeCtl(t *testing.T) {
	b := onShared(t)
	const name = "user-ctl"
	b.newUserProject(name, nil)
	const toml = "/home/op/.config/clauster/clauster.toml"
	b.MustWriteFile(toml, "[instance_defaults]\npermission_mode = \"plan\"\n[projects."+name+"]\ntasks_max = 77\n", 0o600, "op")
	t.Cleanup(func() { b.MustRun("rm", "-r", "/home/op/.config/clauster") })
	ctl := func(code int, says string, args ...string) {
		t.Helper()
		r := b.asOp(append([]string{"clauster-ctl", "--user"}, args...)...)
		if r.Code != code || !strings.Contains(r.Stdout+r.Stderr, says) {
			t.Errorf("clauster-ctl --user %s: exit code %d\n%s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
		}
	}
	ctl(0, "", "config", "check")
	ctl(0, "running", "start", name)
	ctl(0, name, "list")
	ctl(0, "permission mode plan", "status", name)
	ctl(0, "ready after", "logs", "--events", name)
	ctl(0, "Registered", "logs", "--lines", "0", name)
	ctl(0, "https://claude.ai/", "open", name)
	ctl(0, name, "keepers")
	ctl(0, name, "projects")
	if got := b.MustRunAs("op", "systemctl", "--user", "show", "-P", "TasksMax", "clauster-bridge-"+name+".scope"); got != "77\n" {
		t.Errorf("TasksMax of the scope is %s", got)
	}
	p := b.MustStart(machine.Command{User: "op", Terminal: true, Args: []string{"clauster-ctl", "--user", "attach", name}})
	if err := p.WaitOutput(settle, func(out string) bool { return strings.Contains(out, "Capacity") }); err != nil {
		t.Error(err)
	}
	if _, err := p.Stdin().Write([]byte{0x1d}); err != nil { // ctrl-]
		t.Error(err)
	}
	if r, err := p.Wait(); err != nil || r.Code != 0 {
		t.Errorf("attach ended with %d, %v:\n%s", r.Code, err, r.Stdout)
	}
	ctl(0, "running", "restart", name)
	ctl(0, "stopped", "stop", name)
	ctl(0, "stopped on request", "status", name)
	ctl(0, "", "forget", name)
	ctl(3, "", "status", name)
	// Without the warnings that tasks_max does not hold: a container has no pids controller.
	if got := strings.ReplaceAll(b.userEvents(name), "warning ", ""); !strings.HasSuffix(got, "spawn ready stop spawn ready stop") {
		t.Errorf("events: %s", got)
	}
}

// TestUserModeTwins: an instance of the system and one of a user may have the
// same name and stay apart.
func TestUserModeTwins(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "user-twin"
	b.newUserProject(name, nil)
	b.mustStart(name)
	b.MustRunAs("op", "systemctl", "--user", "start", "clauster@"+name)
	system, user := b.status(name), b.userStatus(name)
	if system.Run == user.Run || system.PID == user.PID || system.Status != "running" || user.Status != "running" {
		t.Errorf("system %+v\nuser %+v", system, user)
	}
	b.MustRunAs("op", "systemctl", "--user", "stop", "clauster@"+name)
	if s := b.status(name); s.Status != "running" || s.PID != system.PID {
		t.Errorf("after the stop of its twin: %+v", s)
	}
	for _, args := range [][]string{{"clauster-ctl", "logs", "--lines", "0", "--json", name}, {"clauster-ctl", "logs", "--events", "--json", name}} {
		if out := b.MustRun(args...); strings.Contains(out, user.Run) {
			t.Errorf("%s tells of the user's bridge:\n%s", strings.Join(args, " "), out)
		}
	}
	if out := b.asOp("clauster-ctl", "--user", "logs", "--lines", "0", "--json", name).Stdout; strings.Contains(out, system.Run) {
		t.Errorf("logs --user tell of the system's bridge:\n%s", out)
	}
	b.stop(name)
}

// TestUserModeWithoutLinger: a bridge in the manager of a user who does not
// linger ends with the last session; the start warns with the command.
func TestUserModeWithoutLinger(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	if r := b.result("id", "visitor"); r.Code != 0 {
		if err := b.AddUser(machine.User{Name: "visitor"}); err != nil {
			t.Fatal(err)
		}
		b.MustSh(`cd /home/visitor && install -d -o visitor -g visitor .local .local/bin projects projects/brief
			install -o visitor -g visitor -m 755 /home/op/.local/bin/claude .local/bin/claude
			install -o visitor -g visitor /home/op/.fakeclaude .fakeclaude`)
	}
	r, err := b.RunContext(t.Context(), machine.Command{User: "visitor", Session: true, Timeout: time.Minute,
		Args: []string{"sh", "-c", "systemctl --user start clauster@brief && clauster-ctl --user status brief"}})
	if err != nil || r.Code != 0 || !strings.Contains(r.Stdout, "running") {
		t.Fatalf("%+v, %v", r, err)
	}
	var warnings []string
	for _, e := range b.MustJournal("_SYSTEMD_USER_UNIT=clauster@brief.service", "CLAUSTER_EVENT=warning") {
		warnings = append(warnings, e.Get("MESSAGE"))
	}
	if !slices.ContainsFunc(warnings, func(m string) bool { return strings.Contains(m, "loginctl enable-linger visitor") }) {
		t.Errorf("no warning names the command: %q", warnings)
	}
	// The session is over, and logind ends the manager (at once when told to):
	// the bridge gets its graceful stop all the same.
	b.MustRun("loginctl", "terminate-user", "visitor")
	b.MustWaitJournal("the stop of the bridge", func(e machine.Entry) bool { return e.Get("CLAUSTER_EVENT") == "stop" },
		"_SYSTEMD_USER_UNIT=clauster@brief.service")
}

// TestImpostorIsRefused: whoever listens under the name of a keeper's socket is
// asked nothing unless he is the unit's main process. Only in user mode can an
// agent get there; the client is the same.
func TestImpostorIsRefused(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.needAttacker()
	const name = "user-impostor"
	b.newUserProject(name, nil)
	b.MustRunAs("op", "clauster-ctl", "--user", "start", name)
	p := b.MustStart(machine.Command{User: "op", Args: []string{"attacker", "impostor", "/run/user/1000/clauster/bridges/" + name + "/keeper.sock"}})
	if err := p.WaitOutput(settle, func(out string) bool { return out == "listening\n" }); err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{{"open", name}, {"attach", "--read-only", name}} {
		r := b.asOp(append([]string{"clauster-ctl", "--user"}, args...)...)
		if r.Code != 4 || !strings.Contains(r.Stderr, "not the unit's main process") {
			t.Errorf("clauster-ctl --user %s: exit code %d\n%s%s", strings.Join(args, " "), r.Code, r.Stdout, r.Stderr)
		}
	}
	if r := b.asOp("systemctl", "--user", "reload", "clauster@"+name); r.Code == 0 {
		t.Error("systemctl reload talked to the impostor")
	}
	if s := b.userStatus(name); s.Status != "running" {
		t.Errorf("status: %+v", s)
	}
	if out := p.Stdout(); strings.Count(out, "client sent 0\n") != strings.Count(out, "client") || !strings.Contains(out, "client") {
		t.Errorf("the impostor: %s", out)
	}
}
