package config

import (
	"strings"
	"testing"
)

// TestSyntaxFaultIsASentence: what the library expected was taken for a piece
// of the file, and «expected … instead» was left.
func TestSyntaxFaultIsASentence(t *testing.T) {
	for text, want := range map[string]string{
		"user op\n":                        "it is not TOML: expected '.' or '=', but found something else",
		"user = s3cret-text\n":             "it is not TOML: expected value, but found something else",
		"user = \"op\" s3cret\n":           "it is not TOML: expected a top-level item to end with a newline, comment, or EOF, but found something else",
		"[logs\nburst = 1\n":               "it is not TOML: expected '.' or ']' to end table name, but found something else",
		"user = 1.s3cret, but got x\n":     "it is not TOML: ",
		"user = \"\\xs3cret but found\"\n": "it is not TOML: expected two hexadecimal digits after '\\x', but found something else",
	} {
		_, r := load(t, Source{FS: machine(text)})
		if len(r.Faults) != 1 || !strings.HasPrefix(r.Faults[0].Rule, want) || strings.Contains(r.Faults[0].Rule, "s3cret") {
			t.Errorf("%q: %+v", text, r.Faults)
		}
	}
}
