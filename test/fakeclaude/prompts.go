package main

import (
	"os"
	"path/filepath"
	"strings"
)

// agreement resolves a key that is file, yes or no, with a mode that forces
// the question.
func (b *bridge) agreement(key, forcing string, file func() bool) bool {
	if b.set.on(forcing) {
		return false
	}
	switch b.set.str(key, "file") {
	case "yes":
		return true
	case "no":
		return false
	}
	return file()
}

// passTrust: an error without a terminal, a dialog with one (§10.7).
func (s *server) passTrust() bool {
	if s.agreement("trust", "prompt-trust", s.config.trusted) {
		return true
	}
	if !isTerminal(0) && !s.set.on("prompt-trust") {
		s.finish(s.refuse(failures()["untrusted"].text))
		return false
	}
	if s.set.str("trust-dialog", "dialog") == "line" {
		// What another supervisor's tests quote for the server form (§10.7.3 [3P]).
		yes := s.ask("Trust this folder? [y/N] ", "y", "yes")
		if yes {
			s.config.saveProject("hasTrustDialogAccepted", true)
		} else {
			s.finish(outcome{code: 1})
		}
		return yes
	}
	return s.trustDialog()
}

// consentText is the question of §10.7.1; the sentences before the question
// as a public test fixture of another supervisor captured them.
const consentText = "\nTake this session with you and pick up right where you left off on any device.\n" +
	"Open the Code tab in the Claude mobile app, or visit claude.ai/code in a browser.\n\n" +
	"The session keeps running on this machine. Use your other devices as a remote\n" +
	"control. Press Ctrl+C to stop.\n\n"

func (s *server) passConsent() bool {
	if s.agreement("consent", "prompt-consent", func() bool { return s.config.flagSet("remoteDialogSeen") }) {
		return true
	}
	s.screen.write([]byte(consentText))
	if !s.ask("Enable Remote Control? (y/n) ", "y", "yes") {
		s.finish(outcome{code: 1})
		return false
	}
	s.config.save(func(v map[string]any) { v["remoteDialogSeen"] = true; v["hasUsedRemoteControl"] = true })
	return true
}

// spawnText is the question of §10.7.2 as quoted in issue #86327.
const spawnText = "\nSpawn mode for this project:\n" +
	"  [1] same-dir — sessions share the current directory (default)\n" +
	"  [2] worktree — each session gets an isolated git worktree\n\n" +
	"This can be changed later or explicitly set with --spawn=same-dir or --spawn=worktree.\n\n"

func (s *server) passSpawn() bool {
	if !s.set.on("prompt-spawn") {
		_, err := os.Stat(filepath.Join(s.places.cwd, ".git"))
		saved, _ := s.config.project(s.places.cwd)["remoteControlSpawnMode"].(string)
		if s.spawn != "" || err != nil || saved != "" || !isTerminal(0) ||
			s.flags.on("--continue") || s.flags.on("--session-id") || s.set.str("spawn-question", "file") == "never" {
			return true
		}
	}
	s.screen.write([]byte(spawnText))
	answer, ok := s.answer("Choose [1/2] (default: 1): ")
	if !ok {
		return false
	}
	s.spawn = "same-dir"
	if answer == "2" {
		s.spawn = "worktree"
	}
	s.config.saveProject("remoteControlSpawnMode", s.spawn)
	return true
}

// ask puts a question and tells whether the answer was one of yes.
func (b *bridge) ask(question string, yes ...string) bool {
	answer, ok := b.answer(question)
	for _, y := range yes {
		if ok && strings.EqualFold(answer, y) {
			return true
		}
	}
	return false
}

// answer reads a line; without one (EOF) the process ends with 1, else it
// waits for ever.
func (b *bridge) answer(question string) (string, bool) {
	b.screen.write([]byte(question))
	b.rec.event("prompt", "question", strings.TrimSpace(question))
	line := ""
	for {
		chunk, ok := b.nextChunk()
		if !ok {
			b.finish(outcome{code: 1})
			return "", false
		}
		line += string(chunk)
		if i := strings.IndexAny(line, "\r\n"); i >= 0 {
			b.ahead = []byte(line[i+1:])
			return strings.TrimSpace(line[:i]), true
		}
	}
}

// nextChunk is the next input, false at its end or at the end of life.
func (b *bridge) nextChunk() ([]byte, bool) {
	if ahead := b.ahead; len(ahead) > 0 {
		b.ahead = nil
		return ahead, true
	}
	if b.stdin == nil {
		b.stdin = readInput()
	}
	select {
	case chunk, ok := <-b.stdin.chunks:
		return chunk, ok
	case <-b.over:
		return nil, false
	}
}
