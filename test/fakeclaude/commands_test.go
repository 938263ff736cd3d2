package main

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestCommands(t *testing.T) {
	t.Parallel()
	for name, row := range map[string]struct {
		settings       string
		args           []string
		env            string
		stdout, stderr string
		code           int
	}{
		"version":          {args: []string{"--version"}, stdout: "2.1.330 (Claude Code)\n"},
		"version -v":       {args: []string{"-v"}, stdout: "2.1.330 (Claude Code)\n"},
		"version set":      {settings: "version=garbage, not a number", args: []string{"--version"}, stdout: "garbage, not a number\n"},
		"version slow":     {settings: "version-delay=15\nversion-exit=3", args: []string{"--version"}, stdout: "2.1.330 (Claude Code)\n", code: 3},
		"help":             {args: []string{"--help"}, stdout: "Usage: claude [options] [command] [prompt]\n"},
		"rc help":          {settings: "login=out", args: []string{"rc", "--help"}, stdout: "\nRemote Control"},
		"unknown option":   {args: []string{"--bogus-flag"}, stderr: "error: unknown option '--bogus-flag'\n", code: 1},
		"unknown command":  {args: []string{"bogus"}, stderr: "error: unknown command 'bogus'\n", code: 1},
		"auth unknown":     {args: []string{"auth", "bogus"}, stderr: "error: unknown command 'bogus'\n(Did you mean logout?)\n", code: 1},
		"auth text":        {settings: "login=out", args: []string{"auth", "status", "--text"}, stdout: "Not logged in. Run claude auth login to authenticate.\n", code: 1},
		"auth garbage":     {settings: "login=garbage", args: []string{"auth", "status"}, stdout: "<html>502 Bad Gateway</html>\n"},
		"auth crash":       {settings: "login=crash", args: []string{"auth", "status"}, code: -11},
		"auth slow":        {settings: "login=slow", args: []string{"auth", "status"}, stdout: "{\n  \"loggedIn\": true,\n"},
		"auth token":       {args: []string{"auth", "status"}, env: "CLAUDE_CODE_OAUTH_TOKEN=x", stdout: "{\n  \"loggedIn\": true,\n  \"authMethod\": \"oauth_token\",\n  \"apiProvider\": \"firstParty\",\n  \"analyticsDisabled\""},
		"auth key":         {args: []string{"auth", "status"}, env: "ANTHROPIC_API_KEY=x", stdout: "{\n  \"loggedIn\": true,\n  \"authMethod\": \"api_key\",\n  \"apiProvider\": \"firstParty\",\n  \"apiKeySource\""},
		"auth bedrock":     {settings: "login=bedrock", args: []string{"auth", "status"}, stdout: "{\n  \"loggedIn\": true,\n  \"authMethod\": \"third_party\",\n  \"apiProvider\": \"bedrock\""},
		"doctor out":       {settings: "login=out", args: []string{"doctor"}, stdout: "Running: npm-global (2.1.330)\n"},
		"mcp list":         {args: []string{"mcp", "list"}, stdout: "No MCP servers configured."},
		"agents":           {args: []string{"agents", "--json"}, stdout: "[]\n"},
		"print":            {args: []string{"-p", "hi"}, stdout: "echo: hi\n"},
		"print logged out": {settings: "login=out", args: []string{"-p", "hi"}, stdout: "Not logged in · Please run /login\n", code: 1},
		"login first":      {settings: "login=out", args: []string{"remote-control", "--nonsense"}, stderr: "Error: You must be logged in to use Remote Control.\n\nRemote Control is only available", code: 1},
		"then arguments":   {args: []string{"remote-control", "--nonsense"}, stderr: "error: unknown option '--nonsense'\n", code: 1},
		"bad spawn":        {args: []string{"remote-control", "--spawn=nope"}, stderr: "error: option '--spawn <mode>' argument 'nope'", code: 1},
		"bad capacity":     {args: []string{"remote-control", "--capacity", "abc"}, stderr: "error: option '--capacity <N>'", code: 1},
		"token kind":       {args: []string{"remote-control"}, env: "CLAUDE_CODE_OAUTH_TOKEN=x", stderr: "Error: Remote Control requires a full-scope login token.", code: 1},
		"telemetry off":    {args: []string{"remote-control"}, env: "DO_NOT_TRACK=1", stderr: "Error: Remote Control requires feature-flag evaluation, but DO_NOT_TRACK is set", code: 1},
		"base url":         {args: []string{"remote-control"}, env: "ANTHROPIC_BASE_URL=http://x", stderr: "Error: Remote Control is only available when using Claude via api.anthropic.com. ANTHROPIC_BASE_URL is set", code: 1},
		"unknown key":      {settings: "never-redy", args: []string{"--version"}, stderr: `fakeclaude: unknown key "never-redy"`, code: 64},
		"mode by variable": {settings: "exit=3", args: []string{"remote-control"}, env: "FAKECLAUDE_MODE=crash-at-start=gate", stderr: "Error: Remote Control isn't enabled for this account\n", code: 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t, row.settings)
			if row.env != "" {
				s.env = []string{row.env}
			}
			stdout, stderr, code := s.run(row.args...)
			if code != row.code || !strings.HasPrefix(stdout, row.stdout) || !strings.HasPrefix(stderr, row.stderr) {
				t.Errorf("exit %d, stdout %q, stderr %q", code, stdout, stderr)
			}
		})
	}
}

// TestAuthStatusLoggedOut is the answer of 2.1.330 byte by byte (claude-cli.md §2).
func TestAuthStatusLoggedOut(t *testing.T) {
	t.Parallel()
	s := newStage(t, "login=out")
	stdout, stderr, code := s.run("auth", "status")
	want := `{
  "loggedIn": false,
  "authMethod": "none",
  "apiProvider": "firstParty",
  "analyticsDisabled": false,
  "projectsDirectory": "HOME/.claude/projects",
  "configDirectory": "HOME/.claude",
  "loginExpiresAt": null,
  "consoleProfileSignInOffered": true
}
`
	if got := strings.ReplaceAll(stdout, s.home, "HOME"); got != want || stderr != "" || code != 1 {
		t.Errorf("exit %d, stderr %q, stdout %s", code, stderr, got)
	}
}

func TestLoginExpiryFlipsAuthStatus(t *testing.T) {
	t.Parallel()
	s := newStage(t, "login-expiry=1")
	w := s.start(120, s.serverArgs()...)
	w.untilEvent("login-expired")
	stdout, _, code := s.run("auth", "status")
	var status struct {
		LoggedIn bool `json:"loggedIn"`
	}
	if err := json.Unmarshal([]byte(stdout), &status); err != nil || status.LoggedIn || code != 1 {
		t.Errorf("exit %d, %s", code, stdout)
	}
	if !w.alive() {
		t.Error("the bridge died")
	}
}

func TestLoggedOutWithDebugFlags(t *testing.T) {
	t.Parallel()
	s := newStage(t, "login=out")
	_, stderr, code := s.run(s.serverArgs()...)
	if lines := strings.Count(stderr, "\n"); code != 1 || lines != 3+22 || !strings.Contains(stderr, "account.\n[debug] Remote Control auth state:\n  isBareMode=") {
		t.Errorf("exit %d, %d lines: %s", code, lines, stderr)
	}
	if debug := s.text(s.debug); strings.Contains(debug, "logged in") || !strings.Contains(debug, "CA certs") {
		t.Errorf("debug %s", debug)
	}
}

func TestCorruptConfig(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	s.write(filepath.Join(s.home, ".claude.json"), "{broken")
	for _, args := range [][]string{{"auth", "status"}, {"remote-control"}} {
		_, stderr, code := s.run(args...)
		if code != 1 || !strings.HasPrefix(stderr, "Configuration error in "+s.home+"/.claude.json: JSON Parse error: ") {
			t.Errorf("%v: exit %d, %q", args, code, stderr)
		}
	}
	if kept, _ := filepath.Glob(filepath.Join(s.home, ".claude", "backups", ".claude.json.corrupted.*")); len(kept) == 0 {
		t.Error("no backup")
	}
}

func TestPlaceholderIsNotExecutable(t *testing.T) {
	t.Parallel()
	s := newStage(t, "")
	path := filepath.Join(s.home, "claude")
	if _, stderr, code := s.run("__write-placeholder", path); code != 0 {
		t.Fatal(stderr)
	}
	s.executable = path
	if err := s.command("--version").Start(); !errors.Is(err, syscall.ENOEXEC) {
		t.Errorf("started with %v, want ENOEXEC", err)
	}
}
