package ctl

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestClean(t *testing.T) {
	for in, want := range map[string]string{
		"plain":                              "plain",
		"grün – 日本":                          "grün – 日本",
		"\x1b[31mred\x1b[0m":                 "red",
		"\x1b]0;title\x07after":              "after",
		"two\nlines\r\n":                     "two lines",
		"tab\there":                          "tab here",
		"turned \u202egnp.exe":               "turned \ufffdgnp.exe",
		"c1 \u009b2J":                        "c1",
		"bad \xff byte":                      "bad \ufffd byte",
		"\x1bP+q544e\x1b\\\x1b[6n after\x07": " after",
	} {
		if got := clean(in); got != want {
			t.Errorf("clean(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add("\x1b[31mred\x1b]52;c;aGk=\x07\u202e\u009b")
	f.Fuzz(func(t *testing.T, s string) {
		got := clean(s)
		if !utf8.ValidString(got) || strings.ContainsFunc(got, unicode.IsControl) || strings.ContainsRune(got, '\u202e') {
			t.Fatalf("clean(%q) = %q", s, got)
		}
		for _, line := range cleanLines(s) {
			if strings.ContainsFunc(line, unicode.IsControl) {
				t.Fatalf("cleanLines(%q) holds %q", s, line)
			}
		}
	})
}
