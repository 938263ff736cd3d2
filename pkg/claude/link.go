package claude

import (
	"strings"

	"clauster/pkg/bridge"
)

const linkBase = "https://claude.ai/code"

// cutLink reads the bridge's link that text begins with and gives what follows
// it. Links are normalised to scheme, path and id. The documentation's address
// on the same screen, code.claude.com/docs, is none.
func cutLink(text string) (link, rest string) {
	for _, middle := range [...]string{"?environment=", "/"} {
		after, ok := strings.CutPrefix(text, linkBase+middle)
		if !ok {
			continue
		}
		id := ID(after)
		if id == "" || strings.HasPrefix(id, "env_") != (middle != "/") {
			return "", text
		}
		return linkBase + middle + id, after[len(id):]
	}
	return "", text
}

// unfinished reports whether text is the beginning of a link and no more: cut
// at the end of a line, it may go on in the next.
func unfinished(text string) bool {
	for _, form := range [...]string{linkBase + "?environment=env_", linkBase + "/session_", linkBase + "/cse_"} {
		if len(text) >= len("https://") && strings.HasPrefix(form, text) {
			return true
		}
		if id, ok := strings.CutPrefix(text, form); ok && len(id) < minID && isIDPart(id) {
			return true
		}
	}
	return false
}

func isIDPart(s string) bool {
	for i := 0; i < len(s); i++ {
		if !isAlnum(s[i]) {
			return false
		}
	}
	return true
}

// readLink finds the bridge's link in a line and joins one that claude wrapped
// at the right edge of the terminal.
func (s *Screen) readLink(line, text string, indented bool, width int) {
	if s.wrap != "" {
		begun := s.wrap
		s.wrap = ""
		if s.joinLink(begun, text, width) {
			return
		}
	}
	if s.mode == bridge.Standard && indented || s.mode == bridge.PTY && !strings.Contains(text, "/remote-control is active") {
		return
	}
	at := strings.LastIndex(text, "https:")
	if at < 0 {
		return
	}
	s.takeLink(text[at:], width)
}

// takeLink takes text that begins with a link, or keeps it for the next line
// where it may go on there.
func (s *Screen) takeLink(text string, width int) bool {
	link, rest := cutLink(text)
	switch {
	case link != "" && rest == "" && width >= s.columns-1, link == "" && unfinished(text):
		s.wrap = text
	case link != "":
		s.setLink(link)
	default:
		return false
	}
	return true
}

// joinLink puts the next line behind a link that reached the end of its line.
// A link that is complete by itself goes on only in a line that is nothing but
// the rest of an id.
func (s *Screen) joinLink(begun, text string, width int) bool {
	first, _, more := strings.Cut(text, " ")
	if link, _ := cutLink(begun); link != "" {
		id, _, _ := strings.Cut(first, "?")
		if more || !isIDPart(id) {
			s.setLink(link)
			return false
		}
	}
	if more {
		width = 0
	}
	return len(begun)+len(first) < 256 && s.takeLink(begun+first, width)
}

// setLink keeps a standard bridge's newest link and a pty bridge's first: in
// the latter an agent may write what looks like one later.
func (s *Screen) setLink(link string) {
	if link == "" || s.state.Link == link || s.mode == bridge.PTY && s.state.Link != "" {
		return
	}
	s.state.Link = link
	s.tell(Fact{Kind: FactLink, Text: link})
}
