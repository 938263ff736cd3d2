package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// entry is the session file of a running interactive form.
func (w *show) entry() (e registryEntry) {
	_ = json.Unmarshal([]byte(w.text(filepath.Join(w.home, ".claude", "sessions", fmt.Sprintf("%d.json", w.cmd.Process.Pid)))), &e)
	return e
}

func TestFlagReady(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	w := s.start(120, s.flagArgs()...)
	w.untilDebug("[remote-bridge] Created session cse_")
	w.untilDebug("handleStateChange state=connected")
	w.untilScreen("/rc active")
	e := w.entry()
	if e.PID != w.cmd.Process.Pid || e.ProcStart != processStart(e.PID) || !strings.HasPrefix(e.BridgeSessionID, "session_") || e.Name != "blog" {
		t.Errorf("entry %+v", e)
	}
	screen := w.screen()
	for _, want := range []string{"\x1b]0;✳ Claude Code\a", "\x1b[?2004h", "\x1b[>0q", "\x1b]8;;https://claude.ai/code/" + e.BridgeSessionID, "\x1b[3G⏵⏵\x1b[6Gauto\x1b[11Gmode\x1b[16Gon"} {
		if !strings.Contains(screen, want) {
			t.Errorf("screen lacks %q", want)
		}
	}
	if strings.Contains(s.text(s.debug), "[bridge:init]") || s.text(s.pointerFile()) != "" {
		t.Error("traces of the server form")
	}
	out, _, code := s.run("agents", "--json")
	var agents []map[string]any
	if err := json.Unmarshal([]byte(out), &agents); err != nil || code != 0 || len(agents) != 1 || agents[0]["status"] != "idle" {
		t.Errorf("agents: exit %d, %s", code, out)
	}
	w.signal(syscall.SIGTERM)
	w.exit(143)
	if left, _ := filepath.Glob(filepath.Join(s.home, ".claude", "sessions", "*")); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestFlagModes(t *testing.T) {
	t.Parallel()
	const lives = 999
	for _, row := range []struct {
		settings      string
		more          []string
		debug, screen string
		exit          int
		not           string
	}{
		{settings: "slow-ready=3", debug: "state=connected", exit: lives},
		{settings: "never-ready", screen: "connecting…", exit: lives, not: "state=connected"},
		{settings: "flag-not-logged-in", debug: "--rc flag ignored.", screen: "Not logged in · run /login", exit: lives, not: "state=connected"},
		{settings: "login=out", debug: "Remote Control requires a claude.ai subscription.", screen: "Not logged in", exit: lives},
		{settings: "crash-at-start=policy", debug: "disabled by your organization's policy --rc flag ignored.", screen: "/rc failed", exit: lives},
		{settings: "crash-at-start=corrupt-config", screen: "Configuration error in", exit: 1},
		{settings: "flag-init-failed", debug: "attempt 3/3", screen: "/rc failed", exit: lives, not: "state=connected"},
		{settings: "url=printed", screen: "\x1b[20Gactive", exit: lives},
		{settings: "url=both", screen: "https://claude.ai/code/session_", exit: lives},
		{settings: "crash-after=1:signal=9", exit: -9},
		{settings: "crash-after=1:0", exit: 0},
		{settings: "exit=4", exit: 4},
		{settings: "exit-after-ready=5", debug: "state=connected", exit: 5},
		{settings: "signal-before-ready=9", exit: -9},
		{settings: "reconnect-after=1:for=1", debug: "state=disconnected", screen: "/rc reconnecting", exit: lives},
		{settings: "giveup-after=1", screen: "/rc reconnecting", exit: lives},
		{settings: "529", screen: "Repeated 529", exit: lives},
		{settings: "onboarding=file", screen: "Unable to connect to Anthropic services", exit: 1},
		{settings: "continue=no", more: []string{"--continue"}, screen: "No conversation found to continue", exit: 1},
		{settings: "", more: []string{"--continue"}, screen: "No conversation found to continue", exit: 1},
		{settings: "", more: []string{"--resume", "f00", "--fork-session"}, screen: "No conversation found with session ID: f00", exit: 1},
		{settings: "continue=yes", more: []string{"-c"}, debug: "Reattaching to session cse_", exit: lives},
		{settings: "screen", screen: "SCREEN 40x120 draw=1", exit: lives},
		{settings: "count=500", screen: "#00000100\r\n", exit: lives},
	} {
		t.Run(row.settings+strings.Join(row.more, " "), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, row.settings)
			w := s.start(120, s.flagArgs(row.more...)...)
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

// TestFlagSignals is the table of claude-cli.md §6, at the trust dialog and at
// the prompt.
func TestFlagSignals(t *testing.T) {
	t.Parallel()
	for _, settings := range []string{"", "prompt-trust"} {
		for sig, code := range map[syscall.Signal]int{syscall.SIGTERM: 143, syscall.SIGINT: 0, syscall.SIGHUP: 129, syscall.SIGQUIT: -3} {
			t.Run(settings+sig.String(), func(t *testing.T) {
				t.Parallel()
				s := newStage(t, settings)
				w := s.start(120, s.flagArgs()...)
				if settings == "" {
					w.untilEvent("ready")
				} else {
					w.untilEvent("prompt")
				}
				w.signal(sig)
				w.exit(code)
			})
		}
	}
	t.Run("closed terminal", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, "")
		w := s.start(120, s.flagArgs()...)
		w.untilEvent("ready")
		_ = w.master.Close()
		w.exit(0)
	})
	t.Run("two INT", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, "sigint-needs-two")
		w := s.start(120, s.flagArgs()...)
		w.untilEvent("ready")
		w.signal(syscall.SIGINT)
		w.untilScreen("Press Ctrl-C again to exit")
		w.signal(syscall.SIGINT)
		w.exit(0)
	})
	t.Run("killed", func(t *testing.T) {
		t.Parallel()
		s := newStage(t, "")
		w := s.start(120, s.flagArgs()...)
		w.untilEvent("ready")
		w.signal(syscall.SIGKILL)
		w.exit(-9)
		if left, _ := filepath.Glob(filepath.Join(s.home, ".claude", "sessions", "*")); len(left) != 2 {
			t.Errorf("left behind: %v", left)
		}
	})
}

func TestFlagTyping(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	s.write(filepath.Join(s.home, ".claude", "settings.json"),
		`{"hooks":{"SessionEnd":[{"hooks":[{"type":"command","command":"cat >end.json"}]}],"UserPromptSubmit":[{"hooks":[{"type":"command","command":"cat >prompt.json"}]}]}}`)
	w := s.start(120, s.flagArgs()...)
	w.untilEvent("ready")
	w.typeKeys("hi there\r")
	w.untilScreen("●\x1b[3Gecho:\x1b[9Ghi\x1b[12Gthere")
	transcripts, _ := filepath.Glob(filepath.Join(findPlaces(s.home, s.project).projectDir(), "*.jsonl"))
	if len(transcripts) != 1 || !strings.Contains(s.text(transcripts[0]), `"type":"bridge-session"`) {
		t.Fatalf("transcripts %v", transcripts)
	}
	w.typeKeys("\x03")
	w.untilScreen("Ctrl-C\x1b[16Gagain")
	w.typeKeys("/exit\r")
	w.exit(0)
	if !regexp.MustCompile(`Resume this session with:\r\nclaude --remote-control blog --resume [0-9a-f-]{36}\r\n`).MatchString(w.screen()) {
		t.Errorf("farewell %q", tail(w.screen()))
	}
	if !strings.Contains(s.text(filepath.Join(s.project, "end.json")), `"reason":"prompt_input_exit"`) ||
		!strings.Contains(s.text(filepath.Join(s.project, "prompt.json")), `"prompt":"hi there"`) {
		t.Error("hooks did not run")
	}

	again := s.start(120, s.flagArgs("--continue")...)
	again.untilScreen("/rc active")
	if id := again.entry().SessionID; !strings.Contains(transcripts[0], id) {
		t.Errorf("continued %s, not %s", id, transcripts[0])
	}
	again.typeKeys("\x03")
	again.typeKeys("\x03")
	again.exit(0)
}

func TestFlagWorktree(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	bare := s.start(120, s.flagArgs("--worktree", "fix")...)
	bare.untilScreen("Can only use --worktree in a git repository, but " + s.project)
	bare.exit(1)
	s.write(filepath.Join(s.project, ".git", "HEAD"), "ref: refs/heads/main\n")
	w := s.start(120, s.flagArgs("--worktree", "fix")...)
	w.untilScreen("/rc active")
	if got := w.entry().CWD; got != filepath.Join(s.project, ".claude", "worktrees", "fix") {
		t.Errorf("cwd %s", got)
	}
}

func TestFlagStatus(t *testing.T) {
	t.Parallel()
	s := newStage(t, "session-status=waiting")
	w := s.start(120, s.flagArgs()...)
	w.untilScreen("/rc active")
	out, _, _ := s.run("agents", "--json")
	if !strings.Contains(out, `"status": "waiting"`) || !strings.Contains(out, `"waitingFor": "permission prompt"`) {
		t.Errorf("agents: %s", out)
	}
}

func TestFlagWithoutTerminal(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	_, stderr, code := s.run(s.flagArgs()[:1]...)
	if code != 1 || stderr != "Error: Input must be provided either through stdin or as a prompt argument when using --print\n" {
		t.Errorf("exit %d, %q", code, stderr)
	}
}

func TestReadmeNamesEveryKey(t *testing.T) {
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	for key := range keys() {
		if !regexp.MustCompile("(?m)^\\| `" + regexp.QuoteMeta(key) + `[\x60=\[]`).Match(readme) {
			t.Errorf("README.md has no row for %q", key)
		}
	}
	for reason := range failures() {
		if !strings.Contains(string(readme), "`"+reason+"`") {
			t.Errorf("README.md does not name the reason %q", reason)
		}
	}
}
