package terminal

// Sink receives what a Parser finds in a terminal's output. The slices are
// borrowed: they are only valid during the call. How a run of text is cut into
// Text calls depends on how the output was cut into writes; everything else
// does not.
type Sink interface {
	Text(p []byte)               // printable bytes, not checked to be UTF-8
	Control(c byte)              // a C0 control (not ESC) or DEL
	CSI(params []byte, end byte) // control sequence: its parameters, its final byte
	OSC(data []byte)             // operating system command without its ends, at most MaxOSC bytes
}

// Bounds of one escape sequence. What is longer is no sequence of a sane
// program: the Parser gives up on it and reads on as text, so that a program
// that opens a string and never closes it cannot hide the rest of its life.
const (
	MaxCSI    = 64   // parameter and intermediate bytes of a control sequence
	MaxOSC    = 2048 // bytes of an operating system command handed to the Sink
	MaxString = 4096 // bytes of any string sequence (OSC, DCS, SOS, PM, APC)
)

type parserState uint8

const (
	ground    parserState = iota
	escape                // after ESC
	escapeMid             // after ESC and an intermediate byte
	csi                   // after CSI
	str                   // inside a string sequence
	strEscape             // after ESC inside a string sequence
)

// Parser cuts a terminal's output into text, controls and sequences (ECMA-48:
// seven-bit, eight-bit and UTF-8 encoded forms). It is fed in pieces of any
// size; the zero value is ready. It never grows beyond a few kilobytes. Not
// safe for concurrent use.
type Parser struct {
	state  parserState
	isOSC  bool
	count  int    // bytes of the current sequence
	buf    []byte // parameters of a CSI, data of an OSC
	follow uint8  // continuation bytes a UTF-8 lead byte still wants
	c2     bool   // 0xC2 is held back: the next byte decides between C1 and text
}

// Write feeds p to sink.
func (t *Parser) Write(p []byte, sink Sink) {
	for i := 0; i < len(p); {
		if t.state == ground && !t.c2 && t.follow == 0 {
			n := plainRun(p[i:])
			if n > 0 {
				sink.Text(p[i : i+n])
				i += n
				continue
			}
		}
		t.step(p[i:i+1], sink)
		i++
	}
}

// plainRun is the length of the printable ASCII that p begins with.
func plainRun(p []byte) int {
	for i, c := range p {
		if c < 0x20 || c > 0x7e {
			return i
		}
	}
	return len(p)
}

// step takes one byte; it is a slice so that it can be handed on as text.
func (t *Parser) step(b []byte, sink Sink) {
	c := b[0]
	switch t.state {
	case ground:
		t.ground(b, sink)
	case escape:
		t.escape(c, sink)
	case escapeMid:
		switch {
		case c >= 0x30 && c <= 0x7e:
			t.state = ground
		case c < 0x20 || c > 0x7e:
			t.abort(b, sink)
		default:
			t.bound(MaxCSI)
		}
	case csi:
		t.csi(b, sink)
	case str:
		t.str(b, sink)
	case strEscape:
		if c == '\\' {
			t.endString(sink)
			return
		}
		// ESC inside a string ends it, whatever follows.
		t.reset()
		t.escape(c, sink)
	}
}

func (t *Parser) ground(b []byte, sink Sink) {
	c := b[0]
	if t.c2 {
		t.c2 = false
		if c >= 0x80 && c <= 0x9f {
			t.c1(c)
			return
		}
		sink.Text(c2Byte)
		if c >= 0xa0 && c <= 0xbf {
			sink.Text(b)
			return
		}
	}
	if t.follow > 0 && c >= 0x80 && c <= 0xbf {
		t.follow--
		sink.Text(b)
		return
	}
	t.follow = 0
	switch {
	case c == 0x1b:
		t.state, t.count = escape, 0
	case c < 0x20 || c == 0x7f:
		sink.Control(c)
	case c == 0xc2:
		t.c2 = true
	case c >= 0x80 && c <= 0x9f:
		t.c1(c)
	case c >= 0xc3 && c <= 0xdf:
		t.follow = 1
		sink.Text(b)
	case c >= 0xe0 && c <= 0xef:
		t.follow = 2
		sink.Text(b)
	case c >= 0xf0 && c <= 0xf4:
		t.follow = 3
		sink.Text(b)
	default:
		sink.Text(b)
	}
}

var c2Byte = []byte{0xc2} // never written to

// c1 takes a control of the second set: the one-byte forms of ESC @ to ESC _.
func (t *Parser) c1(c byte) {
	t.count, t.buf = 0, t.buf[:0]
	switch c {
	case 0x9b:
		t.state = csi
	case 0x90, 0x98, 0x9d, 0x9e, 0x9f:
		t.state, t.isOSC = str, c == 0x9d
	default:
		t.state = ground
	}
}

func (t *Parser) escape(c byte, sink Sink) {
	switch {
	case c == '[' || c == ']' || c == 'P' || c == 'X' || c == '^' || c == '_':
		t.c1(c + 0x40)
	case c == 0x1b:
		t.state, t.count = escape, 0
	case c >= 0x20 && c <= 0x2f:
		t.state, t.count = escapeMid, 1
	case c >= 0x30 && c <= 0x7e:
		t.state = ground
	default:
		t.abort([]byte{c}, sink)
	}
}

func (t *Parser) csi(b []byte, sink Sink) {
	c := b[0]
	switch {
	case c >= 0x40 && c <= 0x7e:
		t.state = ground
		sink.CSI(t.buf, c)
		t.buf = t.buf[:0]
	case c >= 0x20 && c <= 0x3f:
		t.buf = append(t.buf, c)
		t.bound(MaxCSI)
	case c == '\r' || c == '\n' || c == '\t' || c == '\b':
		// Terminals obey these in the middle of a sequence.
		sink.Control(c)
	default:
		t.abort(b, sink)
	}
}

func (t *Parser) str(b []byte, sink Sink) {
	c := b[0]
	switch {
	case c == 0x1b:
		t.state = strEscape
		return
	case c == 0x07 && t.isOSC:
		t.endString(sink)
		return
	case c == 0x18 || c == 0x1a: // CAN and SUB cancel
		t.reset()
		return
	case c == 0x9c && !t.inRune(c):
		t.endString(sink)
		return
	}
	if t.isOSC && len(t.buf) < MaxOSC {
		t.buf = append(t.buf, c)
	}
	t.track(c)
	t.bound(MaxString)
}

// inRune reports whether c continues a UTF-8 character of the string: there
// 0x9C is not the eight-bit string terminator ("✔" holds no 0x9C, "✜" does).
// U+009C itself, C2 9C, does end the string.
func (t *Parser) inRune(c byte) bool {
	if t.c2 {
		t.c2 = false
		return false
	}
	return t.follow > 0
}

// track follows the UTF-8 characters of a string sequence.
func (t *Parser) track(c byte) {
	t.c2 = c == 0xc2
	switch {
	case t.follow > 0 && c >= 0x80 && c <= 0xbf:
		t.follow--
	case c >= 0xc3 && c <= 0xdf:
		t.follow = 1
	case c >= 0xe0 && c <= 0xef:
		t.follow = 2
	case c >= 0xf0 && c <= 0xf4:
		t.follow = 3
	default:
		t.follow = 0
	}
}

func (t *Parser) endString(sink Sink) {
	if t.isOSC {
		sink.OSC(t.buf)
	}
	t.reset()
}

// reset forgets the current sequence.
func (t *Parser) reset() {
	t.state, t.count, t.follow, t.c2, t.buf = ground, 0, 0, false, t.buf[:0]
}

// bound counts a byte of the current sequence and gives up on it at limit.
func (t *Parser) bound(limit int) {
	if t.count++; t.count >= limit {
		t.reset()
	}
}

// abort leaves a broken sequence and reads its offending byte anew.
func (t *Parser) abort(b []byte, sink Sink) {
	t.reset()
	t.ground(b, sink)
}
