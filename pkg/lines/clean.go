package lines

import (
	"bytes"
	"fmt"
	"unicode"
	"unicode/utf8"

	"clauster/pkg/claude"
	"clauster/pkg/terminal"
)

// MaxText is how much of a line reaches the journal, in bytes, the note that
// it was cut not counted.
const MaxText = 8 << 10

// Priority is the syslog priority of a debug line: ERROR 3, WARN 4, INFO and
// lines that claude did not write 6, DEBUG and VERBOSE 7.
func Priority(level claude.Level) int {
	switch level {
	case claude.LevelError:
		return 3
	case claude.LevelWarn:
		return 4
	case claude.LevelDebug, claude.LevelVerbose:
		return 7
	}
	return 6
}

// Clean gives a line as one that an operator's terminal can be shown: valid
// UTF-8 (what is not becomes U+FFFD), no escape sequence, no control character
// and none that is invisible or reorders text, one line of at most MaxText
// bytes with a note of its length where more was cut off. A line that is fine is
// returned as it is, not copied.
func Clean(line []byte) []byte {
	if isPlain(line) && len(line) <= MaxText {
		return line
	}
	// Half of it may be escapes; the length of the work is bounded first.
	text := bytes.Map(visible, terminal.Strip(line[:min(len(line), 4*MaxText)]))
	text = bytes.TrimRight(text, " ")
	if len(text) <= MaxText && len(line) <= 4*MaxText {
		return text
	}
	text = text[:min(len(text), MaxText)]
	for len(text) > 0 && !endsWhole(text) {
		text = text[:len(text)-1]
	}
	return fmt.Appendf(text, " … [cut; the line has %d bytes]", len(line))
}

// endsWhole reports whether the last rune of text is whole.
func endsWhole(text []byte) bool {
	r, n := utf8.DecodeLastRune(text)
	return r != utf8.RuneError || n > 1
}

func isPlain(p []byte) bool {
	for _, c := range p {
		if c > 0x7e || c < 0x20 {
			return false
		}
	}
	return true
}

// visible drops what shows nothing or changes the order of what is shown
// (bidirectional controls, U+FEFF, tags), and makes every space one space.
func visible(r rune) rune {
	switch {
	case r == '\n' || r == '\t' || r == '\u2028' || r == '\u2029':
		return ' '
	case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d', unicode.Is(unicode.Co, r):
		return -1
	}
	return r
}
