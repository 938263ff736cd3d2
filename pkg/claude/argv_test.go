package claude

import (
	"strings"
	"testing"

	"clauster/pkg/bridge"
)

func TestArgv(t *testing.T) {
	const uuid = "7d4df7a3-0000-4000-8000-0123456789ab"
	tests := []struct {
		name string
		l    Launch
		want string // joined by |
	}{
		{"standard, everything",
			Launch{Mode: bridge.Standard, Spawn: bridge.SameDir, Permission: bridge.PermPlan, Name: "my name", DebugFile: "/d", Prefix: "p", Capacity: 4, Verbose: true},
			"remote-control|--name|my name|--debug-file|/d|--spawn|same-dir|--permission-mode|plan|--remote-control-session-name-prefix|p|--capacity|4|--verbose"},
		{"standard, worktree, inherit",
			Launch{Mode: bridge.Standard, Spawn: bridge.Worktree, Permission: bridge.PermInherit, Name: "n", DebugFile: "/d", Capacity: 32},
			"remote-control|--name|n|--debug-file|/d|--spawn|worktree|--capacity|32"},
		{"session takes neither prefix nor capacity",
			Launch{Mode: bridge.Standard, Spawn: bridge.Session, Permission: bridge.PermDefault, Name: "n", DebugFile: "/d", Prefix: "p", Capacity: 4},
			"remote-control|--name|n|--debug-file|/d|--spawn|session|--permission-mode|default"},
		{"spawn is always passed",
			Launch{Mode: bridge.Standard, Name: "n", DebugFile: "/d"},
			"remote-control|--name|n|--debug-file|/d|--spawn|same-dir"},
		{"standard resumes without a flag",
			Launch{Mode: bridge.Standard, Spawn: bridge.SameDir, Name: "n", DebugFile: "/d", Continue: true, Resume: uuid, Worktree: "w"},
			"remote-control|--name|n|--debug-file|/d|--spawn|same-dir"},
		{"pty",
			Launch{Mode: bridge.PTY, Name: "n", DebugFile: "/d", Permission: bridge.PermBypass, Prefix: "p", Capacity: 3, Verbose: true},
			"--remote-control|n|--debug-file|/d|--permission-mode|bypassPermissions"},
		{"pty, worktree, continue",
			Launch{Mode: bridge.PTY, Name: "n", DebugFile: "/d", Worktree: "clauster-1", Continue: true},
			"--remote-control|n|--debug-file|/d|--worktree|clauster-1|--continue"},
		{"pty, fork",
			Launch{Mode: bridge.PTY, Name: "n", DebugFile: "/d", Resume: uuid, Continue: true},
			"--remote-control|n|--debug-file|/d|--resume|" + uuid + "|--fork-session"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := strings.Join(Argv(tt.l), "|"); got != tt.want {
				t.Errorf("got  %s\nwant %s", got, tt.want)
			}
		})
	}
}
