package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

// enterWorktree moves the session into <project>/.claude/worktrees/NAME on the
// branch worktree-NAME, made where it is missing and used again where it is
// not; outside a repository it is an error (2.1.330 [RAN]). Trust stays a
// question about the project.
func (f *interactive) enterWorktree() bool {
	if !f.flags.on("--worktree") {
		return true
	}
	if !readableFile(filepath.Join(f.places.cwd, ".git")) {
		complain("Error: Can only use --worktree in a git repository, but " + f.places.cwd +
			" is not a git repository. Configure a WorktreeCreate hook to use --worktree with other VCS systems.")
		f.finish(outcome{code: 1})
		return false
	}
	name := f.flags.values["--worktree"]
	if name == "" {
		name = "calm-otter-" + randomHex(2)
	}
	dir := filepath.Join(f.places.cwd, ".claude", "worktrees", name)
	if !readableFile(dir) {
		_ = exec.Command("git", "-C", f.places.cwd, "worktree", "add", "-B", "worktree-"+name, dir).Run()
	}
	_ = os.MkdirAll(dir, 0o777) // also where git is missing: the stand-in goes on
	f.places.cwd = dir
	f.rec.event("worktree", "dir", dir)
	return true
}

// resumes checks what --continue and --resume ask for. Without a transcript
// they fail with exit 1 and these texts on the screen (2.1.330 [RAN]).
func (f *interactive) resumes() bool {
	found, _ := filepath.Glob(filepath.Join(f.places.projectDir(), "*.jsonl"))
	id := f.flags.values["--resume"]
	text := ""
	switch {
	case f.set.str("continue", "file") == "yes":
	case f.set.str("continue", "file") == "no" && (f.flags.on("--continue") || id != ""), f.flags.on("--continue") && len(found) == 0:
		text = "No conversation found to continue"
	case id != "" && !readableFile(filepath.Join(f.places.projectDir(), id+".jsonl")):
		text = "No conversation found with session ID: " + id
	}
	if text != "" {
		f.pause(f.set.scaled(300 * time.Millisecond))
		f.screen.last("\x1b[95m" + text + "\x1b[39m\r")
		f.finish(outcome{code: 1})
		return false
	}
	if f.flags.on("--continue") && len(found) > 0 {
		id = strings.TrimSuffix(filepath.Base(newest(found)), ".jsonl")
	}
	if id != "" && !f.flags.on("--fork-session") {
		f.id.local = id
	}
	return true
}

// newest is the file changed last.
func newest(files []string) string {
	best, at := "", time.Time{}
	for _, file := range files {
		if info, err := os.Stat(file); err == nil && info.ModTime().After(at) {
			best, at = file, info.ModTime()
		}
	}
	return best
}

// nameOf is the name of the session: --name, else that of --remote-control,
// else derived from the directory (claude-cli.md §7).
func nameOf(p parsed, cwd string) string {
	for _, flag := range []string{"--name", "--remote-control"} {
		if name := p.values[flag]; name != "" {
			return name
		}
	}
	return fmt.Sprintf("%s-%02x", filepath.Base(cwd), os.Getpid()%256)
}
