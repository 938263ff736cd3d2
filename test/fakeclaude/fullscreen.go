package main

import (
	"fmt"
	"strings"
)

// startFull takes the whole screen: a program that only shows right on a
// viewer of the same size, and draws again at each SIGWINCH.
func (b *bridge) startFull() {
	b.screen.mu.Lock()
	b.screen.full = true
	b.screen.mu.Unlock()
	if b.set.str("screen", "") == "alt" {
		b.screen.write([]byte("\x1b[?1049h"))
	}
	b.drawFull()
}

// drawFull fills rows × columns: the size and the count of drawings in the
// first row, what was typed in the second, then numbered rows to the edge.
func (b *bridge) drawFull() {
	rows, cols := windowSize(1)
	b.drawings.Add(1)
	lines := []string{
		fmt.Sprintf("SCREEN %dx%d draw=%d", rows, cols, b.drawings.Load()),
		"typed: " + b.lastTyped(),
	}
	for i := len(lines); i < rows; i++ {
		lines = append(lines, fmt.Sprintf("row %03d ", i+1)+strings.Repeat("·", max(cols-8, 0)))
	}
	out := "\x1b[2J\x1b[H"
	for i, line := range lines[:min(rows, len(lines))] {
		cut := []rune(line)
		out += fmt.Sprintf("\x1b[%d;1H%s", i+1, string(cut[:min(len(cut), cols)]))
	}
	go b.screen.write([]byte(out))
}

// typed keeps what came from the keyboard and shows it on a full screen.
func (b *bridge) typed(chunk []byte) {
	b.keyboard.Lock()
	b.text += string(chunk)
	b.keyboard.Unlock()
	b.rec.event("typed", "text", string(chunk))
	if b.screen.full {
		b.drawFull()
	}
}

func (b *bridge) lastTyped() string {
	b.keyboard.Lock()
	defer b.keyboard.Unlock()
	return strings.Map(func(r rune) rune {
		if r < ' ' {
			return '.'
		}
		return r
	}, b.text)
}
