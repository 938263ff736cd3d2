package main

import (
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"clauster/test/realclaude"
)

// words is a screen as words with single spaces: cursor columns become
// spaces, other escapes vanish.
func words(screen string) string {
	screen = regexp.MustCompile(`\x1b\[\d*G`).ReplaceAllString(screen, " ")
	screen = regexp.MustCompile(`\x1b\][^\a]*\a|\x1b\[[0-9;?>]*[A-Za-z]|\x1b[()78].?`).ReplaceAllString(screen, "")
	return strings.Join(strings.Fields(screen), " ")
}

// TestRealDialogs holds the stand-in's dialogs against the real ones: every
// sentence ours shows is on the real screen too.
func TestRealDialogs(t *testing.T) {
	path := realclaude.Path(t)
	for name, row := range map[string]struct {
		trusted bool
		mcp     string
		more    []string
		last    string // the last words of the dialog
		texts   []string
	}{
		"trust": {last: "Esc to cancel", texts: []string{"Accessing workspace: HOME", "Quick safety check: Is this a project you created or one you trust?",
			"take a moment to review what's in this folder first. Claude Code'll be able to read, edit, and execute files here. Security guide ❯ No, exit Yes, I trust this folder Enter to confirm · Esc to cancel"}},
		"mcp": {trusted: true, mcp: `{"mcpServers":{"db":{"command":"/bin/false"}}}`, last: "Esc to cancel", texts: []string{
			"New MCP server found in this project: db MCP servers may execute code or access system resources. All tool calls require approval. Learn more in the MCP documentation.",
			"Use this MCP server Use this and all future MCP servers in this project ❯ Continue without using this MCP server Enter to confirm · Esc to cancel"}},
		"mcp several": {trusted: true, mcp: `{"mcpServers":{"db":{"command":"/bin/false"},"web":{"command":"/bin/false"}}}`, last: "Esc to reject all", texts: []string{
			"2 new MCP servers found in this project Select any you wish to enable. MCP servers may execute code",
			"[✔] db", "[✔] web Enable selected Space to select · Esc to reject all"}},
		"continue": {trusted: true, more: []string{"--continue"}, last: "continue", texts: []string{"No conversation found to continue"}},
		"resume": {trusted: true, more: []string{"--resume", "11111111-2222-4333-8444-555555555555", "--fork-session"}, last: "555555555555",
			texts: []string{"No conversation found with session ID: 11111111-2222-4333-8444-555555555555"}},
		"worktree": {trusted: true, more: []string{"--worktree", "fix"}, last: "VCS systems.",
			texts: []string{"Error: Can only use --worktree in a git repository, but HOME/projects/blog is not a git repository. Configure a WorktreeCreate hook to use --worktree with other VCS systems."}},
		"prompt": {trusted: true, last: "/login", texts: []string{"Claude Code v2.1.330", "⏵⏵ auto mode on", "Not logged in · run /login"}},
	} {
		for kind, executable := range map[string]string{"real": path, "fake": binary(t)} {
			t.Run(kind+" "+name, func(t *testing.T) {
				s := newStage(t, "")
				s.write(filepath.Join(s.home, ".fakeclaude"), "login=out\nscale=0.1\n")
				projects := ""
				if row.trusted {
					projects = `,"projects":{"` + s.project + `":{"hasTrustDialogAccepted":true}}`
				}
				s.write(filepath.Join(s.home, ".claude.json"), `{"hasCompletedOnboarding":true`+projects+`}`)
				if row.mcp != "" {
					s.write(filepath.Join(s.project, ".mcp.json"), row.mcp)
				}
				s.executable = executable
				s.env = []string{"DISABLE_AUTOUPDATER=1"}
				w := s.start(200, append([]string{"--remote-control", "demo"}, row.more...)...)
				seen := func() string { return strings.ReplaceAll(words(w.screen()), s.home, "HOME") }
				w.until("the end of the dialog", func() bool { return strings.Contains(seen(), row.last) })
				for _, text := range row.texts {
					if !strings.Contains(seen(), text) {
						t.Errorf("no %q in %q", text, seen())
					}
				}
			})
		}
	}
}
