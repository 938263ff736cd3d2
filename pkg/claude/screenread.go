package claude

import (
	"strings"

	"clauster/pkg/bridge"
)

// read takes a complete logical line of so many characters.
func (s *Screen) read(line string, width int) {
	text := clean(line)
	if text == "" {
		return
	}
	indented := line[0] == ' '
	afterPane := s.inPane
	s.inPane = false
	s.age()
	switch {
	case s.mode == bridge.Standard && !indented && s.readPane(text):
		return
	case s.mode == bridge.Standard && afterPane && s.readCapacity(text):
	case s.mode == bridge.Standard && !indented && isEvent(text):
		s.readEvent(text)
	default:
		s.readAPIError(text)
		// Titles of sessions are indented; they are an agent's words.
		if s.mode == bridge.PTY || !indented {
			s.readFailure(text)
		}
	}
	s.readLink(line, text, indented, width)
	s.readPrompt(text)
	s.readPill(text)
	s.recent.add(text, false)
}

// age counts the lines since a prompt or an API error was last seen.
func (s *Screen) age() {
	if s.apiAge++; s.apiAge > apiLines {
		s.api = ""
	}
	if s.fresh++; s.fresh > promptLines {
		s.setPrompt("")
	}
}

// readPane reads the first line of a pane.
func (s *Screen) readPane(text string) bool {
	word, ok := paneWord(text)
	if !ok {
		return false
	}
	s.inPane = true
	s.wrap = ""
	s.recent.add(text, true)
	s.setPrompt("")
	if (word == PaneReady || word == PaneConnected) && (!s.stuck || s.state.Pane != word) {
		s.setFailure("", bridge.Cause{})
		s.stuck = false
	}
	if s.state.Pane != word {
		s.state.Pane = word
		s.tell(Fact{Kind: FactPane, Text: word})
	}
	return true
}

// paneWord reads "·✔︎· Ready · name · branch"; the mark between the dots turns
// while claude works.
func paneWord(text string) (word string, ok bool) {
	rest, ok := strings.CutPrefix(text, "·")
	if !ok {
		return "", false
	}
	at := strings.Index(rest[:min(len(rest), 16)], "· ")
	if at < 0 {
		return "", false
	}
	word, _, _ = strings.Cut(rest[at+len("· "):], " ")
	switch word {
	case PaneConnecting, PaneReady, PaneConnected, PaneReconnecting:
		return word, true
	}
	return "", false
}

// readCapacity reads "Capacity: 2/32 · …", which follows the pane's first line.
func (s *Screen) readCapacity(text string) bool {
	rest, ok := strings.CutPrefix(text, "Capacity: ")
	if !ok {
		return false
	}
	n := numberAfter([]byte(rest), "", -1)
	_, rest, _ = strings.Cut(rest, "/")
	m := numberAfter([]byte(rest), "", -1)
	if n < 0 || m < 0 {
		return false
	}
	if s.state.Sessions != n || s.state.Capacity != m {
		s.state.Sessions, s.state.Capacity = n, m
		s.tell(Fact{Kind: FactCapacity, Text: text, Sessions: n, Capacity: m})
	}
	return true
}

// isEvent reports whether text begins with "[HH:MM:SS] ".
func isEvent(text string) bool {
	if len(text) < len("[HH:MM:SS] x") || text[0] != '[' || text[9] != ']' || text[10] != ' ' {
		return false
	}
	for i, c := range []byte(text[1:9]) {
		if i == 2 || i == 5 {
			if c != ':' {
				return false
			}
		} else if c < '0' || c > '9' {
			return false
		}
	}
	return true
}

func (s *Screen) readEvent(text string) {
	if !s.events.add(text) {
		return
	}
	s.tell(Fact{Kind: FactEvent, Text: text})
	s.readAPIError(text)
	text = text[len("[HH:MM:SS] "):]
	switch {
	case strings.HasPrefix(text, "Session failed: spawn error: ENOENT"):
		s.setFailure(text, CauseNamed("spawn-enoent"))
		s.stuck = true
	case strings.HasPrefix(text, "Remote Control disconnected"):
		s.readFailure(text)
		s.stuck = true
	case strings.HasPrefix(text, "Session completed"):
		s.setFailure("", bridge.Cause{})
		s.stuck = false
	}
}

func (s *Screen) readAPIError(text string) {
	e, ok := ParseAPIError(text)
	if !ok {
		return
	}
	redraw := s.api == e.Text
	s.api, s.apiAge = e.Text, 0
	if !redraw {
		s.tell(Fact{Kind: FactAPIError, Text: e.Text, API: e})
	}
}

// readFailure looks for the words of a bridge that cannot go on. The gate of
// first letters keeps the whole table away from ordinary lines.
func (s *Screen) readFailure(text string) {
	text = trimFrame(text)
	if !failureGate(text) {
		return
	}
	c, ok := Classify(clip(text, 1000))
	if ok && !strings.HasPrefix(c.Name, "prompt") && s.state.Failure.Name == "" {
		s.setFailure(text, c)
	}
}

// setFailure keeps the first failure: what follows it are its consequences and
// explanations.
func (s *Screen) setFailure(text string, c bridge.Cause) {
	if s.state.Failure.Name != c.Name {
		s.state.Failure = c
		s.tell(Fact{Kind: FactFailure, Text: text, Cause: c})
	}
}

func failureGate(text string) bool {
	for _, begin := range [...]string{"Error: ", "Remote Control ", "Registration:", "Couldn't verify", "Configuration error in",
		"Persistent errors for", "Poll: ", "Server unreachable", "Signed out of Claude", "Not logged in", "OAuth token",
		"JWT refresh failed", "Your organization", "Unable to ", "Bridge environments", "Workspace not trusted", "Failed to connect to",
		"session expired", "signed-in claude.ai"} {
		if strings.HasPrefix(text, begin) {
			return true
		}
	}
	return false
}

// readPrompt recognises a question. Once a standard bridge has a pane it asks
// nothing any more, and titles below the pane are an agent's words.
func (s *Screen) readPrompt(text string) {
	if s.mode == bridge.Standard && s.state.Pane != "" && s.state.Pane != PaneConnecting {
		return
	}
	name := promptOf(text)
	if name == "" {
		return
	}
	s.fresh = 0
	if name == "prompt" && s.state.Prompt != "" {
		return // the last line of a dialog whose question is known
	}
	s.setPrompt(name)
}

func (s *Screen) setPrompt(name string) {
	if s.state.Prompt != name {
		s.state.Prompt = name
		s.tell(Fact{Kind: FactPrompt, Text: name})
	}
}

// readPill reads the Remote Control pill in a pty bridge's footer, and the
// line older builds printed in its place.
func (s *Screen) readPill(text string) {
	if s.mode != bridge.PTY || len(text) > 300 {
		return
	}
	rc := ""
	if _, rest, ok := strings.Cut(text, "/rc "); ok {
		rc, _, _ = strings.Cut(rest, " ")
	} else if strings.Contains(text, "/remote-control is active") {
		rc = RCActive
	} else if strings.HasSuffix(text, "Not logged in · run /login") && s.state.RC == "" {
		s.setFailure(text, CauseNamed("flag-not-logged-in"))
	}
	switch rc {
	case s.state.RC:
		return
	case RCActive, RCFailed, RCReconnecting:
	default:
		return
	}
	s.state.RC = rc
	if rc == RCActive {
		s.setPrompt("")
		s.setFailure("", bridge.Cause{})
	}
	s.tell(Fact{Kind: FactRC, Text: rc})
}

// clean trims a line and makes one space of each run of them.
func clean(line string) string {
	line = strings.TrimSpace(line)
	if !strings.Contains(line, "  ") && !strings.ContainsRune(line, '\t') {
		return line
	}
	return strings.Join(strings.Fields(line), " ")
}
