// Package redact takes out of a text what must not leave the keeper: the ids
// and links of Remote Control, with which anybody could join a session, and
// the shapes of secrets that agents print. What it returns is also plain: no
// escape sequences, no controls but newline and tab, no invisible characters,
// valid UTF-8.
//
// It works by shape. A secret without a known shape passes, and so does one
// that is split over two texts.
package redact

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"strings"

	"clauster/pkg/terminal"
)

// Mask stands for what was taken out.
const Mask = "<redacted>"

// String redacts a text of any size and origin. String(String(x)) == String(x).
func String(s string) string {
	if quick([]byte(s)) {
		return s
	}
	return string(Bytes([]byte(s)))
}

// Bytes is String on bytes; p itself is returned where there is nothing to
// take out, and never written to.
func Bytes(p []byte) []byte {
	return mask(visible(terminal.Strip(p)))
}

// quick reports that p is printable ASCII without a byte that any shape needs.
func quick(p []byte) bool {
	for _, c := range p {
		switch {
		case c < 0x20 && c != '\n' && c != '\t', c > 0x7e:
			return false
		case c == '_' || c == '-' || c == 'B' || c == 'b' || c == 'A' || c == 'y' || c == '/':
			return false
		}
	}
	return true
}

// Ref is a name for a session that tells two sessions apart and nothing else:
// 16 hex characters of the HMAC-SHA256 of the id's suffix. session_X and cse_X
// are the same session and have the same Ref. It is "" for no id.
func Ref(key []byte, id string) string {
	if id == "" {
		return ""
	}
	for _, prefix := range [...]string{"session_", "cse_"} {
		if s, ok := strings.CutPrefix(id, prefix); ok {
			id = s
			break
		}
	}
	h := hmac.New(sha256.New, key)
	h.Write([]byte(id))
	return hex.EncodeToString(h.Sum(nil))[:16]
}
