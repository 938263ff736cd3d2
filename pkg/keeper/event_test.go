package keeper

import (
	"strings"
	"testing"
)

func TestPresentable(t *testing.T) {
	for in, want := range map[string]string{
		"plain – text":                            "plain – text",
		"two\nlines":                              "two\nlines",
		"red \x1b[31mtext\x1b[0m":                 "red text",
		"title \x1b]0;owned\x07 set":              "title  set",
		"clip \x1b]52;c;b3duZWQ=\x1b\\ board":     "clip  board",
		"in session_0123456789abcdefghijklmn now": "in session_<redacted> now",
	} {
		if got := presentable(in); got != want {
			t.Errorf("%q becomes %q, want %q", in, got, want)
		}
	}
	if got := presentable("\x00\x07\u009b31m\x7f\xff\x1bc"); strings.IndexFunc(got, func(r rune) bool { return r < 0x20 || r >= 0x7f && r <= 0x9f }) >= 0 {
		t.Errorf("control characters are left: %q", got)
	}
}
