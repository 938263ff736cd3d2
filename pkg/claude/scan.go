package claude

import (
	"bytes"
	"strings"
)

// hasPrefix compares without an allocation.
func hasPrefix(b []byte, prefix string) bool {
	return len(b) >= len(prefix) && string(b[:len(prefix)]) == prefix
}

// The bounds of an id's suffix. Real ones have 26 characters or so.
const minID, maxID = 6, 64

// ID reads an env_, session_ or cse_ id that b begins with, "" where there is
// none.
func ID[T ~string | ~[]byte](b T) string {
	s := string(b[:min(len(b), len("session_")+maxID+1)])
	for _, prefix := range [...]string{"env_", "session_", "cse_"} {
		if suffix, ok := strings.CutPrefix(s, prefix); ok {
			n := 0
			for n < len(suffix) && isAlnum(suffix[n]) {
				n++
			}
			if n < minID || n > maxID {
				return ""
			}
			return s[:len(prefix)+n]
		}
	}
	return ""
}

// Suffix is what session_X and cse_X, two names of one session, have in
// common; an id of another form is returned as it is.
func Suffix(id string) string {
	for _, prefix := range [...]string{"session_", "cse_", "env_"} {
		if s, ok := strings.CutPrefix(id, prefix); ok {
			return s
		}
	}
	return id
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

// idAfter reads the id that follows key.
func idAfter(b []byte, key string) string {
	at := bytes.Index(b, []byte(key))
	if at < 0 {
		return ""
	}
	return ID(b[at+len(key):])
}

// numberAfter reads the decimal number of at most nine digits after key.
func numberAfter(b []byte, key string, none int) int {
	at := bytes.Index(b, []byte(key))
	if at < 0 {
		return none
	}
	n, digits := 0, 0
	for _, c := range b[at+len(key):] {
		if c < '0' || c > '9' {
			break
		}
		n, digits = n*10+int(c-'0'), digits+1
		if digits > 9 {
			return none
		}
	}
	if digits == 0 {
		return none
	}
	return n
}

// word is the run of letters, digits, - and _ that b begins with, at most 64.
func word(b []byte) string {
	n := 0
	for n < len(b) && n < 64 && (isAlnum(b[n]) || b[n] == '-' || b[n] == '_') {
		n++
	}
	return string(b[:n])
}

// objectAround gives the innermost {…} around position at, or what there is of
// it. Braces inside strings may cut it short or long; a look-alike needs
// unescaped quotes in any case.
func objectAround(b []byte, at int) []byte {
	start, depth := 0, 0
	for i := at - 1; i >= 0; i-- {
		if b[i] == '}' {
			depth++
		} else if b[i] == '{' {
			if depth == 0 {
				start = i
				break
			}
			depth--
		}
	}
	depth = 0
	for i := at; i < len(b); i++ {
		if b[i] == '{' {
			depth++
		} else if b[i] == '}' {
			if depth == 0 {
				return b[start : i+1]
			}
			depth--
		}
	}
	return b[start:]
}

// hasPair reports whether object holds "key":"value" with plain quotes.
func hasPair(object []byte, key, value string) bool {
	quoted := []byte(`"` + key + `"`)
	for {
		at := bytes.Index(object, quoted)
		if at < 0 {
			return false
		}
		escaped := at > 0 && object[at-1] == '\\'
		object = object[at+len(quoted):]
		rest, colon := bytes.CutPrefix(bytes.TrimLeft(object, " "), []byte(":"))
		if !escaped && colon && hasPrefix(bytes.TrimLeft(rest, " "), `"`+value+`"`) {
			return true
		}
	}
}
