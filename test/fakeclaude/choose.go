package main

import (
	"fmt"
	"strings"
)

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

// fold breaks a line between words at width columns and keeps its indent.
func fold(line string, width int) []string {
	var rows []string
	indent := line[:len(line)-len(strings.TrimLeft(line, " "))]
	for width > 0 && len([]rune(line)) > width {
		cut := strings.LastIndex(string([]rune(line)[:width+1]), " ")
		if cut <= len(indent) {
			break
		}
		rows = append(rows, line[:cut])
		line = indent + line[cut+1:]
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
	_, width := windowSize(1)
	indent := before[0][:len(before[0])-len(strings.TrimLeft(before[0], " "))]
	for {
		lines := append([]string{strings.Repeat("─", width)}, before...)
		for i, option := range options {
			mark := "  "
			if i == at {
				mark = "❯ "
			}
			lines = append(lines, indent+mark+option)
		}
		b.screen.draw(placed(append(lines, "", indent+after)...))
		chunk, ok := b.nextChunk()
		if !ok {
			return -2
		}
		keys := keysOf(chunk)
		for i, key := range keys {
			b.ahead = []byte(strings.Join(keys[i+1:], "")) // for the next question, if this key answers
			switch key {
			case "\x1b":
				return -1
			case "\r", "\n":
				return at
			case " ":
				if strings.HasPrefix(options[at], "[") { // a tick box
					return at
				}
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
			b.ahead = nil
		}
	}
}
