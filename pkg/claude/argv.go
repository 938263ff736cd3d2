package claude

import (
	"strconv"

	"clauster/pkg/bridge"
)

// Launch is everything that decides claude's argv. The values are settled and
// checked by package bridge (Record.Validate) before they come here.
type Launch struct {
	Mode       bridge.Mode
	Spawn      bridge.SpawnMode      // standard only: --spawn
	Permission bridge.PermissionMode // Inherit or "" passes no flag
	Name       string                // shown in claude.ai/code
	DebugFile  string                // absolute; a new path for every run, claude appends
	Prefix     string                // standard, not session: prefix of automatic session names
	Capacity   int                   // standard, not session: sessions; 0 passes no flag
	Verbose    bool                  // standard only
	Worktree   string                // pty only: --worktree
	Continue   bool                  // pty only: go on with the last conversation of the directory
	Resume     string                // pty only: fork from this session UUID; wins over Continue
}

// Argv gives claude's arguments, without argv[0].
//
// A standard bridge resumes through its pointer file and not by a flag:
// --continue and --session-id conflict with --spawn and --capacity. --spawn is
// always passed because without it claude asks for the spawn mode in a git
// directory and waits for ever.
func Argv(l Launch) []string {
	if l.Mode == bridge.PTY {
		return argvPTY(l)
	}
	spawn := l.Spawn
	if spawn == "" {
		spawn = bridge.SameDir
	}
	args := []string{"remote-control", "--name", l.Name, "--debug-file", l.DebugFile, "--spawn", string(spawn)}
	args = append(args, permissionFlag(l.Permission)...)
	if spawn != bridge.Session {
		if l.Prefix != "" {
			args = append(args, "--remote-control-session-name-prefix", l.Prefix)
		}
		if l.Capacity > 0 {
			args = append(args, "--capacity", strconv.Itoa(l.Capacity))
		}
	}
	if l.Verbose {
		args = append(args, "--verbose")
	}
	return args
}

func argvPTY(l Launch) []string {
	args := []string{"--remote-control", l.Name, "--debug-file", l.DebugFile}
	args = append(args, permissionFlag(l.Permission)...)
	if l.Worktree != "" {
		args = append(args, "--worktree", l.Worktree)
	}
	switch {
	case l.Resume != "":
		args = append(args, "--resume", l.Resume, "--fork-session")
	case l.Continue:
		args = append(args, "--continue")
	}
	return args
}

// permissionFlag leaves the flag out for Inherit: passing any value changes
// the system prompt of the session.
func permissionFlag(p bridge.PermissionMode) []string {
	if p == "" || p == bridge.PermInherit {
		return nil
	}
	return []string{"--permission-mode", string(p)}
}
