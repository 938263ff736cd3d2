package claude

import (
	"strings"

	"clauster/pkg/bridge"
	"clauster/pkg/terminal"
)

// FactKind says what a Fact is about.
type FactKind uint8

// The facts a Screen tells.
const (
	FactPane     FactKind = iota + 1 // Text: the pane's word
	FactCapacity                     // Sessions and Capacity
	FactLink                         // Text: the link. Bearer-like
	FactRC                           // Text: the pill's word
	FactPrompt                       // Text: the name of the prompt's cause, "" when it is gone
	FactEvent                        // Text: "[HH:MM:SS] text", to be logged
	FactAPIError                     // Text: claude's words; API: what kind
	FactFailure                      // Text: claude's words; Cause: what they mean, zero when it is over
)

// The panes of a standard bridge.
const (
	PaneConnecting   = "Connecting"
	PaneReady        = "Ready"
	PaneConnected    = "Connected"
	PaneReconnecting = "Reconnecting"
)

// The pills of a pty bridge.
const (
	RCActive       = "active"
	RCFailed       = "failed"
	RCReconnecting = "reconnecting"
)

// Fact is one change a Screen saw. Its text is stripped of escapes, at most
// 500 bytes, and not redacted.
type Fact struct {
	Kind               FactKind
	Text               string
	Sessions, Capacity int
	API                APIError
	Cause              bridge.Cause
}

// ScreenState is what a Screen knows now; its fields are plain data.
type ScreenState struct {
	Pane               string
	Sessions, Capacity int
	Link               string // bearer-like; "" where none was seen
	RC                 string
	Prompt             string // name of the cause of the prompt that waits, "" for none
	Failure            bridge.Cause
}

// Screen follows what claude shows on its terminal, without being a terminal:
// it strips escapes, cuts the output into logical lines at line ends and
// cursor movements, and recognises a dozen texts. It is fed raw output in
// pieces of any size and tells a fact only when it changes, however often
// claude redraws. It holds at most 40 KiB and is not safe for concurrent use.
//
// What it tells is weaker evidence than the debug file: in a pty bridge an
// agent's words stand on the same screen. Nothing here makes a bridge ready by
// itself, and a link of the debug file's ids is to be preferred (Log.Link).
type Screen struct {
	state   ScreenState
	mode    bridge.Mode
	columns int
	parser  terminal.Parser
	emit    func(Fact)

	line   []byte // the logical line so far, at most maxScreenLine bytes
	cr     bool   // a carriage return is pending
	width  int    // characters on the line
	link   string // OSC 8 target of the text now being written
	pill   []byte // that text, at most 64 bytes
	wrap   string // a link that may go on in the next line
	inPane bool   // the previous line was a pane's first
	fresh  int    // lines since the prompt was last seen
	api    string // last API error, and the lines since it was last seen
	apiAge int
	stuck  bool // the failure came as an event: a redrawn pane does not disprove it
	events seenSet
	recent history
}

const (
	maxScreenLine = 4096
	maxFactText   = 500
	promptLines   = 60  // a prompt not redrawn within so many lines is gone
	apiLines      = 200 // an API error seen again within so many lines is a redraw
)

// NewScreen makes a Screen for a terminal of so many columns.
func NewScreen(mode bridge.Mode, columns int) *Screen {
	return &Screen{mode: mode, columns: columns}
}

// Resize says that the terminal has another width now.
func (s *Screen) Resize(columns int) { s.columns = columns }

// State is what is known now.
func (s *Screen) State() ScreenState { return s.state }

// Text gives the last distinct lines of the screen's output, oldest first, at
// most 60 lines and 12 KiB, with the unfinished line at its end: the last
// words of a bridge that died. Not redacted.
func (s *Screen) Text() string { return s.recent.text(string(s.line)) }

// Feed takes raw output and calls emit for each change. emit must not call the
// Screen.
func (s *Screen) Feed(p []byte, emit func(Fact)) {
	s.emit = emit
	s.parser.Write(p, screenSink{s})
	s.emit = nil
}

// Settle looks at the unfinished line too. Questions wait on one, so call it
// when the output pauses, for instance after each read. It changes nothing
// about how the line is read when it ends.
func (s *Screen) Settle(emit func(Fact)) {
	s.emit = emit
	s.settle()
	s.emit = nil
}

func (s *Screen) settle() {
	if len(s.line) == 0 {
		return
	}
	line := clean(strings.ToValidUTF8(string(s.line), "\uFFFD"))
	s.readPrompt(line)
	s.readPill(line)
}

// tell emits a fact.
func (s *Screen) tell(f Fact) {
	f.Text = clip(f.Text, maxFactText)
	if s.emit != nil {
		s.emit(f)
	}
}

// screenSink is the Screen as the parser sees it.
type screenSink struct{ *Screen }

func (s screenSink) Text(p []byte) {
	s.endCR()
	if room := maxScreenLine - len(s.line); room > 0 {
		s.line = append(s.line, p[:min(room, len(p))]...)
	}
	for _, c := range p {
		if c&0xc0 != 0x80 {
			s.width++
		}
	}
	if s.link != "" && len(s.pill) < 64 {
		s.pill = append(s.pill, p[:min(64-len(s.pill), len(p))]...)
	}
}

func (s screenSink) Control(c byte) {
	switch c {
	case '\n', '\v', '\f':
		s.cr = false
		s.endLine()
	case '\r':
		s.cr = true
	case '\t':
		s.Text([]byte{' '})
	}
}

func (s screenSink) CSI(params []byte, end byte) {
	switch terminal.MoveOf(params, end) {
	case terminal.MoveColumn:
		s.Text([]byte{' '})
	case terminal.MoveLine:
		s.cr = false
		s.endLine()
	}
}

// OSC takes the hyperlinks: ESC ] 8 ; parameters ; target.
func (s screenSink) OSC(data []byte) {
	rest, ok := strings.CutPrefix(string(data), "8;")
	if !ok {
		return
	}
	if s.link != "" {
		s.endPill()
	}
	_, target, _ := strings.Cut(rest, ";")
	s.link, _ = cutLink(target)
	s.pill = s.pill[:0]
}

// endCR ends the line of a pending carriage return: what follows it overwrites
// the line, which stays a line of its own here.
func (s *Screen) endCR() {
	if s.cr {
		s.cr = false
		s.endLine()
	}
}

// endPill takes a finished hyperlink. In a pty bridge the link behind the
// Remote Control pill is its own; any other one could be an agent's.
func (s *Screen) endPill() {
	if s.mode == bridge.Standard || strings.Contains(string(s.pill), "/rc") {
		s.setLink(s.link)
	}
}

func (s *Screen) endLine() {
	line, width := string(s.line), s.width
	s.line, s.width = s.line[:0], 0
	if line != "" {
		s.read(strings.ToValidUTF8(line, "\uFFFD"), width)
	}
}
