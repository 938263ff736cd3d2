package claude

import (
	"bytes"

	"clauster/pkg/bridge"
)

// MarkerKind says what a debug line is evidence of.
type MarkerKind uint8

// The markers of both forms of the CLI (claude-cli.md §10.2).
const (
	BridgeInit            MarkerKind = iota + 1 // standard: the bridge begins; ID is the bridge id
	EnvironmentRegistered                       // standard: registered; ID is env_…
	SessionCreated                              // the bridge's session was made; ID is session_… or cse_…
	SessionAdopted                              // a session was taken over again; ID as above
	PollLoop                                    // standard: it waits for work; ID is env_… or ""
	PollAnswer                                  // standard: the service answered a poll
	SessionSpawned                              // standard: a session process started; PID
	SessionFailed                               // standard: one ended; ExitCode, PID. 143 is a clean stop
	SessionTrouble                              // a session could not be made; Text
	Shutdown                                    // it was told to shut down; Text names the signal
	Preserved                                   // it shuts down leaving its sessions resumable
	Unarchive                                   // pty: an old session is brought back; ID
	ReplState                                   // pty: connection state; Text is the state word
	SessionBusy                                 // pty: another live process serves the conversation; PID
	PoisonedReattach                            // the session it reattached to was ended for good; Text is the reason word
	PointerStale                                // the recorded session is unknown to the service
	Fatal                                       // the bridge gave up; Text says why
	FlagIgnored                                 // pty: claude runs on without Remote Control; Text says why
	TrustError                                  // the workspace is not trusted
	NetworkTrouble                              // an attempt failed for the network; Text says how
)

// Marker is one piece of evidence from a debug file.
type Marker struct {
	Kind     MarkerKind
	Level    Level
	Stamp    string // as in Line
	ID       string // bearer-like: redact before it leaves the keeper
	Text     string // at most 300 bytes, may hold ids
	ExitCode int    // of SessionFailed, -1 where unknown
	PID      int    // 0 where unknown
}

// Cause classifies the marker's text; zero for a marker that is no failure and
// for words nobody knows.
func (m Marker) Cause() bridge.Cause {
	switch m.Kind {
	case TrustError:
		return CauseNamed("untrusted")
	case FlagIgnored, Fatal, SessionTrouble, SessionBusy, PointerStale:
		c, _ := Classify(m.Text)
		return c
	}
	return bridge.Cause{}
}

const maxMarkerText = 300

// ParseLine finds the marker in one complete line of a debug file, without its
// newline. A marker counts only where claude puts it: right after
// "TIME [LEVEL] ". Text of a user or an agent stands further right, or inside
// a JSON string, and is never taken for one.
//
// It is run on every line of a file that may grow by 10 MB/s: a line that is no
// marker costs a few comparisons, whatever its length, except that lines of the
// bridge itself are searched for end_session.
func ParseLine(line []byte) (Marker, bool) {
	l, ok := SplitLine(line)
	if !ok || len(l.Text) < 10 {
		return Marker{}, false
	}
	m := Marker{Level: l.Level, ExitCode: -1}
	switch l.Text[0] {
	case '[':
		tag, rest, found := cutTag(l.Text)
		if !found {
			return Marker{}, false
		}
		ok = m.readTagged(tag, rest) || l.Level >= LevelWarn && m.readNetwork(rest)
	case '"':
		// A text of several lines is JSON-quoted. Only failures come so.
		ok = l.Level >= LevelWarn && m.readFailure(l.Text[1:])
	case 'B', 'C', 'E', 'P', 'r', 'S', 'W':
		ok = m.readFailure(l.Text)
	default:
		ok = l.Level >= LevelWarn && m.readFailure(l.Text)
	}
	if !ok {
		return Marker{}, false
	}
	m.Stamp = string(l.Stamp)
	return m, true
}

// cutTag splits "[bridge:init] text" into "bridge:init" and "text"; only the
// tags of Remote Control are found.
func cutTag(text []byte) (tag, rest []byte, ok bool) {
	if !hasPrefix(text, "[bridge") && !hasPrefix(text, "[remote-bridge]") {
		return nil, nil, false
	}
	end := bytes.IndexByte(text[:min(len(text), 32)], ']')
	if end < 0 || end+2 > len(text) {
		return nil, nil, false
	}
	return text[1:end], bytes.TrimPrefix(text[end+1:], []byte(" ")), true
}

func (m *Marker) readTagged(tag, rest []byte) bool {
	switch string(tag) {
	case "bridge:init":
		return m.readInit(rest)
	case "bridge:api":
		return m.readAPI(rest)
	case "bridge:work":
		if hasPrefix(rest, "Starting poll loop") {
			return m.is(PollLoop, idAfter(rest, "environmentId="))
		}
	case "bridge:session":
		return m.readSession(rest)
	case "bridge:shutdown":
		return m.readShutdown(rest)
	case "bridge:repl":
		return m.readRepl(rest)
	case "remote-bridge":
		return m.readRemote(rest)
	case "bridge":
		if hasPrefix(rest, "Session creation") {
			return m.text(SessionTrouble, rest)
		}
	}
	return m.readEnd(rest)
}

func (m *Marker) readInit(rest []byte) bool {
	switch {
	case hasPrefix(rest, "bridgeId="):
		return m.is(BridgeInit, word(rest[len("bridgeId="):]))
	case hasPrefix(rest, "Registered"):
		if id := idAfter(rest, "environmentId="); id != "" {
			return m.is(EnvironmentRegistered, id)
		}
	case hasPrefix(rest, "Created initial session "):
		if id := ID(rest[len("Created initial session "):]); id != "" {
			return m.is(SessionCreated, id)
		}
	case hasPrefix(rest, "Adopted session "):
		return m.is(SessionAdopted, ID(rest[len("Adopted session "):]))
	case hasPrefix(rest, "Session creation"):
		return m.text(SessionTrouble, rest)
	}
	return m.readEnd(rest)
}

func (m *Marker) readAPI(rest []byte) bool {
	head := rest[:min(len(rest), 200)]
	switch {
	case hasPrefix(head, "POST /v1/environments/bridge -> 2"):
		if id := idAfter(head, "environment_id="); id != "" {
			return m.is(EnvironmentRegistered, id)
		}
	case hasPrefix(head, "GET ") && bytes.Contains(head, []byte("/work/poll -> 2")):
		return m.is(PollAnswer, "")
	}
	return m.readEnd(rest)
}

func (m *Marker) readSession(rest []byte) bool {
	if !hasPrefix(rest, "sessionId=") {
		return m.readEnd(rest)
	}
	rest = rest[:min(len(rest), maxMarkerText)]
	m.PID = numberAfter(rest, " pid=", 0)
	if bytes.Contains(rest, []byte(" failed exit_code=")) {
		m.ExitCode = numberAfter(rest, " exit_code=", -1)
		return m.is(SessionFailed, "")
	}
	return m.PID > 0 && m.is(SessionSpawned, "")
}

func (m *Marker) readShutdown(rest []byte) bool {
	switch {
	case hasPrefix(rest, "SIG"):
		m.Text = word(rest)
		return m.is(Shutdown, "")
	case hasPrefix(rest, "Skipping archive"):
		return m.is(Preserved, "")
	case bytes.Contains(rest[:min(len(rest), 100)], []byte("shutting down")):
		return m.is(Shutdown, "")
	}
	return false
}

func (m *Marker) readRepl(rest []byte) bool {
	switch {
	case hasPrefix(rest, "handleStateChange state="):
		m.Text = word(rest[len("handleStateChange state="):])
		return m.is(ReplState, "")
	case hasPrefix(rest, "Skipping: bridge session "):
		m.PID = numberAfter(rest[:min(len(rest), maxMarkerText)], "local pid ", 0)
		return m.text(SessionBusy, rest)
	}
	return m.readEnd(rest)
}

func (m *Marker) readRemote(rest []byte) bool {
	for _, f := range [...]struct {
		prefix string
		kind   MarkerKind
	}{{"Created session ", SessionCreated}, {"Reattaching to session ", SessionAdopted}, {"Unarchive ", Unarchive}} {
		if hasPrefix(rest, f.prefix) {
			if id := ID(rest[len(f.prefix):]); id != "" {
				return m.is(f.kind, id)
			}
		}
	}
	return m.readEnd(rest)
}

// readNetwork finds the system's names of network errors in a warning of the
// bridge itself. Claude's own words around them are not known.
func (m *Marker) readNetwork(rest []byte) bool {
	head := rest[:min(len(rest), maxMarkerText)]
	for _, name := range [...]string{"ENOTFOUND", "EAI_AGAIN", "ECONNREFUSED", "ECONNRESET", "ETIMEDOUT", "ENETUNREACH", "EHOSTUNREACH", "ENETDOWN"} {
		if bytes.Contains(head, []byte(name)) {
			return m.text(NetworkTrouble, head)
		}
	}
	return false
}

// readFailure reads an untagged line.
func (m *Marker) readFailure(text []byte) bool {
	head := text[:min(len(text), maxMarkerText)]
	switch {
	case bytes.HasSuffix(bytes.TrimRight(text, ". \r"), []byte("--rc flag ignored")):
		return m.text(FlagIgnored, head)
	case hasPrefix(head, "BridgeFatalError"):
		return m.text(Fatal, head)
	case hasPrefix(head, "registerWorker failed"), hasPrefix(head, "Error: CCR v2 worker registration failed"),
		hasPrefix(head, "CCR v2 worker registration failed"):
		return m.text(PointerStale, head)
	case hasPrefix(head, "Workspace not trusted"), hasPrefix(head, "Error: Workspace not trusted"):
		return m.text(TrustError, head)
	case hasPrefix(head, "Session creation"):
		return m.text(SessionTrouble, head)
	case hasPrefix(head, "Persistent errors for"), hasPrefix(head, "Poll: "), hasPrefix(head, "Error: Poll: "):
		return m.text(Fatal, head)
	}
	return false
}

// readEnd looks for an end_session control request with reason archived or
// deleted, keys in either order, in one JSON object. Quotes are matched
// unescaped, so that the same text inside a conversation is none.
func (m *Marker) readEnd(rest []byte) bool {
	at := bytes.Index(rest, []byte(`"end_session"`))
	if at < 0 {
		return false
	}
	object := objectAround(rest, at)
	for _, reason := range []string{"archived", "deleted"} {
		if hasPair(object, "reason", reason) && hasPair(object, "subtype", "end_session") {
			m.Text = reason
			return m.is(PoisonedReattach, "")
		}
	}
	return false
}

func (m *Marker) is(k MarkerKind, id string) bool {
	m.Kind, m.ID = k, id
	return true
}

func (m *Marker) text(k MarkerKind, text []byte) bool {
	m.Kind, m.Text = k, clip(string(text[:min(len(text), maxMarkerText)]), maxMarkerText)
	return true
}

// String names a kind, for logs and tests.
func (k MarkerKind) String() string {
	names := [...]string{"none", "BridgeInit", "EnvironmentRegistered", "SessionCreated", "SessionAdopted", "PollLoop", "PollAnswer",
		"SessionSpawned", "SessionFailed", "SessionTrouble", "Shutdown", "Preserved", "Unarchive", "ReplState", "SessionBusy",
		"PoisonedReattach", "PointerStale", "Fatal", "FlagIgnored", "TrustError", "NetworkTrouble"}
	if int(k) < len(names) {
		return names[k]
	}
	return "unknown"
}
