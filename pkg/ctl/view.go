package ctl

import (
	"encoding/json"
	"time"

	"clauster/pkg/bridge"
)

// View is what is shown of one instance: the object of `list --json` and
// `status --json`. Zero pointers and empty strings are unknown and left out.
// All text in it is clean.
type View struct {
	Host           string                `json:"host"`
	Instance       string                `json:"instance"`
	Project        string                `json:"project"`
	Label          string                `json:"label"` // the name given to claude
	Mode           bridge.Mode           `json:"mode,omitempty"`
	Status         bridge.Status         `json:"status"`
	Health         bridge.Health         `json:"health,omitempty"`
	Reason         string                `json:"reason,omitempty"`
	PID            int                   `json:"pid,omitempty"`      // of claude
	Since          utc                   `json:"since,omitzero"`     // launched, or ended
	Restarts       *int                  `json:"restarts,omitempty"` // by systemd, since the last start that was asked for
	Run            string                `json:"run,omitempty"`      //
	Unit           string                `json:"unit"`               //
	Scope          string                `json:"scope"`              //
	PermissionMode bridge.PermissionMode `json:"permission_mode,omitempty"`
	MemoryBytes    *uint64               `json:"memory_bytes,omitempty"`
	CPUSeconds     *float64              `json:"cpu_seconds,omitempty"`

	SpawnMode     bridge.SpawnMode `json:"spawn_mode,omitempty"`
	Enabled       bool             `json:"enabled"`                  // comes back after a boot
	ConfigChanged bool             `json:"config_changed,omitempty"` // since it was launched
	Hint          string           `json:"hint,omitempty"`

	// Only in status, and only for root and the group.
	KeeperPID     int      `json:"keeper_pid,omitempty"`
	KeeperVersion string   `json:"keeper_version,omitempty"`
	ClaudeVersion string   `json:"claude_version,omitempty"`
	ReadySince    utc      `json:"ready_since,omitzero"`
	SessionRef    string   `json:"session_ref,omitempty"`
	Links         []string `json:"links,omitempty"`
	Viewers       int      `json:"viewers,omitempty"`
	Crashes       int      `json:"crashes,omitempty"` // in a row
	LinesSent     uint64   `json:"lines_sent,omitempty"`
	LinesDropped  uint64   `json:"lines_dropped,omitempty"`
	Path          string   `json:"path,omitempty"`
	Worktree      string   `json:"worktree,omitempty"`
	VerdictWord   string   `json:"verdict,omitempty"` // of the last end

	instance bridge.Instance
	live     bool // its service is not down, or its scope lives
}

// utc is a time that prints as RFC 3339 in UTC with milliseconds at most.
type utc struct{ time.Time }

// MarshalJSON prints the time in UTC.
func (t utc) MarshalJSON() ([]byte, error) {
	return json.Marshal(t.UTC().Truncate(time.Millisecond).Format(time.RFC3339Nano))
}

// paintStatus colours a status word by how well it is.
func paintStatus(s style, status bridge.Status, health bridge.Health) func(string) string {
	switch {
	case status == bridge.Crashed, status == bridge.Failed:
		return s.bad
	case status == bridge.Stopped:
		return s.dim
	case status == bridge.Starting, health != bridge.OK && health != "":
		return s.warn
	}
	return s.good
}
