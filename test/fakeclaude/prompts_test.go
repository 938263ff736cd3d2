package main

import (
	"path/filepath"
	"strings"
	"testing"
)

func (s *stage) config() string { return s.text(filepath.Join(s.home, ".claude.json")) }

func TestPrompts(t *testing.T) {
	t.Parallel()
	const trustQuestion = "\x1b[2GQuick\x1b[8Gsafety\x1b[15Gcheck:"
	for name, row := range map[string]struct {
		settings string
		flag     bool
		question string
		keys     string
		exit     int    // -1: becomes ready
		saved    string // in .claude.json afterwards
		local    string // in the project's settings.local.json
	}{
		"server consent yes":   {settings: "prompt-consent", question: "Enable Remote Control? (y/n) ", keys: "y\r", exit: -1, saved: `"remoteDialogSeen": true`},
		"server consent no":    {settings: "prompt-consent", question: "Enable Remote Control? (y/n) ", keys: "n\r", exit: 1},
		"server spawn 2":       {settings: "prompt-spawn", question: "Choose [1/2] (default: 1): ", keys: "2\r", exit: -1, saved: `"remoteControlSpawnMode": "worktree"`},
		"server spawn default": {settings: "prompt-spawn", question: "Choose [1/2] (default: 1): ", keys: "\r", exit: -1, saved: `"remoteControlSpawnMode": "same-dir"`},
		"server trust":         {settings: "prompt-trust", question: trustQuestion, keys: "\x1b[B\r", exit: -1, saved: `"hasTrustDialogAccepted": true`},
		"server trust line":    {settings: "prompt-trust\ntrust-dialog=line", question: "Trust this folder? [y/N] ", keys: "y\r", exit: -1, saved: `"hasTrustDialogAccepted": true`},
		"flag trust default":   {settings: "prompt-trust", flag: true, question: trustQuestion, keys: "\r", exit: 1},
		"flag trust esc":       {settings: "prompt-trust", flag: true, question: trustQuestion, keys: "\x1b", exit: 0},
		"flag trust accepted":  {settings: "prompt-trust", flag: true, question: trustQuestion, keys: "\x1b[B\r", exit: -1, saved: `"hasTrustDialogAccepted": true`},
		"flag untrusted":       {settings: "crash-at-start=untrusted", flag: true, question: trustQuestion, keys: "\r", exit: 1},
		"flag mcp one":         {settings: "prompt-mcp=db", flag: true, question: "project:\x1b[41Gdb", keys: "\x1b[A\x1b[A\r", exit: -1, local: `"enabledMcpjsonServers": [`},
		"flag mcp future":      {settings: "prompt-mcp=db", flag: true, question: "project:\x1b[41Gdb", keys: "\x1b[A\r", exit: -1, local: `"enableAllProjectMcpServers": true`},
		"flag mcp none":        {settings: "prompt-mcp=db", flag: true, question: "\x1b[3G❯\x1b[5GContinue\x1b[14Gwithout", keys: "\r", exit: -1, local: `"disabledMcpjsonServers": [`},
		"flag mcp old":         {settings: "prompt-mcp=db\nmcp-text=old", flag: true, question: ".mcp.json:\x1b[38Gdb", keys: "\r", exit: -1, local: `"enableAllProjectMcpServers": true`},
		"flag mcp several":     {settings: "prompt-mcp=db+web", flag: true, question: "2\x1b[5Gnew\x1b[9GMCP\x1b[13Gservers", keys: " \x1b[B\x1b[B\r", exit: -1, local: "\"disabledMcpjsonServers\": [\n    \"db\"\n  ],\n  \"enabledMcpjsonServers\": [\n    \"web\""},
		"flag bypass no":       {settings: "prompt-bypass", flag: true, question: "WARNING:\x1b[12GClaude\x1b[19GCode\x1b[24Grunning", keys: "\r", exit: 1},
		"flag bypass yes":      {settings: "prompt-bypass", flag: true, question: "Yes,\x1b[10GI\x1b[12Gaccept", keys: "\x1b[B\r", exit: -1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, row.settings)
			args := s.serverArgs()
			if row.flag {
				args = s.flagArgs()
			}
			w := s.start(120, args...)
			w.untilScreen(row.question)
			w.untilEvent("prompt")
			w.typeKeys(row.keys)
			if row.exit >= 0 {
				w.exit(row.exit)
			} else {
				w.untilEvent("ready")
			}
			if row.saved != "" && !strings.Contains(s.config(), row.saved) {
				t.Errorf("saved %s", s.config())
			}
			if local := s.text(filepath.Join(s.project, ".claude", "settings.local.json")); !strings.Contains(local, row.local) {
				t.Errorf("saved %s", local)
			}
		})
	}
}

func TestCtrlCTwiceLeavesTheTrustDialog(t *testing.T) {
	t.Parallel()
	s := newStage(t, "prompt-trust")
	w := s.start(120, s.flagArgs()...)
	w.untilEvent("prompt")
	w.typeKeys("\x03")
	w.typeKeys("\x03")
	w.exit(1)
}

func TestPromptsWithoutTerminal(t *testing.T) {
	t.Parallel()
	s := newStage(t, "trust=no")
	_, stderr, code := s.run(s.serverArgs()...)
	if code != 1 || !strings.HasPrefix(stderr, "Error: Workspace not trusted. Please run `claude` in "+s.project+" first") {
		t.Errorf("exit %d, %q", code, stderr)
	}
	s = newStage(t, "consent=no")
	stdout, _, code := s.run(s.serverArgs()...) // /dev/null: the end of input
	if code != 1 || !strings.HasSuffix(stdout, "Enable Remote Control? (y/n) ") {
		t.Errorf("exit %d, %q", code, stdout)
	}
}

// TestTrustIsInherited holds what was measured on 2.1.330 (claude-cli.md §4).
func TestTrustIsInherited(t *testing.T) {
	t.Parallel()
	s := newStage(t, "trust=file\nexit-after-ready=0")
	s.write(filepath.Join(s.home, ".claude.json"), `{"projects":{"`+filepath.Dir(s.project)+`":{"hasTrustDialogAccepted":true}}}`)
	if _, _, code := s.run(s.serverArgs()...); code != 0 {
		t.Error("a plain sub-directory is not trusted")
	}
	s.write(filepath.Join(s.project, ".git", "HEAD"), "ref: refs/heads/main\n")
	if _, _, code := s.run(s.serverArgs()...); code != 1 {
		t.Error("a nested repository is trusted")
	}
	s.write(filepath.Join(s.home, ".claude.json"), `{"projects":{"`+s.project+`":{"hasTrustDialogAccepted":true}}}`)
	stdout, _, code := s.run(s.serverArgs()...)
	if code != 0 || !strings.Contains(stdout, "Connected · blog · main") {
		t.Errorf("the repository's own key does not count: %q", stdout)
	}
}

func TestSpawnQuestionInAGitDirectory(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	s.write(filepath.Join(s.project, ".git", "HEAD"), "ref: refs/heads/main\n")
	w := s.start(120, "remote-control", "--debug-file", s.debug)
	w.untilScreen("Spawn mode for this project:")
	w.typeKeys("2\r")
	w.untilDebug("spawnMode=worktree")
}

func TestMCPFileAsks(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	s.write(filepath.Join(s.project, ".mcp.json"), `{"mcpServers":{"db":{"command":"db"}}}`)
	w := s.start(120, s.flagArgs()...)
	w.untilScreen("New\x1b[7GMCP\x1b[11Gserver\x1b[18Gfound")
	w.typeKeys("\r")
	w.untilEvent("ready")
	w.typeKeys("/exit\r")
	w.exit(0)
	again := s.start(120, s.flagArgs()...)
	again.untilScreen("/rc active")
}

func TestConfigLock(t *testing.T) {
	t.Parallel()
	s := newStage(t, "prompt-consent")
	s.write(filepath.Join(s.home, ".claude.json"), `{"foreign":{"number":12345678901234567890}}`)
	s.write(filepath.Join(s.home, ".claude.json.lock"), "a flat file, as clauster once made it")
	w := s.start(120, s.serverArgs()...)
	w.untilScreen("(y/n) ")
	w.typeKeys("y\r")
	w.untilDebug("Failed to save config with lock: Error: Lock file is already being held")
	w.untilEvent("ready")
	if got := s.config(); !strings.Contains(got, "12345678901234567890") || !strings.Contains(got, "remoteDialogSeen") {
		t.Errorf("config %s", got)
	}
}
