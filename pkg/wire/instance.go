package wire

import "clauster/pkg/bridge"

// Instance is what is shown of one instance: the object of `clauster-ctl list
// --json`, `clauster-ctl status --json` and of the API. Zero pointers and empty strings are unknown and left out.
// All text in it is clean.
type Instance struct {
	Host           string                `json:"host"`
	Instance       string                `json:"instance"`
	Project        string                `json:"project"`
	Label          string                `json:"label"` // the name given to claude
	Mode           bridge.Mode           `json:"mode,omitempty"`
	Status         bridge.Status         `json:"status"`
	Health         bridge.Health         `json:"health,omitempty"`
	Reason         string                `json:"reason,omitempty"`
	PID            int                   `json:"pid,omitempty"`      // of claude
	Since          Time                  `json:"since,omitzero"`     // launched, or ended
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
	ReadySince    Time     `json:"ready_since,omitzero"`
	SessionRef    string   `json:"session_ref,omitempty"`
	Links         []string `json:"links,omitempty"`
	Viewers       int      `json:"viewers,omitempty"`
	Crashes       int      `json:"crashes,omitempty"` // in a row
	LinesSent     uint64   `json:"lines_sent,omitempty"`
	LinesDropped  uint64   `json:"lines_dropped,omitempty"`
	Path          string   `json:"path,omitempty"`
	Worktree      string   `json:"worktree,omitempty"`
	VerdictWord   string   `json:"verdict,omitempty"` // of the last end
}
