package terminal

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestStrip(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"plain", "a line\n\tindented\n", "a line\n\tindented\n"},
		{"colour", "\x1b[0m\x1b[31mError: x\x1b[0m\r\n", "Error: x\n"},
		{"words placed by column", "Accessing\x1b[11Gworkspace:", "Accessing workspace:"},
		{"words placed by cursor right", "Is\x1b[1Cthis", "Is this"},
		{"redraw", "one\r\x1b[2Ktwo\x1b[1A\x1b[2Kthree", "one\ntwo\nthree"},
		{"carriage return begins a line", "10%\r20%\r\n", "10%\n20%\n"},
		{"empty lines stay", "a\r\n\r\nb", "a\n\nb"},
		{"OSC by BEL", "\x1b]0;✳ Claude Code\x07text", "text"},
		{"OSC by ST", "\x1b]8;;https://x\x1b\\link\x1b]8;;\x1b\\", "link"},
		{"OSC with 0x9C inside a rune", "\x1b]0;✜ title\x07text", "text"},
		{"OSC by C1 ST", "\x9d0;t\x9ctext", "text"},
		{"CSI as C1", "\x9b31mred", "red"},
		{"CSI as UTF-8 C1", "\u009b31mred\u0085", "red"},
		{"DCS SOS PM APC", "\x1bPq#0\x1b\\a\x1bXs\x1b\\b\x1b^p\x1b\\c\x1b_a\x1b\\d", "abcd"},
		{"two and three byte forms", "\x1b7\x1b(B\x1b=a\x1b8", "a"},
		{"unfinished", "a\x1b[12", "a"},
		{"cancelled string", "\x1b]0;abc\x18d", "d"},
		{"escape ends a string", "\x1b]0;abc\x1b[31md", "d"},
		{"controls", "a\x00b\x07c\x7fd", "abcd"},
		{"broken UTF-8", "a\xffb\xe2\x82c", "a\uFFFDb\uFFFD\uFFFDc"},
		{"UTF-8 kept", "·✔︎· Ready · größe · 日本\n", "·✔︎· Ready · größe · 日本\n"},
		{"split C2 cannot make a control", "\xc2\x1b[m\x9b31mx", "\uFFFDx"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := string(Strip([]byte(tt.in))); got != tt.want {
				t.Errorf("Strip(%q) = %q, want %q", tt.in, got, tt.want)
			}
			if got := StripString(tt.in); got != tt.want {
				t.Errorf("StripString(%q) = %q, want %q", tt.in, got, tt.want)
			}
		})
	}
}

// A string sequence that never ends must not swallow the rest of a life.
func TestStripGivesUpOnEndlessString(t *testing.T) {
	in := "\x1b]0;" + strings.Repeat("x", 2*MaxString) + "after"
	if got := string(Strip([]byte(in))); !strings.HasSuffix(got, "after") {
		t.Errorf("the text after an endless string is lost: %d bytes left", len(got))
	}
}

// events records what a Parser tells, with runs of text joined.
type events struct{ b bytes.Buffer }

func (e *events) Text(p []byte)               { fmt.Fprintf(&e.b, "%x", p) }
func (e *events) Control(c byte)              { fmt.Fprintf(&e.b, "<%02x>", c) }
func (e *events) CSI(params []byte, end byte) { fmt.Fprintf(&e.b, "<csi %q %c>", params, end) }
func (e *events) OSC(data []byte)             { fmt.Fprintf(&e.b, "<osc %q>", data) }
func parsed(p []byte, size int) (what string) {
	var t Parser
	var e events
	for len(p) > 0 {
		n := min(size, len(p))
		t.Write(p[:n], &e)
		p = p[n:]
	}
	return e.b.String()
}

func FuzzStrip(f *testing.F) {
	for _, s := range []string{"", "a\x1b[31mb", "\x1b]8;;u\x07t\x1b]8;;\x07", "\xc2\x9b1m", "\x1b\x1b\x1b[", "\r\r\n\n\x9c", "\xe2\x9c\x94"} {
		f.Add([]byte(s), uint8(1))
	}
	f.Fuzz(func(t *testing.T, in []byte, size uint8) {
		out := Strip(bytes.Clone(in))
		if !utf8.Valid(out) {
			t.Fatalf("Strip(%q) = %q is not UTF-8", in, out)
		}
		for _, r := range string(out) {
			if r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f {
				t.Fatalf("Strip(%q) = %q holds control %U", in, out, r)
			}
		}
		if again := Strip(bytes.Clone(out)); !bytes.Equal(again, out) {
			t.Fatalf("Strip(%q) = %q, and once more %q", in, out, again)
		}
		if whole, cut := parsed(in, len(in)+1), parsed(in, int(size)+1); whole != cut {
			t.Fatalf("in pieces of %d: %s, whole: %s", int(size)+1, cut, whole)
		}
	})
}

func BenchmarkStrip(b *testing.B) {
	in := bytes.Repeat([]byte("\x1b[2K\x1b[1G·✔︎· Ready · hello · HEAD\r\n    Capacity: 0/32 · New sessions will be created\r\n"), 500)
	b.SetBytes(int64(len(in)))
	for b.Loop() {
		Strip(in)
	}
}
