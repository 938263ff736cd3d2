package ctl

import (
	"strings"
	"unicode"
	"unicode/utf8"

	"clauster/pkg/terminal"
)

// clean makes foreign text safe to print on one line of an operator's
// terminal: escape sequences are taken out, line ends, tabs and other controls
// (the 8-bit ones too) become spaces, and characters that turn or hide text
// (bidirectional overrides, zero-width ones, line separators) and bytes that
// are no UTF-8 become U+FFFD. An agent chooses much of what is printed here:
// its log, its bridge's name, the reason it died of.
func clean(s string) string {
	if isPlain(s) {
		return s
	}
	s = strings.TrimRight(terminal.StripString(s), "\r\n\t ")
	return strings.Map(func(r rune) rune {
		switch {
		case r == utf8.RuneError:
			return utf8.RuneError
		case unicode.IsControl(r):
			return ' '
		case unicode.Is(unicode.Cf, r), unicode.Is(unicode.Zl, r), unicode.Is(unicode.Zp, r),
			unicode.Is(unicode.Co, r):
			return utf8.RuneError
		}
		return r
	}, s)
}

func isPlain(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// cleanLines is clean for text of several lines.
func cleanLines(s string) []string {
	var out []string
	for line := range strings.Lines(terminal.StripString(s)) {
		out = append(out, clean(line))
	}
	return out
}
