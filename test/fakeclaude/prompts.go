package main

import (
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strings"
	"time"
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
			return strings.TrimSpace(line[:i]), true
		}
	}
}

// nextChunk is the next input, false at its end or at the end of life.
func (b *bridge) nextChunk() ([]byte, bool) {
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

// place writes each word at its column, as the TUI does, so that a reader
// which merely strips escapes sees words run together (claude-cli.md §4).
func place(line string) string {
	var b strings.Builder
	column := 1
	for i, word := range strings.Split(line, " ") {
		if word != "" {
			if i > 0 {
				fmt.Fprintf(&b, "\x1b[%dG", column)
			}
			b.WriteString(word)
		}
		column += len([]rune(word)) + 1
	}
	return b.String()
}

// fold breaks a line between words at width columns.
func fold(line string, width int) []string {
	var rows []string
	for width > 0 && len([]rune(line)) > width {
		cut := strings.LastIndex(string([]rune(line)[:width+1]), " ")
		if cut <= 0 {
			break
		}
		rows = append(rows, line[:cut])
		line = line[cut+1:]
	}
	return append(rows, line)
}

// placed folds and places lines for the width of the terminal.
func placed(lines ...string) (rows []string) {
	_, width := windowSize(1)
	for _, line := range lines {
		for _, row := range fold(line, width) {
			rows = append(rows, place(row))
		}
	}
	return rows
}

// keysOf takes input apart into keys: bytes and three-byte arrow sequences.
func keysOf(chunk []byte) (keys []string) {
	for len(chunk) > 0 {
		n := 1
		if len(chunk) >= 3 && chunk[0] == 0x1b && (chunk[1] == '[' || chunk[1] == 'O') {
			n = 3
		}
		keys = append(keys, string(chunk[:n]))
		chunk = chunk[n:]
	}
	return keys
}

// choose draws a list with a cursor until Enter, and returns the choice, or
// -1 for Esc and -2 for Ctrl-C twice or the end of input.
func (b *bridge) choose(before []string, options []string, after string, at int) int {
	defer rawInput(0)()
	interrupts := 0
	for {
		lines := append([]string{}, before...)
		for i, option := range options {
			mark := "  "
			if i == at {
				mark = "❯ "
			}
			lines = append(lines, mark+option)
		}
		b.screen.draw(placed(append(lines, "", after)...))
		chunk, ok := b.nextChunk()
		if !ok {
			return -2
		}
		for _, key := range keysOf(chunk) {
			switch key {
			case "\x1b":
				return -1
			case "\r", "\n":
				return at
			case "\x1b[B", "\x1bOB", "j":
				at = min(at+1, len(options)-1)
			case "\x1b[A", "\x1bOA", "k":
				at = max(at-1, 0)
			case "\x03":
				if interrupts++; interrupts == 2 {
					return -2
				}
			default:
				if n := int(key[0]) - '1'; n >= 0 && n < len(options) {
					return n
				}
			}
		}
	}
}

// trustDialog is the dialog of claude-cli.md §4 with its exit codes.
func (b *bridge) trustDialog() bool {
	b.rec.event("prompt", "question", "trust")
	choice := b.choose([]string{
		"Accessing workspace:", "", b.places.cwd, "",
		"Quick safety check: Is this a project you created or one you trust? (Like your own code, a well-known open source project, or work from your team). If not, take a moment to review what's in this folder first.", "",
		"Claude Code'll be able to read, edit, and execute files here.", "",
	}, []string{"No, exit", "Yes, I trust this folder"}, "Enter to confirm · Esc to cancel", 0)
	switch choice {
	case 1:
		b.screen.draw(nil)
		b.config.saveProject("hasTrustDialogAccepted", true)
		return true
	case -1:
		b.finish(outcome{code: 0})
	default:
		b.hangUp(1)
	}
	return false
}

// hangUp ends a dialog: a closed terminal exits 0, whatever else with code.
func (b *bridge) hangUp(code int) {
	if hungUp(0) {
		if b.set.on("hang-on-all") {
			return
		}
		code = 0
	}
	b.pause(b.set.scaled(50 * time.Millisecond))
	b.finish(outcome{code: code})
}

// passMCP asks about servers of .mcp.json that nobody approved. The text is a
// public terminal capture of 2.1.112; for several servers at once, what
// another supervisor's tests quote.
func (b *bridge) passMCP() bool {
	names := b.newServers()
	if len(names) == 0 {
		return true
	}
	b.rec.event("prompt", "question", "mcp")
	const warning = "MCP servers may execute code or access system resources. All tool calls require approval. Learn more in the MCP documentation."
	choice := 0
	if len(names) == 1 {
		choice = b.choose([]string{strings.Repeat("─", 80), "New MCP server found in .mcp.json: " + names[0], "", warning, ""},
			[]string{"1. Use this and all future MCP servers in this project", "2. Use this MCP server", "3. Continue without using this MCP server"},
			"Enter to confirm · Esc to cancel", 0)
	} else {
		var options []string
		for _, name := range names {
			options = append(options, "[✔] "+name)
		}
		choice = b.choose([]string{fmt.Sprintf("%d new MCP servers found in .mcp.json", len(names)), "Select any you wish to enable.", "", warning, ""},
			options, "Space to select · Enter to confirm · Esc to reject all", 0)
		choice = min(choice, 1)
	}
	if choice == -2 {
		b.hangUp(1)
		return false
	}
	key := "enabledMcpjsonServers"
	if choice == 2 || choice == -1 {
		key = "disabledMcpjsonServers"
	}
	b.screen.draw(nil)
	b.config.saveProject(key, names)
	return true
}

// newServers are the names in .mcp.json without an answer yet.
func (b *bridge) newServers() []string {
	if b.set.on("prompt-mcp") {
		if name := b.set.str("prompt-mcp", ""); name != "" {
			return strings.Split(name, "+")
		}
		return []string{"demo"}
	}
	text, err := os.ReadFile(filepath.Join(b.places.cwd, ".mcp.json"))
	if err != nil || b.set.str("mcp", "file") == "never" {
		return nil
	}
	file, _ := decodeObject(text)
	servers, _ := file["mcpServers"].(map[string]any)
	project := b.config.project(b.places.cwd)
	known := fmt.Sprint(project["enabledMcpjsonServers"], project["disabledMcpjsonServers"])
	var names []string
	for name := range servers {
		if !strings.Contains(known, name) {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}
