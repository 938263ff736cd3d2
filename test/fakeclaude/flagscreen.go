package main

import (
	"fmt"
	"strings"
	"time"
)

// draw, under mu, shows the last turns, the prompt and the footer, each word
// at its column; the pill is a hyperlink (OSC 8), so its address is never
// printed.
func (f *interactive) draw() {
	_, cols := windowSize(1)
	pill := f.pill
	width := len([]rune(pill))
	if pill == "/rc active" && f.set.str("url", "pill") != "printed" {
		pill = "\x1b]8;;" + f.id.sessionLink() + "\a/rc active\x1b]8;;\a"
	}
	rule := strings.Repeat("─", cols)
	lines := []string{" ▐▛███▛█   Claude Code v" + f.versionNumber(), "▝▜█████▛▀  Opus 5.5 · Claude Max", " ▝▝  ▝▝    " + f.places.cwd, ""}
	lines = append(lines, f.history[max(0, len(f.history)-6):]...)
	lines = placed(append(lines, rule)...)
	lines = append(lines, "❯\u00a0"+f.line+"\x1b[7m \x1b[27m", rule)
	lines = append(lines, fmt.Sprintf("%s\x1b[%dG%s", place("  "+f.permissionLine()), max(cols-width-1, 1), pill))
	f.screen.draw(lines)
}

// permissionLine is the left of the footer in 2.1.330 [RAN].
func (f *interactive) permissionLine() string {
	if f.hint != "" {
		return f.hint
	}
	switch f.flags.values["--permission-mode"] {
	case "default", "manual":
		return "⏸ manual mode on"
	case "plan":
		return "⏸ plan mode on"
	case "acceptEdits":
		return "⏵⏵ accept edits on"
	case "dontAsk":
		return "⏵⏵ don't ask on"
	case "bypassPermissions":
		return "⏵⏵ bypass permissions on"
	}
	return "⏵⏵ auto mode on"
}

// typing is the prompt: echo, Enter, /exit, Ctrl-C twice, a closed terminal.
func (f *interactive) typing() {
	interrupts := 0
	for {
		chunk, ok := f.nextChunk()
		if !ok {
			if !f.set.on("hang-on-all") {
				f.pause(f.set.scaled(50 * time.Millisecond))
				f.finish(outcome{code: 0}) // the other side of the terminal is gone
			}
			return
		}
		f.typed(chunk)
		f.mu.Lock()
		for _, key := range chunk {
			interrupts = f.key(key, interrupts)
		}
		if f.pause(0) { // after /exit the screen stays as it is
			f.draw()
		}
		f.mu.Unlock()
	}
}

// key takes one byte and returns the count of Ctrl-C in a row.
func (f *interactive) key(key byte, interrupts int) int {
	switch {
	case key == 3:
		if interrupts == 1 {
			f.finish(outcome{code: 0})
		}
		f.hint = "Press Ctrl-C again to exit"
		return interrupts + 1
	case key == '\r' || key == '\n':
		f.entered()
	case key == 127:
		f.line = f.line[:max(0, len(f.line)-1)]
	case key >= ' ':
		f.line += string([]byte{key})
	}
	f.hint = ""
	return 0
}

// entered is a whole line: /exit leaves, anything else is a turn.
func (f *interactive) entered() {
	line := f.line
	f.line = ""
	if line == "" {
		return
	}
	if line == "/exit" {
		f.hook("SessionEnd", map[string]any{"reason": "prompt_input_exit"})
		f.screen.last("Resume this session with:\nclaude --remote-control " + f.session.Name + " --resume " + f.id.local)
		f.finish(outcome{code: 0})
		return
	}
	f.history = append(f.history, "❯ "+line, "● echo: "+line)
	f.hook("UserPromptSubmit", map[string]any{"prompt": line})
	f.transcript(line, "")
	f.hook("Stop", nil)
}
