package terminal

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// Clean makes foreign text safe to show on one line: escape sequences are
// taken out, line ends, tabs and other controls (the 8-bit ones too) become
// spaces, and characters that turn or hide text (bidirectional overrides,
// zero-width ones, line separators) and bytes that are no UTF-8 become U+FFFD.
// An agent chooses much of what is shown: its log, its bridge's name, the
// reason it died of.
func Clean(s string) string {
	if isPlainText(s) {
		return s
	}
	s = strings.TrimRight(StripString(s), "\r\n\t ")
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

func isPlainText(s string) bool {
	for i := 0; i < len(s); i++ {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
