package control

import (
	"encoding/json"
	"fmt"
	"time"

	"clauster/pkg/bridge"
)

// Hello opens a connection, in both directions.
type Hello struct {
	Version    int    `json:"version"`
	MinVersion int    `json:"min_version"`
	Role       string `json:"role"`              // "keeper", "ctl", "reload", later "api"
	Program    string `json:"program,omitempty"` // release of the sender
	Instance   string `json:"instance"`          // the one that is served, or meant
}

// State is a bridge as its keeper sees it. Zero fields are unknown.
type State struct {
	Instance       string                `json:"instance"`
	Run            string                `json:"run"`
	Status         bridge.Status         `json:"status"`
	Health         bridge.Health         `json:"health,omitempty"`
	Reason         string                `json:"reason,omitempty"`
	Hint           string                `json:"hint,omitempty"`
	Mode           bridge.Mode           `json:"mode,omitempty"`
	SpawnMode      bridge.SpawnMode      `json:"spawn_mode,omitempty"`
	PermissionMode bridge.PermissionMode `json:"permission_mode,omitempty"`
	Label          string                `json:"label,omitempty"`
	BridgePID      int                   `json:"bridge_pid,omitempty"` // claude
	ReaperPID      int                   `json:"reaper_pid,omitempty"`
	KeeperPID      int                   `json:"keeper_pid"`
	KeeperVersion  string                `json:"keeper_version,omitempty"`
	ClaudeVersion  string                `json:"claude_version,omitempty"`
	Launched       time.Time             `json:"launched,omitzero"`
	ReadySince     time.Time             `json:"ready_since,omitzero"`
	Links          []string              `json:"links,omitempty"` // claude.ai; for entitled peers only
	SessionRef     string                `json:"session_ref,omitempty"`
	Viewers        int                   `json:"viewers"`
	Crashes        int                   `json:"crashes,omitempty"`     // in a row
	Reattaches     int                   `json:"reattaches,omitempty"`  // of this run
	LinesSent      uint64                `json:"lines_sent"`            // log lines given to the journal
	LinesDropped   uint64                `json:"lines_dropped"`         // over the budget or the journal's queue
	ConfigHash     string                `json:"config_hash,omitempty"` // of the configuration it was launched with
}

// Size is a terminal's size in characters.
type Size struct {
	Rows int `json:"rows"`
	Cols int `json:"cols"`
}

// Attach asks for the terminal. Size is ignored for a read-only viewer.
type Attach struct {
	Size
	ReadOnly bool `json:"read_only,omitempty"`
	Replay   bool `json:"replay,omitempty"` // begin with what the ring holds

	// A viewer that lost its keeper goes on where it was: From is the offset
	// in the terminal's stream of the next byte it wants, of the run Run. A
	// server whose run is another ignores both.
	Run  string `json:"run,omitempty"`
	From uint64 `json:"from,omitempty"`
}

// Attached answers Attach. Output follows without a gap from Offset on, so a
// viewer that counts bytes knows where to go on after a redial.
type Attached struct {
	Size
	Run     string `json:"run"`
	Offset  uint64 `json:"offset"` // of the first byte that follows, since the run began
	Replay  int    `json:"replay"` // bytes of the past among what follows
	Viewers int    `json:"viewers"`
}

// Ended tells a viewer why its terminal is gone.
type Ended struct {
	Status bridge.Status `json:"status"`
	Reason string        `json:"reason,omitempty"`
	Hint   string        `json:"hint,omitempty"`
}

// Reloaded answers a reload request; the new image sends it, or the old one
// with Kept set when the new one refused.
type Reloaded struct {
	Version string `json:"version"`
	PID     int    `json:"pid"`
	Kept    bool   `json:"kept,omitempty"` // the old image went on
	Reason  string `json:"reason,omitempty"`
}

// Link answers a link request.
type Link struct {
	URL string `json:"url"`
}

// ErrorKind is the machine-readable half of an Error: a closed list.
type ErrorKind string

// The kinds of refusal.
const (
	RefusedVersion  ErrorKind = "version"   // the two do not speak a common version
	RefusedInstance ErrorKind = "instance"  // this keeper serves another instance
	RefusedDenied   ErrorKind = "denied"    // the peer's uid may not ask this
	RefusedBusy     ErrorKind = "busy"      // too many viewers, or a reload under way
	RefusedNotReady ErrorKind = "not-ready" // nothing to show yet
	RefusedProtocol ErrorKind = "protocol"  // a frame that makes no sense here
	RefusedFailed   ErrorKind = "failed"    // it was tried
)

// Error is the server's refusal.
type Error struct {
	Kind    ErrorKind `json:"kind"`
	Message string    `json:"message"`
	Hint    string    `json:"hint,omitempty"`
}

func (e *Error) Error() string { return e.Message }

// Decode reads a frame's JSON payload into v. The payload is foreign input;
// callers check what they use.
func (f Frame) Decode(v any) error {
	if err := json.Unmarshal(f.Payload, v); err != nil {
		return fmt.Errorf("cannot read frame of type %d: %w", f.Type, err)
	}
	return nil
}

// MaxRows and MaxCols bound a terminal's size; claude lays its screen out in
// memory, and a viewer must not make it allocate at will.
const (
	MaxRows = 1000
	MaxCols = 2000
)

// Valid reports whether the size may be given to a terminal.
func (s Size) Valid() bool {
	return s.Rows > 0 && s.Rows <= MaxRows && s.Cols > 0 && s.Cols <= MaxCols
}
