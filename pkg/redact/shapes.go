package redact

import "bytes"

// A match is a part of a text that is to be taken out, from start to end. What
// goes in its place never holds a shape itself.
type match struct {
	start, end int
}

// mask takes every shape out of p, from left to right. Each shape is looked
// for at the one rare byte it needs, so that ordinary text costs one
// comparison per byte.
func mask(p []byte) []byte {
	var out []byte
	last := 0
	for i := 0; i < len(p); {
		m, ok := at(p, i, last)
		if !ok {
			i++
			continue
		}
		out = append(out, p[last:m.start]...)
		out = append(out, Mask...)
		last, i = m.end, m.end
	}
	if last == 0 {
		return p
	}
	return append(out, p[last:]...)
}

// at looks for a shape whose rare byte is p[i] and that begins at or after
// from.
func at(p []byte, i, from int) (match, bool) {
	switch p[i] {
	case '_':
		return underscore(p, i, from)
	case '-':
		return hyphen(p, i, from)
	case 'A':
		return awsKey(p, i)
	case 'B', 'b':
		return bearer(p, i)
	case 'y':
		return jwt(p, i, from)
	case '/':
		return link(p, i, from)
	}
	return match{}, false
}

const (
	minID     = 6
	minSecret = 16
	minBearer = 12
)

// underscore finds ids of Remote Control and tokens of the form prefix_….
func underscore(p []byte, i, from int) (match, bool) {
	before := p[from:i]
	for _, prefix := range [...]string{"env", "session", "cse"} {
		if endsWith(before, prefix) {
			return id(p, i, i-len(prefix), from)
		}
	}
	for _, prefix := range [...]string{"ghp", "gho", "ghu", "ghs", "ghr", "github_pat", "clauster_pat", "clauster_metrics"} {
		if endsWith(before, prefix) {
			if n := run(p[i+1:], isTokenByte); n >= minSecret {
				return match{i + 1, i + 1 + n}, true
			}
		}
	}
	return match{}, false
}

// id finds env_, session_ or cse_ and six or more letters or digits. Glued to
// a word before it, it must hold a digit, as every real one does: my_session_id
// and user_session_started are words of programs.
func id(p []byte, i, start, from int) (match, bool) {
	rest := p[i+1:]
	if isUUID(rest) {
		return match{i + 1, i + 1 + uuidLen}, true
	}
	n := run(rest, isAlnum)
	if n < minID {
		return match{}, false
	}
	if start > 0 && isWord(p[start-1]) && start > from && !bytes.ContainsAny(rest[:n], "0123456789") {
		return match{}, false
	}
	return match{i + 1, i + 1 + n}, true
}

const uuidLen = 36

// hyphen finds UUIDs and tokens of the form prefix-….
func hyphen(p []byte, i, from int) (match, bool) {
	if i-8 >= from && isUUID(p[i-8:]) {
		return match{i - 8, i - 8 + uuidLen}, true
	}
	before := p[from:i]
	for _, prefix := range [...]string{"glpat", "xoxb", "xoxa", "xoxp", "xoxr", "xoxs", "xoxe", "sk"} {
		if !endsWith(before, prefix) {
			continue
		}
		start := i - len(prefix)
		// "task-…" and "disk-…" are words; "sk-ant-…" is nobody's.
		if prefix == "sk" && start > 0 && isWord(p[start-1]) && !bytes.HasPrefix(p[i:], []byte("-ant-")) {
			continue
		}
		if n := run(p[i+1:], isTokenByte); n >= minSecret || n >= 10 && prefix[0] == 'x' {
			return match{i + 1, i + 1 + n}, true
		}
	}
	return match{}, false
}

// awsKey finds AKIA or ASIA and 16 capitals or digits.
func awsKey(p []byte, i int) (match, bool) {
	rest := p[i:]
	if !bytes.HasPrefix(rest, []byte("AKIA")) && !bytes.HasPrefix(rest, []byte("ASIA")) {
		return match{}, false
	}
	n := run(rest[4:], func(c byte) bool { return c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' })
	if n < 16 {
		return match{}, false
	}
	return match{i + 4, i + 4 + n}, true
}

// bearer finds the credentials of an Authorization header.
func bearer(p []byte, i int) (match, bool) {
	rest := p[i:]
	if len(rest) < 7 || string(rest[1:6]) != "earer" && string(rest[1:6]) != "EARER" {
		return match{}, false
	}
	gap := run(rest[6:], func(c byte) bool { return c == ' ' || c == '\t' || c == ':' || c == '=' })
	if gap == 0 {
		return match{}, false
	}
	start := i + 6 + gap
	n := run(p[start:], func(c byte) bool {
		return isTokenByte(c) || c == '.' || c == '~' || c == '+' || c == '/' || c == '='
	})
	if n < minBearer {
		return match{}, false
	}
	return match{start, start + n}, true
}

// jwt finds eyJ….….…: two or three parts of base64url whose first is JSON.
func jwt(p []byte, i, from int) (match, bool) {
	if i-1 < from || p[i-1] != 'e' || i+1 >= len(p) || p[i+1] != 'J' {
		return match{}, false
	}
	n := run(p[i-1:], isTokenByte)
	dot := i - 1 + n
	if n < 10 || dot >= len(p) || p[dot] != '.' {
		return match{}, false
	}
	m := run(p[dot+1:], func(c byte) bool { return isTokenByte(c) || c == '.' })
	if m < 8 {
		return match{}, false
	}
	return match{i - 1, dot + 1 + m}, true
}

// link finds what follows the first path segment of a claude.ai address: the
// page of an environment or session, or a login in progress. i is the slash
// after the host.
func link(p []byte, i, from int) (match, bool) {
	if !endsWith(p[from:i], "claude.ai") {
		return match{}, false
	}
	rest := p[i+1:]
	segment := run(rest, func(c byte) bool { return isAlnum(c) || c == '-' || c == '.' || c == '_' })
	if segment == len(rest) || rest[segment] != '/' && rest[segment] != '?' && rest[segment] != '#' {
		return match{}, false
	}
	start := i + 1 + segment + 1
	n := run(p[start:], isURLByte)
	if n == 0 {
		return match{}, false
	}
	return match{start, start + n}, true
}

func endsWith(p []byte, s string) bool {
	return len(p) >= len(s) && string(p[len(p)-len(s):]) == s
}

// run counts the bytes at the beginning of p that are of a kind.
func run(p []byte, is func(byte) bool) int {
	n := 0
	for n < len(p) && is(p[n]) {
		n++
	}
	return n
}

func isAlnum(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func isWord(c byte) bool { return isAlnum(c) || c == '_' }

func isTokenByte(c byte) bool { return isAlnum(c) || c == '_' || c == '-' }

// isURLByte leaves out the quotes and brackets an address is set in.
func isURLByte(c byte) bool {
	switch c {
	case '"', '\'', '`', '<', '>', '(', ')', '[', ']', '{', '}', '\\', '^', '|':
		return false
	}
	return c > ' ' && c < 0x7f
}

func isHex(c byte) bool {
	return c >= '0' && c <= '9' || c >= 'A' && c <= 'F' || c >= 'a' && c <= 'f'
}

// isUUID reports whether p begins with a UUID.
func isUUID(p []byte) bool {
	if len(p) < uuidLen {
		return false
	}
	for i, c := range p[:uuidLen] {
		if i == 8 || i == 13 || i == 18 || i == 23 {
			if c != '-' {
				return false
			}
		} else if !isHex(c) {
			return false
		}
	}
	return true
}
