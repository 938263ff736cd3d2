package terminal

import "unicode/utf8"

// Strip gives the plain text of terminal output: escape sequences and
// controls are gone, the text is valid UTF-8 (a broken byte becomes U+FFFD),
// and only newline and tab are left below U+0020. A carriage return, a
// vertical cursor movement and CRLF begin a new line; a horizontal cursor
// movement becomes a space, because claude places each word of its dialogs
// with one. Nothing in the result can move an operator's cursor. Plain text
// is returned as it is, not copied.
func Strip(p []byte) []byte {
	if isPlain(p) {
		return p
	}
	var s stripper
	s.out = make([]byte, 0, len(p))
	s.parser.Write(p, &s)
	return toValid(s.out)
}

// StripString is Strip on a string.
func StripString(text string) string {
	for i := 0; i < len(text); i++ {
		if c := text[i]; c > 0x7e || c < 0x20 && c != '\n' && c != '\t' {
			return string(Strip([]byte(text)))
		}
	}
	return text
}

// isPlain reports whether p is printable ASCII, newlines and tabs.
func isPlain(p []byte) bool {
	for _, c := range p {
		if c > 0x7e || c < 0x20 && c != '\n' && c != '\t' {
			return false
		}
	}
	return true
}

type stripper struct {
	parser Parser
	out    []byte
	cr     bool // a carriage return is pending: CRLF is one line end
}

func (s *stripper) Text(p []byte) {
	s.endCR()
	s.out = append(s.out, p...)
}

func (s *stripper) Control(c byte) {
	switch c {
	case '\r':
		s.endCR()
		s.cr = true
	case '\n', '\v', '\f':
		s.cr = false
		s.out = append(s.out, '\n')
	case '\t':
		s.endCR()
		s.out = append(s.out, '\t')
	}
}

func (s *stripper) endCR() {
	if s.cr {
		s.cr = false
		s.newline()
	}
}

// newline ends the line unless nothing stands on it.
func (s *stripper) newline() {
	if n := len(s.out); n > 0 && s.out[n-1] != '\n' {
		s.out = append(s.out, '\n')
	}
}

func (s *stripper) CSI(params []byte, end byte) {
	switch MoveOf(params, end) {
	case MoveLine:
		s.cr = false
		s.newline()
	case MoveColumn:
		s.endCR()
		s.out = append(s.out, ' ')
	}
}

func (s *stripper) OSC([]byte) {}

// Move says where a control sequence takes the cursor.
type Move uint8

// The moves a reader of text cares about.
const (
	MoveNone   Move = iota
	MoveColumn      // along the line: stands for a space
	MoveLine        // to another line: ends the line
)

// MoveOf classifies a control sequence. Private sequences (ESC [ ? …) move
// nothing.
func MoveOf(params []byte, end byte) Move {
	if len(params) > 0 && params[0] >= '<' && params[0] <= '?' {
		return MoveNone
	}
	switch end {
	case 'C', 'D', 'G', '`', 'a', 'I', 'Z': // CUF CUB CHA HPA HPR CHT CBT
		return MoveColumn
	case 'A', 'B', 'E', 'F', 'H', 'f', 'd', 'e', 'S', 'T', 'L', 'M': // CUU CUD CNL CPL CUP HVP VPA VPR SU SD IL DL
		return MoveLine
	}
	return MoveNone
}

// toValid replaces each byte that is no UTF-8 with U+FFFD.
func toValid(p []byte) []byte {
	if utf8.Valid(p) {
		return p
	}
	out := make([]byte, 0, len(p)+16)
	for len(p) > 0 {
		r, n := utf8.DecodeRune(p)
		out = utf8.AppendRune(out, r) // RuneError is U+FFFD
		p = p[n:]
	}
	return out
}
