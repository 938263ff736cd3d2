package wire

import "clauster/pkg/bridge"

// StartRequest is the body of POST /api/v1/instances. What is left out is
// settled by clauster.toml, as for clauster-ctl start. The tags beside json are
// for the OpenAPI document; name may hold every letter that prints.
type StartRequest struct {
	Project         string                `json:"project" pattern:"^[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}$"`
	Label           string                `json:"label,omitempty" pattern:"^([A-Za-z0-9_][A-Za-z0-9_.-]{0,31})?$"`
	Mode            bridge.Mode           `json:"mode,omitempty"`
	SpawnMode       bridge.SpawnMode      `json:"spawn_mode,omitempty"`
	PermissionMode  bridge.PermissionMode `json:"permission_mode,omitempty"`
	Name            string                `json:"name,omitempty" pattern:"^([!-,.-~][ -~]{0,127})?$"`
	Capacity        *int                  `json:"capacity,omitempty" minimum:"1" maximum:"1024"`
	ResumeSessionID string                `json:"resume_session_id,omitempty" pattern:"^([0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12})?$"`
	Trust           bool                  `json:"trust,omitempty"`
}

// RestartRequest is the body of POST /api/v1/instances/{instance}/restart, if
// there is one. What is left out stays as the bridge was launched.
type RestartRequest struct {
	Mode           bridge.Mode           `json:"mode,omitempty"`
	SpawnMode      bridge.SpawnMode      `json:"spawn_mode,omitempty"`
	PermissionMode bridge.PermissionMode `json:"permission_mode,omitempty"`
	Name           string                `json:"name,omitempty" pattern:"^([!-,.-~][ -~]{0,127})?$"`
	Capacity       *int                  `json:"capacity,omitempty" minimum:"1" maximum:"1024"`
}

// Started is the answer to a start, restart or resume: the instance, and
// whether this request made it.
type Started struct {
	Instance
	Created bool `json:"created"`
}

// Stopped is the answer to a stop: the instance, and whether this request
// ended it; false where it was down already.
type Stopped struct {
	Instance
	Stopped bool `json:"stopped"`
}

// Forgotten is the answer to a forget.
type Forgotten struct {
	Host      string `json:"host"`
	Instance  string `json:"instance"`
	Forgotten bool   `json:"forgotten"`
}

// Project is one directory below projects_root.
type Project struct {
	Host                   string   `json:"host"`
	Name                   string   `json:"name"`
	Path                   string   `json:"path"`
	IsGitRepo              bool     `json:"is_git_repo"`
	GitBranch              string   `json:"git_branch,omitempty"`
	HasClaudeMD            bool     `json:"has_claude_md"`
	HasClaudeDir           bool     `json:"has_claude_dir"`
	TrustState             string   `json:"trust_state"` // trusted or untrusted
	AllowBypassPermissions bool     `json:"allow_bypass_permissions"`
	Instances              []string `json:"instances"`
}
