package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/creack/pty"
	"golang.org/x/sys/unix"
)

func TestServerReady(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	w := s.start(120, s.serverArgs("--verbose")...)
	w.untilDebug("Starting poll loop spawnMode=same-dir maxSessions=32 environmentId=env_")
	w.untilScreen("Connected · blog · HEAD")
	w.untilScreen("Environment ID: env_")

	debug := s.text(s.debug)
	at := 0
	for _, marker := range []string{"CA certs", "[bridge:init] bridgeId=", "POST /v1/environments/bridge -> 200 environment_id=env_",
		"Created initial session session_", "Starting poll loop"} {
		i := strings.Index(debug[at:], marker)
		if i < 0 {
			t.Fatalf("marker %q is missing or out of order:\n%s", marker, debug)
		}
		at += i
	}
	line := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z \[(DEBUG|INFO|WARN|ERROR)\] .+$`)
	for _, text := range strings.Split(strings.TrimSpace(debug), "\n") {
		if !line.MatchString(text) {
			t.Errorf("no debug record: %q", text)
		}
	}
	if target, _ := os.Readlink(filepath.Join(filepath.Dir(s.debug), "latest")); target != s.debug {
		t.Errorf("latest points to %q", target)
	}
	var p pointer
	if err := json.Unmarshal([]byte(s.text(s.pointerFile())), &p); err != nil {
		t.Fatal(err)
	}
	if p.PID != w.cmd.Process.Pid || p.ProcStart != processStart(p.PID) || !strings.Contains(debug, p.SessionID) {
		t.Errorf("pointer %+v of pid %d", p, w.cmd.Process.Pid)
	}
	if !strings.Contains(w.screen(), "https://claude.ai/code?environment="+p.EnvironmentID) {
		t.Error("the link is not on the screen")
	}
	w.signal(syscall.SIGINT)
	w.exit(0)
	if !strings.Contains(s.text(s.debug), "[bridge:shutdown] SIGINT received, shutting down") || !strings.Contains(w.screen(), "Environment preserved.") {
		t.Error("no words at the end")
	}
	if s.text(s.pointerFile()) == "" {
		t.Error("the pointer is gone")
	}
}

func TestServerRecordsItself(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	s.env = []string{"SECRET=x", "CLAUDE_CODE_X=1"}
	w := s.start(97, s.serverArgs()...)
	w.untilEvent("ready")
	w.signal(syscall.SIGUSR1)
	w.untilEvent("signal")
	w.signal(syscall.SIGTERM)
	w.exit(0)
	e := s.events()[0]
	if e["cwd"] != s.project || e["umask"] == "" || e["cols"].(float64) != 97 || fmt.Sprint(e["isatty"]) != "[true true true]" {
		t.Errorf("record %v", e)
	}
	if e["sid"] != e["pid"] || !strings.Contains(fmt.Sprint(e["env_names"]), "SECRET") || strings.Contains(fmt.Sprint(e["env"]), "SECRET") {
		t.Errorf("record %v", e)
	}
	for _, fd := range e["fds"].([]any) {
		d := fd.(map[string]any)
		if d["inherited"] == true && d["fd"].(float64) > 2 {
			t.Logf("inherited from the test: %v", d)
		}
	}
	var got []string
	for _, e := range s.events() {
		if e["event"] == "signal" {
			got = append(got, e["signal"].(string))
		}
	}
	if fmt.Sprint(got) != "[SIGUSR1 SIGTERM]" {
		t.Errorf("signals %v", got)
	}
}

// TestServerModes has one row for each mode that shows in the debug file, on
// the screen or in the exit; exit 999 means it lives until killed.
func TestServerModes(t *testing.T) {
	t.Parallel()
	const lives = 999
	for _, row := range []struct {
		settings      string
		debug, screen string
		exit          int
		not           string
	}{
		{settings: "ready-reconnect", debug: "Adopted session cse_", screen: "Connected", exit: lives, not: "Created initial session"},
		{settings: "slow-ready=5", debug: "Starting poll loop", exit: lives},
		{settings: "never-ready", debug: "Fast mode availability", screen: "Connecting", exit: lives, not: "[bridge:init]"},
		{settings: "silent-hang", debug: "Acquired PID lock", screen: "Connecting", exit: lives, not: "[bridge:init]"},
		{settings: "env-no-poll", debug: "Created initial session", exit: lives, not: "Starting poll loop"},
		{settings: "env-no-poll=3", debug: "Created initial session", exit: 3, not: "Starting poll loop"},
		{settings: "ready-no-session", debug: "Session creation failed with status 400", screen: "Ready · blog", exit: lives},
		{settings: "overloaded-503", debug: "Request failed with status code 503", screen: "Ready · blog", exit: lives},
		{settings: "crash-after=1", debug: "Starting poll loop", exit: 1},
		{settings: "crash-after=1:0", debug: "Starting poll loop", exit: 0},
		{settings: "crash-after=1:137", exit: 137},
		{settings: "crash-after=1:signal=9", exit: -9},
		{settings: "crash-after=1:signal=11", exit: -11},
		{settings: "exit=7", exit: 7, not: "[bridge:init]"},
		{settings: "exit-after-ready=5", debug: "Starting poll loop", exit: 5},
		{settings: "signal-before-ready=6", exit: -6, not: "[bridge:init]"},
		{settings: "giveup-after=1:for=5", screen: "Persistent errors for 10 minutes, giving up", exit: 1},
		{settings: "giveup-after=1:for=5:0", screen: "Reconnecting · retrying in 2.5s", exit: 0},
		{settings: "reconnect-after=1:for=2", debug: "Reconnected", screen: "Reconnecting", exit: lives},
		{settings: "poll-fatal-401", debug: "BridgeFatalError", screen: "Poll: Authentication failed (401)", exit: 1},
		{settings: "poll-fatal-403", screen: "Poll: Access denied (403)", exit: 1},
		{settings: "enoent-sessions", screen: "Session failed: spawn error: ENOENT", exit: lives},
		{settings: "stale-pointer-404", debug: "registerWorker failed: Request failed with status code 404", exit: lives},
		{settings: "poisoned-reattach=deleted", debug: `"reason":"deleted"`, screen: "Ready · blog", exit: lives},
		{settings: "capacity-full", screen: "Capacity: 32/32", exit: lives},
		{settings: "529", debug: "Repeated 529 Overloaded errors", screen: "attempt 4/10", exit: lives},
		{settings: "rate-limit", screen: "You've hit your session limit · resets 3:45pm", exit: lives},
		{settings: "login-expiry=1", screen: "Claude.ai login expired", exit: lives},
		{settings: "login-expiry=1:dies", screen: "Login expired · Please run /login", exit: 1},
		{settings: "env-id=env_01FIXEDFIXEDFIXEDFIXED00", screen: "environment=env_01FIXEDFIXEDFIXEDFIXED00", exit: lives},
		{settings: "session=01ABCDEFGHJKMNPQRSTVWXYZ", debug: "session_01ABCDEFGHJKMNPQRSTVWXYZ", exit: lives},
		{settings: "redraw=1", screen: "\x1b[5A\x1b[0J\x1b[36m·✔︎·", exit: lives},
		{settings: "poll=1", debug: "3 consecutive empty polls", exit: lives},
		{settings: "mode=slow-ready=1,hang-on-sigterm", debug: "Starting poll loop", exit: lives},
		{settings: "flood=2M:200K", debug: "flood line", exit: lives},
		{settings: "flood=2M:200K:kind=garbage:to=both", debug: "\xff\xfe", screen: "broken 17", exit: lives},
		{settings: "flood=4M:2M:kind=oneline", debug: strings.Repeat("x", 1<<20-1) + "\n", exit: lives},
		{settings: "flood=2M:100K:kind=long:to=stdout", screen: "long long long", exit: lives},
		{settings: "lock-held", debug: "Starting poll loop", exit: lives},
		{settings: "attack=nosuch", debug: "Starting poll loop", exit: lives},
	} {
		t.Run(row.settings, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, row.settings)
			w := s.start(120, s.serverArgs()...)
			if row.debug != "" {
				w.untilDebug(row.debug)
			}
			if row.screen != "" {
				w.untilScreen(row.screen)
			}
			if row.exit != lives {
				w.exit(row.exit)
			} else if !w.alive() {
				t.Error("it died")
			}
			if row.not != "" && strings.Contains(s.text(s.debug), row.not) {
				t.Errorf("debug file holds %q", row.not)
			}
		})
	}
}

func TestServerCrashesAtStart(t *testing.T) {
	t.Parallel()
	for reason, f := range failures() {
		t.Run(reason, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "crash-at-start="+reason)
			_, stderr, code := s.run(s.serverArgs()...)
			first, _, _ := strings.Cut(strings.ReplaceAll(f.text, "%s", s.project), "\n")
			if reason == "corrupt-config" {
				first = "Configuration error in " + s.home + "/.claude.json: JSON Parse error"
				if len(stderr) < 4096 {
					t.Error("the trace is short")
				}
			}
			if code != 1 || !strings.HasPrefix(stderr, first) {
				t.Errorf("exit %d, stderr %q", code, stderr)
			}
		})
	}
}

func TestServerStopSignals(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		settings string
		signals  []syscall.Signal
		exit     int
	}{
		{"", []syscall.Signal{syscall.SIGINT}, 0},
		{"", []syscall.Signal{syscall.SIGTERM}, 0},
		{"", []syscall.Signal{syscall.SIGHUP}, 129},
		{"", []syscall.Signal{syscall.SIGQUIT}, -3},
		{"sigint-needs-two", []syscall.Signal{syscall.SIGINT, syscall.SIGINT}, 0},
		{"hang-on-sigint", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM}, 0},
		{"hang-on-sigterm", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}, -9},
		{"silent-hang", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGKILL}, -9},
		{"hang-on-all", []syscall.Signal{syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGQUIT, syscall.SIGKILL}, -9},
		{"exits-after=20", []syscall.Signal{syscall.SIGTERM}, 0},
	} {
		t.Run(fmt.Sprint(row.settings, row.signals), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, row.settings)
			w := s.start(120, s.serverArgs()...)
			if row.settings == "silent-hang" {
				w.untilDebug("Acquired PID lock")
			} else {
				w.untilEvent("ready")
			}
			for i, sig := range row.signals {
				w.signal(sig)
				if sig != syscall.SIGKILL {
					w.until("signal "+unix.SignalName(sig), func() bool { return countEvents(s, "signal") > i })
				}
			}
			w.exit(row.exit)
		})
	}
}

func countEvents(s *stage, name string) (n int) {
	for _, e := range s.events() {
		if e["event"] == name {
			n++
		}
	}
	return n
}

func TestServerStopped(t *testing.T) {
	t.Parallel()
	s := newStage(t, "stopped")
	w := s.start(120, s.serverArgs()...)
	w.until("state T", func() bool {
		return strings.Contains(s.text(fmt.Sprintf("/proc/%d/stat", w.cmd.Process.Pid)), ") T ")
	})
	w.signal(syscall.SIGTERM)
	w.signal(syscall.SIGCONT)
	w.exit(0)
}

func TestServerNumberedSequence(t *testing.T) {
	t.Parallel()
	s := newStage(t, "count=2000\ncount-to=both")
	w := s.start(120, s.serverArgs()...)
	w.untilScreen("#00000400\r\n")
	w.signal(syscall.SIGUSR1)
	w.signal(syscall.SIGSTOP)
	w.signal(syscall.SIGCONT)
	w.untilScreen("#00000900\r\n")
	w.signal(syscall.SIGINT)
	w.exit(0)
	w.untilScreen("#end ")
	numbers := regexp.MustCompile(`#(\d{8})\r\n`).FindAllStringSubmatch(w.screen(), -1)
	for i, n := range numbers {
		if got, _ := strconv.Atoi(n[1]); got != i+1 {
			t.Fatalf("number %d at place %d", got, i+1)
		}
	}
	if end := regexp.MustCompile(`#end (\d+)`).FindStringSubmatch(w.screen()); end == nil || end[1] != strconv.Itoa(len(numbers)) {
		t.Errorf("end %v after %d numbers", end, len(numbers))
	}
	if strings.Count(s.text(s.debug), "] #0000") < 900 {
		t.Error("the debug file misses numbers")
	}
}

func TestServerWrapsItsLink(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	w := s.start(80, s.serverArgs()...)
	w.untilScreen("Connected")
	w.untilScreen("space to show QR code")
	if regexp.MustCompile(`environment=env_01[0-9A-Z]{22}`).MatchString(w.screen()) {
		t.Error("the link of 107 characters is whole at 80 columns")
	}
}

func TestServerWithoutTerminal(t *testing.T) {
	t.Parallel()
	s := newStage(t, "exit-after-ready=0")
	stdout, _, code := s.run(s.serverArgs()...)
	if code != 0 || !strings.Contains(stdout, "\x1b[0J·✔︎· Connected · blog") || strings.Contains(stdout, "\x1b[36m") {
		t.Errorf("exit %d, %q", code, stdout)
	}
}

func TestServerAdoptsItsPointer(t *testing.T) {
	t.Parallel()
	s := newStage(t, "exit-after-ready=0")
	s.run(s.serverArgs()...)
	first := s.text(s.pointerFile())
	s.run(s.serverArgs()...)
	var a, b pointer
	if json.Unmarshal([]byte(first), &a) != nil || json.Unmarshal([]byte(s.text(s.pointerFile())), &b) != nil {
		t.Fatal("no pointers")
	}
	if a.SessionID != b.SessionID || a.EnvironmentID != b.EnvironmentID || a.PID == b.PID {
		t.Errorf("%+v then %+v", a, b)
	}
	if !strings.Contains(s.text(s.debug), "Adopted session cse_"+strings.TrimPrefix(a.SessionID, "session_")) {
		t.Error("nothing adopted")
	}
	s.run(s.serverArgs("--no-create-session-in-dir")...)
	if s.text(s.pointerFile()) != "" {
		t.Error("the pointer outlives --no-create-session-in-dir")
	}
}

func TestServerChildren(t *testing.T) {
	t.Parallel()
	for _, row := range []struct {
		kind     string
		survives bool
	}{
		{"2", false}, {"1:setsid", false}, {"1:hold-stdout", false}, {"1:outlive:ignore-term", true}, {"1:ignore-term:outlive:setsid:hold-stdout", true}, {"1:stop", true},
	} {
		t.Run(row.kind, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, "fork-children="+row.kind)
			w := s.start(120, s.serverArgs()...)
			pid := int(w.untilEvent("child")["pid"].(float64))
			argv := s.text(fmt.Sprintf("/proc/%d/cmdline", pid))
			if !strings.Contains(argv, "claude\x00--print\x00--sdk-url\x00https://api.anthropic.com/v1/code/sessions/cse_") {
				t.Errorf("argv %q", argv)
			}
			sid, err := unix.Getsid(pid)
			if own := sid == pid; err == nil && own != strings.Contains(row.kind, "setsid") {
				t.Errorf("sid %d of child %d", sid, pid)
			}
			t.Cleanup(func() { _ = unix.Kill(pid, unix.SIGKILL) })
			w.signal(syscall.SIGINT)
			w.exit(0)
			if row.survives {
				if unix.Kill(pid, 0) != nil {
					t.Error("the child is gone")
				}
				return
			}
			w.untilDebug(fmt.Sprintf("failed exit_code=143 pid=%d", pid))
		})
	}
}

func TestServerDaemonChild(t *testing.T) {
	t.Parallel()
	s := newStage(t, "fork-children=1:daemon")
	w := s.start(120, s.serverArgs()...)
	grandchild := int(w.untilEvent("child")["pid"].(float64))
	w.untilEvent("child-end")
	defer func() { _ = unix.Kill(grandchild, unix.SIGKILL) }()
	w.signal(syscall.SIGTERM)
	w.exit(0)
	if unix.Kill(grandchild, 0) != nil {
		t.Error("the grandchild is gone")
	}
}

func TestServerAttack(t *testing.T) {
	t.Parallel()
	s := newStage(t, "attack=./evil.sh")
	s.write(filepath.Join(s.project, "evil.sh"), "echo pid $CLAUDE_PID; exit 4\n")
	w := s.start(120, s.serverArgs()...)
	if code := w.untilEvent("attack")["code"].(float64); code != 4 {
		t.Errorf("code %v", code)
	}
	out := filepath.Join(s.project, "attack.out")
	if got := s.text(out); got != fmt.Sprintf("pid %d\n", w.cmd.Process.Pid) || s.text(out+".rc") != "4\n" {
		t.Errorf("output %q, rc %q", got, s.text(out+".rc"))
	}
}

func TestServerEats(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"", ":child"} {
		s := newStage(t, "eat=24M"+where)
		w := s.start(120, s.serverArgs()...)
		pid := w.cmd.Process.Pid
		if where != "" {
			pid = int(w.untilEvent("child")["pid"].(float64))
		}
		rss := regexp.MustCompile(`VmRSS:\s+(\d+) kB`)
		w.until("24 MB resident", func() bool {
			m := rss.FindStringSubmatch(s.text(fmt.Sprintf("/proc/%d/status", pid)))
			if m == nil {
				return false
			}
			kb, _ := strconv.Atoi(m[1])
			return kb > 24<<10
		})
	}
}

func TestServerFullScreen(t *testing.T) {
	t.Parallel()
	s := newStage(t, "screen=alt")
	w := s.start(120, s.serverArgs()...)
	w.untilScreen("\x1b[?1049h")
	w.untilScreen("SCREEN 40x120 draw=1")
	w.untilScreen("\x1b[40;1Hrow 040 ")
	if err := pty.Setsize(w.master, &pty.Winsize{Rows: 30, Cols: 70}); err != nil {
		t.Fatal(err)
	}
	w.untilScreen("SCREEN 30x70 draw=2")
	w.typeKeys("hello")
	w.untilScreen("typed: hello")
}

func TestServerSelfUpdate(t *testing.T) {
	t.Parallel()
	for _, how := range []string{"remove", "replace"} {
		s := newStage(t, "self-update="+how)
		own := filepath.Join(s.home, "bin", "claude")
		s.write(own, "")
		if err := copyFile(s.executable, own); err != nil {
			t.Fatal(err)
		}
		_ = os.Chmod(own, 0o755)
		before, _ := os.Stat(own)
		s.executable = own
		w := s.start(120, s.serverArgs()...)
		w.untilEvent("self-updated")
		after, err := os.Stat(own)
		if how == "remove" {
			if err == nil {
				t.Error("still there")
			}
			continue
		}
		if os.SameFile(before, after) {
			t.Error("not replaced")
		}
		if out, _, _ := s.run("--version"); out != "2.1.331 (Claude Code)\n" {
			t.Errorf("version %q", out)
		}
	}
}

func TestServerLockHeld(t *testing.T) {
	t.Parallel()
	s := newStage(t, "lock-held")
	w := s.start(120, s.serverArgs()...)
	w.until("the lock directory", func() bool {
		info, err := os.Stat(filepath.Join(s.home, ".claude.json.lock"))
		temporary, _ := filepath.Glob(filepath.Join(s.home, ".claude.json.tmp.*"))
		return err == nil && info.IsDir() && len(temporary) == 1 && s.text(filepath.Join(s.home, ".claude.json")) != ""
	})
}

func TestServerEnvironmentIDChanges(t *testing.T) {
	t.Parallel()
	s := newStage(t, "env-id-change\nexit-after-ready=0")
	s.run(s.serverArgs()...)
	s.run(s.serverArgs()...)
	ids := map[string]bool{}
	for _, e := range s.events() {
		if e["event"] == "ready" {
			ids[e["environment"].(string)] = true
		}
	}
	if len(ids) != 2 {
		t.Errorf("ids %v", ids)
	}
}

func TestServerReopensItsDebugFile(t *testing.T) {
	t.Parallel()
	s := newStage(t, "debug-reopen\npoll=1")
	w := s.start(120, s.serverArgs()...)
	w.untilDebug("Starting poll loop")
	if err := os.Rename(s.debug, s.debug+".1"); err != nil {
		t.Fatal(err)
	}
	w.untilDebug("consecutive empty polls")
}
