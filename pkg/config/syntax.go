package config

import (
	"errors"
	"strings"

	"github.com/BurntSushi/toml"
)

// syntaxFault turns the library's parse error into a fault. The library quotes
// what it stumbled over, and what it stumbled over may be a secret without
// its quotes: nothing quoted is passed on, except the name of a key.
func syntaxFault(file string, err error) Finding {
	var at toml.ParseError
	if !errors.As(err, &at) {
		return Finding{File: file, Rule: "it is not TOML"}
	}
	text := at.Message
	if own, cut := expectation(text); cut {
		text = own + ", but found something else"
	} else if !strings.HasPrefix(text, "Key '") {
		text = withoutQuoted(text)
	}
	return Finding{File: file, Line: at.Position.Line, Key: at.LastKey, Rule: "it is not TOML: " + strings.TrimSuffix(text, "."),
		Hint: "strings need quotes, and every table its [header] once"}
}

// expectation gives what the library says that it expected, without what it
// found: up to there the words are its own, quotes included. Taken for quotes
// of the file's they made «expected … instead» of it.
func expectation(text string) (own string, cut bool) {
	if !strings.HasPrefix(text, "expected ") {
		return "", false
	}
	at := len(text)
	for _, found := range []string{" but got ", " but found "} {
		if i := strings.Index(text, found); i >= 0 {
			at = min(at, i)
		}
	}
	return strings.TrimSuffix(text[:at], ","), at < len(text)
}

// withoutQuoted replaces quoted pieces of more than one character.
func withoutQuoted(text string) string {
	var b strings.Builder
	for text != "" {
		i := strings.IndexAny(text, "\"'`")
		if i < 0 {
			b.WriteString(text)
			break
		}
		b.WriteString(text[:i])
		// The quoted piece may hold quotes itself: it ends at the last one.
		end := strings.LastIndexByte(text, text[i])
		if end == i {
			b.WriteString("…")
			break
		}
		if piece := text[i : end+1]; len(piece) <= 3 {
			b.WriteString(piece)
		} else {
			b.WriteString("…")
		}
		text = text[end+1:]
	}
	return b.String()
}
