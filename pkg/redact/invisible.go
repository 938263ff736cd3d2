package redact

import "unicode/utf8"

// visible removes the characters that take no room on a screen: between the
// letters of an id they would hide it from the shapes and not from a reader's
// clipboard, and the bidirectional ones turn a line around. p must be valid
// UTF-8; it is returned itself where there are none.
func visible(p []byte) []byte {
	i := 0
	for i < len(p) && p[i] < utf8.RuneSelf {
		i++
	}
	if i == len(p) {
		return p
	}
	var out []byte
	last := 0
	for i < len(p) {
		r, n := utf8.DecodeRune(p[i:])
		if isInvisible(r) {
			out = append(out, p[last:i]...)
			last = i + n
		}
		i += n
	}
	if last == 0 {
		return p
	}
	return append(out, p[last:]...)
}

// isInvisible reports Unicode's Default_Ignorable_Code_Point property, and the
// line separators that only some readers obey.
func isInvisible(r rune) bool {
	switch {
	case r < 0xad:
		return false
	case r == 0xad, r == 0x34f, r == 0x61c, r == 0x115f, r == 0x1160, r == 0x17b4, r == 0x17b5,
		r == 0x3164, r == 0xfeff, r == 0xffa0:
		return true
	}
	return r >= 0x180b && r <= 0x180f || r >= 0x200b && r <= 0x200f || r >= 0x2028 && r <= 0x202e ||
		r >= 0x2060 && r <= 0x206f || r >= 0xfe00 && r <= 0xfe0f || r >= 0xfff0 && r <= 0xfff8 ||
		r >= 0x1bca0 && r <= 0x1bca3 || r >= 0x1d173 && r <= 0x1d17a || r >= 0xe0000 && r <= 0xe0fff
}
