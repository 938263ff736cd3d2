package claude

import "clauster/pkg/bridge"

// Log accumulates the evidence of one run's debug file. Its fields are plain
// data, so that a keeper can hand them to its successor; ids are bearer-like.
type Log struct {
	BridgeID  string `json:"bridge_id,omitempty"`
	EnvID     string `json:"env_id,omitempty"`
	SessionID string `json:"session_id,omitempty"` // the first session; "" is normal for a resumed bridge
	Polling   bool   `json:"polling,omitempty"`    // the poll loop was started
	State     string `json:"state,omitempty"`      // pty: last connection state
	Created   bool   `json:"created,omitempty"`    // it made a session of its own
	Adopted   bool   `json:"adopted,omitempty"`    // it took over an earlier session
	Stopping  bool   `json:"stopping,omitempty"`   // it was told to shut down
	Poisoned  bool   `json:"poisoned,omitempty"`   // the session it reattached to was ended for good
	Stale     bool   `json:"stale,omitempty"`      // the recorded session is unknown to the service
	Ignored   bool   `json:"ignored,omitempty"`    // pty: Remote Control was switched off at start
	Offline   bool   `json:"offline,omitempty"`    // its last attempt failed for the network
	Failed    int    `json:"failed,omitempty"`     // session processes that ended with an error, 143 aside
	Fault     Marker `json:"fault,omitzero"`       // the last failure that no bridge serves after
	Trouble   Marker `json:"trouble,omitzero"`     // the last one that a bridge may outlive
}

// Line takes one complete line, without its newline, and returns the marker it
// is, if it is one. Lines may come slightly out of order.
func (l *Log) Line(line []byte) (Marker, bool) {
	m, ok := ParseLine(line)
	if ok {
		l.Add(m)
	}
	return m, ok
}

// Add takes one marker.
func (l *Log) Add(m Marker) {
	switch m.Kind {
	case BridgeInit:
		l.BridgeID = m.ID
	case EnvironmentRegistered:
		l.EnvID = m.ID
	case NetworkTrouble:
		l.Offline = true
	case PollAnswer:
		l.Offline = false
	case PollLoop:
		l.Polling, l.Offline = true, false
		if l.EnvID == "" {
			l.EnvID = m.ID
		}
	case SessionCreated:
		l.Created = true
		if l.SessionID == "" {
			l.SessionID = m.ID
		}
	case Unarchive:
		if l.SessionID == "" {
			l.SessionID = m.ID
		}
	case SessionAdopted:
		l.Adopted = true
		if l.SessionID == "" {
			l.SessionID = m.ID
		}
	case SessionFailed:
		if m.ExitCode != 143 {
			l.Failed++
		}
	case ReplState:
		l.State = m.Text
		l.Offline = l.Offline && m.Text != "connected"
	case Shutdown:
		l.Stopping = true
	case PoisonedReattach:
		l.Poisoned = true
	case PointerStale:
		l.Stale, l.Trouble = true, m
	case SessionTrouble:
		l.Trouble = m
	case FlagIgnored:
		l.Ignored, l.Fault = true, m
	case Fatal, TrustError, SessionBusy:
		l.Fault = m
	}
}

// Ready reports whether the debug file proves that the bridge serves. Being
// alive proves nothing, and neither does a link on the screen. For pty there
// is a second proof, the session file: see BridgeSession.
func (l *Log) Ready(mode bridge.Mode) bool {
	if mode == bridge.PTY {
		switch l.State {
		case "connected", "ready":
			return !l.Ignored
		case "": // builds that do not log the state
			return !l.Ignored && l.Created
		}
		return false
	}
	return l.Polling && l.EnvID != ""
}

// Cause is the last failure in the log that explains an end, zero where there
// is none. A Trouble does not: claude gets over most of them, and a bridge
// that ends an hour later ends of something else.
func (l *Log) Cause() bridge.Cause { return l.Fault.Cause() }

// Link is where the bridge is reached: the environment of a standard bridge,
// else its session. "" while neither is known. Bearer-like.
func (l *Log) Link(mode bridge.Mode, spawn bridge.SpawnMode) string {
	if mode == bridge.Standard && l.EnvID != "" && (spawn != bridge.Session || l.SessionID == "") {
		return EnvironmentLink(l.EnvID)
	}
	if l.SessionID != "" {
		return SessionLink(l.SessionID)
	}
	return ""
}

// EnvironmentLink is the page of an environment id (env_…). Bearer-like.
func EnvironmentLink(id string) string { return "https://claude.ai/code?environment=" + id }

// SessionLink is the page of a session id (session_… or cse_…). Bearer-like.
func SessionLink(id string) string { return "https://claude.ai/code/session_" + Suffix(id) }
