package e2e

import (
	"encoding/json"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"clauster/test/machine"
)

const (
	apiSocket  = "/run/clauster/api.sock"
	callerPath = "/usr/local/bin/caller"
)

// withAPI gives a machine of its own with the API's sockets enabled.
func withAPI(t testing.TB) *bed {
	t.Helper()
	b := newMachine(t)
	b.needCaller()
	b.MustRun("systemctl", "enable", "--now", "clauster-api.socket", "clauster-wake.socket", "clauster-web.socket")
	return b
}

// needCaller builds the caller and copies it into the machine.
func (b *bed) needCaller() {
	b.t.Helper()
	root, err := machine.RepoRoot()
	if err != nil {
		b.t.Fatal(err)
	}
	out := filepath.Join(b.t.TempDir(), "caller")
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, "./test/e2e/caller")
	cmd.Dir, cmd.Env = root, append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		b.t.Fatalf("cannot build the caller: %v\n%s", err, text)
	}
	if err := b.CopyIn(out, callerPath, ""); err != nil {
		b.t.Fatal(err)
	}
	b.MustRun("chmod", "0755", callerPath)
}

// answer is what the API said.
type answer struct {
	Status int         `json:"status"`
	Header http.Header `json:"header"`
	Body   string      `json:"body"`
	exit   int         // of the caller: 7 where nothing could be reached
}

// problem is the refusal in an answer.
func (a answer) problem() (p struct{ Kind, Detail, Hint string }) {
	_ = json.Unmarshal([]byte(a.Body), &p)
	return p
}

// into reads the body as JSON.
func (a answer) into(t testing.TB, v any) {
	t.Helper()
	if err := json.Unmarshal([]byte(a.Body), v); err != nil {
		t.Fatalf("cannot read an answer: %v\n%s", err, a.Body)
	}
}

// ask calls the API on the unix socket as a user of the machine.
func (b *bed) ask(user, method, path, body string, headers ...string) answer {
	b.t.Helper()
	return b.call(user, append([]string{"-s", apiSocket}, with(headers, body)...), method, "http://clauster"+path)
}

// askWeb calls it on the web socket.
func (b *bed) askWeb(user, method, path, body string, headers ...string) answer {
	b.t.Helper()
	return b.call(user, with(headers, body), method, "http://127.0.0.1:7621"+path)
}

func with(headers []string, body string) []string {
	var args []string
	for _, h := range headers {
		args = append(args, "-H", h)
	}
	if body != "" {
		args = append(args, "-d", body)
	}
	return args
}

func (b *bed) call(user string, flags []string, method, url string) answer {
	b.t.Helper()
	args := append(append([]string{callerPath, "call"}, flags...), method, url)
	r, err := b.RunAs(user, args...)
	if err != nil {
		b.t.Fatal(err)
	}
	a := answer{exit: r.Code}
	if r.Code == 0 {
		if err := json.Unmarshal([]byte(r.Stdout), &a); err != nil {
			b.t.Fatalf("cannot read what the caller prints: %v\n%s", err, r.Stdout)
		}
	} else if r.Code != 7 {
		b.t.Fatalf("caller: %s", r.Stderr)
	}
	return a
}

// must asks as root and wants a success.
func (b *bed) must(method, path, body string, headers ...string) answer {
	b.t.Helper()
	a := b.ask("root", method, path, body, headers...)
	if a.exit != 0 || a.Status >= 400 {
		b.t.Fatalf("%s %s: %d %s", method, path, a.Status, a.Body)
	}
	return a
}

// TestAPILife: a bridge's life through the API, with the words an operator
// would type beside it.
func TestAPILife(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("api-life", map[string]string{"count": "10"})
	a := b.must("POST", "/api/v1/instances", `{"project":"api-life","name":"seen from afar"}`)
	var started struct {
		status
		Created bool `json:"created"`
	}
	a.into(t, &started)
	if a.Status != 201 || !started.Created || started.Status != "running" || started.Label != "seen from afar" {
		t.Errorf("start: %d %s", a.Status, a.Body)
	}
	if again := b.must("POST", "/api/v1/instances", `{"project":"api-life"}`); again.Status != 200 || !strings.Contains(again.Body, `"created":false`) {
		t.Errorf("second start: %d %s", again.Status, again.Body)
	}
	// What the API shows and what clauster-ctl prints is one object.
	var ours, theirs map[string]any
	b.must("GET", "/api/v1/instances/api-life", "").into(t, &ours)
	if err := json.Unmarshal([]byte(b.MustRun("clauster-ctl", "status", "api-life", "--json")), &theirs); err != nil {
		t.Fatal(err)
	}
	for _, key := range []string{"host", "instance", "project", "label", "mode", "status", "health", "pid", "run", "unit", "scope", "permission_mode", "since"} {
		if ours[key] != theirs[key] {
			t.Errorf("%s: the API says %v, clauster-ctl %v", key, ours[key], theirs[key])
		}
	}
	var log struct {
		Lines []struct{ Text, Event string }
	}
	b.must("GET", "/api/v1/instances/api-life/logs", "").into(t, &log)
	if len(log.Lines) == 0 {
		t.Error("no log")
	}
	if qr := b.must("GET", "/api/v1/instances/api-life/qr", ""); !strings.Contains(qr.Body, "<svg") {
		t.Errorf("qr: %.200s", qr.Body)
	}
	run := started.Run
	b.must("POST", "/api/v1/instances/api-life/restart", "")
	if now := b.status("api-life"); now.Run == run || now.Status != "running" || now.Label != "seen from afar" { // the recorded choice
		t.Errorf("after the restart: %+v", now)
	}
	b.must("DELETE", "/api/v1/instances/api-life", "")
	if now := b.status("api-life"); now.Status != "stopped" {
		t.Errorf("after the stop: %+v", now)
	}
	b.waitRuns("api-life", "spawn ready stop", "spawn ready stop")
	for _, e := range b.MustJournal("CLAUSTER_EVENT=requested", "CLAUSTER_INSTANCE=api-life") {
		if who := e.Get("CLAUSTER_ACTOR_LOGIN"); !strings.Contains(who, "root") || e.Get("_SYSTEMD_UNIT") != "clauster-api.service" {
			t.Errorf("requested by %q of %s", who, e.Get("_SYSTEMD_UNIT"))
		}
	}
	var events struct{ Events []struct{ Kind, ID string } }
	b.MustWaitFor("the events in the store", settle, func() bool {
		b.must("GET", "/api/v1/events?instance=api-life&kind=stop", "").into(t, &events)
		return len(events.Events) == 2
	})
	b.must("POST", "/api/v1/instances/api-life/forget", "")
	if a := b.ask("root", "GET", "/api/v1/instances/api-life", ""); a.Status != 404 {
		t.Errorf("after forget: %d %s", a.Status, a.Body)
	}
	if a := b.ask("root", "POST", "/api/v1/instances", `{"project":"no-such"}`); a.Status != 404 || a.problem().Kind != "not-found" {
		t.Errorf("unknown project: %d %s", a.Status, a.Body)
	}
}
