package e2e

import (
	"encoding/json"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// life is one line of a stand-in's record: how a claude began, or its ids.
type life struct {
	Event       string   `json:"event"`
	Argv        []string `json:"argv"`
	Environment string   `json:"environment"`
	Session     string   `json:"session"`
}

// newRecorded makes a project whose stand-in writes every life into one file.
func (b *bed) newRecorded(name string, keys map[string]string) {
	b.t.Helper()
	all := map[string]string{"record": "/home/op/projects/" + name + "/record"}
	for k, v := range keys {
		all[k] = v
	}
	b.newProject(name, all)
}

// lives reads the lines of one event out of an instance's record.
func (b *bed) lives(instance, event string) (lives []life) {
	b.t.Helper()
	for line := range strings.Lines(b.MustReadFile("/home/op/projects/" + instance + "/record")) {
		var l life
		if err := json.Unmarshal([]byte(line), &l); err != nil {
			b.t.Fatalf("record of %s: %v", instance, err)
		}
		if l.Event == event {
			lives = append(lives, l)
		}
	}
	return lives
}

// lastArgv is the command line of the last claude without the debug file, whose
// name is new for every run.
func (b *bed) lastArgv(instance string) string {
	b.t.Helper()
	starts := b.lives(instance, "start")
	if len(starts) == 0 {
		b.t.Fatalf("%s: claude was never started", instance)
	}
	argv := strings.Join(starts[len(starts)-1].Argv, " ")
	return regexp.MustCompile(` --debug-file \S+`).ReplaceAllString(argv, "")
}

// crashed kills the bridge and waits for the next one.
func (b *bed) crashed(instance string) {
	b.t.Helper()
	before := b.countEvents(instance, "ready")
	b.MustKill(b.status(instance).PID, syscall.SIGKILL)
	b.MustWaitFor("the next bridge of "+instance, settle, func() bool {
		return b.countEvents(instance, "ready") > before && b.status(instance).Status == "running"
	})
}

const claudePath = "/home/op/.local/bin/claude"

// A restart after a crash continues in the same worktree; a start by a person is
// fresh, in a worktree of its own, unless it says --resume; and what is recorded
// wins over what the configuration says now.
func TestResumeInteractive(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "resume-pty"
	b.newRecorded(name, map[string]string{"continue": "yes"})
	b.MustSh("cd /home/op/projects/" + name + " && git init -q . && chown -R op: .")
	b.MustRun("clauster-ctl", "start", "--mode", "pty", "--spawn-mode", "worktree", "--permission-mode", "plan", "--name", "my name", name)
	first := b.lastArgv(name)
	fresh := regexp.MustCompile(`^` + claudePath + ` --remote-control my name --permission-mode plan --worktree (clauster-[0-9a-f]{8})$`)
	m := fresh.FindStringSubmatch(first)
	if m == nil {
		t.Fatalf("the first start: %s", first)
	}
	b.crashed(name)
	if got := b.lastArgv(name); got != first+" --continue" {
		t.Errorf("after a crash: %s, want %s --continue", got, first)
	}
	b.stop(name)
	b.MustRun("clauster-ctl", "start", "--resume", name)
	if got := b.lastArgv(name); got != first+" --continue" {
		t.Errorf("with --resume: %s, want %s --continue", got, first)
	}
	b.stop(name)
	b.MustRun("clauster-ctl", "start", "--mode", "pty", "--spawn-mode", "worktree", "--permission-mode", "plan", "--name", "my name", name)
	if other := fresh.FindStringSubmatch(b.lastArgv(name)); other == nil || other[1] == m[1] {
		t.Errorf("a fresh start: %s, want a worktree other than %s and no --continue", b.lastArgv(name), m[1])
	}
	b.stop(name)
	const session = "0b9c3a52-6d2e-4d0c-9f3e-5a1d7c1f2e34"
	b.MustRun("clauster-ctl", "start", "--resume="+session, name)
	if got, want := b.lastArgv(name), claudePath+" --remote-control "+name+" --permission-mode default --resume "+session+" --fork-session"; got != want {
		t.Errorf("of a chosen session: %s, want %s", got, want)
	}
	b.crashed(name)
	if got := b.lastArgv(name); !strings.HasSuffix(got, " --continue") || strings.Contains(got, "--fork-session") {
		t.Errorf("a crash after the fork: %s, want --continue and not another fork", got)
	}
	b.stop(name)
	b.mustStart(name)
	if got, want := b.lastArgv(name), claudePath+" remote-control --name "+name+" --spawn same-dir --permission-mode default --capacity 32"; got != want {
		t.Errorf("a plain systemctl start: %s, want %s", got, want)
	}
}

// A standard bridge resumes through its pointer: a restart after a crash adopts
// the session, a start by a person makes a new one.
func TestResumeStandard(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "resume-standard"
	b.newRecorded(name, nil)
	b.mustStart(name)
	b.crashed(name)
	b.stop(name)
	b.MustRun("clauster-ctl", "start", "--resume", name)
	b.stop(name)
	b.mustStart(name)
	var sessions []string
	for _, l := range b.lives(name, "ready") {
		sessions = append(sessions, l.Session)
	}
	if len(sessions) != 4 || sessions[1] != sessions[0] || sessions[2] != sessions[0] || sessions[3] == sessions[0] {
		t.Errorf("sessions %q: want the first one after the crash and with --resume, and a new one at the fresh start", sessions)
	}
	refs := map[string]int{}
	for _, e := range b.MustJournal("CLAUSTER_INSTANCE="+name, "CLAUSTER_EVENT=stop", "CLAUSTER_EVENT=crash") {
		refs[e.Get("CLAUSTER_SESSION_REF")]++
	}
	if len(refs) != 1 || refs[""] != 0 {
		t.Errorf("session_ref of the runs of one session: %v", refs)
	}
}

// A conversation that cannot be continued costs one failed start and no more.
func TestResumeFallsBackOnce(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "resume-fallback"
	b.newRecorded(name, map[string]string{"continue": "no"})
	b.MustRun("clauster-ctl", "start", "--mode", "pty", name)
	b.crashed(name)
	if got, want := b.eventNames(name), "requested spawn ready crash delayed spawn fallback error spawn ready"; got != want {
		t.Errorf("events %s, want %s", got, want)
	}
	if got := b.lastArgv(name); strings.Contains(got, "--continue") {
		t.Errorf("after the fallback: %s", got)
	}
	b.said(b.lastEvent(name, "error"), map[string]string{"CLAUSTER_VERDICT": "nothing-to-resume", "CLAUSTER_REASON": "there is no conversation to continue"})
	if got := b.lastEvent(name, "fallback").Get("MESSAGE"); !strings.Contains(got, "the next start is fresh") {
		t.Errorf("the event says %q", got)
	}
}

// Who asks for a conversation that cannot be had is told so, and gets no other.
func TestResumeByHandStaysDown(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "resume-hand"
	b.newRecorded(name, map[string]string{"continue": "no"})
	b.MustRun("clauster-ctl", "start", "--mode", "pty", name)
	b.stop(name)
	r := b.result("clauster-ctl", "start", "--resume", name)
	if r.Code == 0 || !strings.Contains(r.Stderr, "no conversation to continue") || !strings.Contains(r.Stderr, "clauster-ctl start "+name) {
		t.Errorf("exit code %d: %s", r.Code, r.Stderr)
	}
	unit := "clauster@" + name + ".service"
	if got := b.MustShow(unit, "ExecMainStatus") + " " + b.MustShow(unit, "ActiveState"); got != "69 failed" {
		t.Errorf("the keeper: %s, want 69 failed", got)
	}
	if n := b.countEvents(name, "fallback"); n != 0 {
		t.Errorf("%d events fallback", n)
	}
}

// --resume of what was never launched is refused before anything starts.
func TestResumeNothing(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.newProject("resume-nothing", nil)
	r := b.result("clauster-ctl", "start", "--resume", "resume-nothing")
	if r.Code == 0 || !strings.Contains(r.Stderr, "no recorded launch") {
		t.Errorf("exit code %d: %s", r.Code, r.Stderr)
	}
}
