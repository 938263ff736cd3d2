package gate

import (
	"bytes"
	"encoding/json"
	"fmt"

	"clauster/pkg/bridge"
)

// OrderVersion is the version of Order. Keeper and gate are the same
// executable at the moment of a launch, so they never differ in practice; the
// check is for the developer.
const OrderVersion = 1

// maxOrder bounds an order; claude.env is the only part that can be large.
const maxOrder = 1 << 20

// Order is everything a launch needs on the bridge user's side.
type Order struct {
	Version   int              `json:"version"`
	Kind      bridge.Kind      `json:"kind"`
	Transport bridge.Transport `json:"transport"`

	Instance string `json:"instance"`
	Root     string `json:"root"`    // projects_root, resolved
	Project  string `json:"project"` // directory name below it

	User  string `json:"user"`
	Home  string `json:"home"`
	Shell string `json:"shell"`
	Lang  string `json:"lang,omitempty"`

	Binary      string            `json:"binary"`
	MinVersion  string            `json:"min_version"`
	PathAppend  []string          `json:"path_append,omitempty"`
	NodeFromNVM bool              `json:"node_from_nvm,omitempty"`
	Env         map[string]string `json:"env,omitempty"` // [claude.env]

	Options   bridge.Options `json:"options"` // every field settled
	Label     string         `json:"label"`
	Worktree  string         `json:"worktree,omitempty"`
	Continue  bool           `json:"continue,omitempty"`
	Fork      string         `json:"fork,omitempty"`
	DebugFile string         `json:"debug_file"`

	Trust       bool `json:"trust,omitempty"`        // grant workspace trust first
	Consent     bool `json:"consent,omitempty"`      // set the consent flags first
	AllowBypass bool `json:"allow_bypass,omitempty"` // root's ceiling
}

// Report is one line of the gate's story. Exactly one of Refused, Started and
// Ended is set, or Warning.
type Report struct {
	Warning string        `json:"warning,omitempty"`
	Refused *bridge.Cause `json:"refused,omitempty"` // claude was not started
	Started *Started      `json:"started,omitempty"`
	Ended   *bridge.Exit  `json:"ended,omitempty"`
}

// Started tells that claude runs.
type Started struct {
	PID       int    `json:"pid"`
	Version   string `json:"version"`
	Dir       string `json:"dir"`                  // the project directory, resolved
	ConfigDir string `json:"config_dir,omitempty"` // CLAUDE_CONFIG_DIR where set
}

// Story is all that a gate has reported so far.
type Story struct {
	Warnings []string
	Refused  *bridge.Cause
	Started  *Started
	Ended    *bridge.Exit
}

// ReadStory reads every complete line in data; a line cut short by the gate's
// death is ignored.
func ReadStory(data []byte) (Story, error) {
	var s Story
	for {
		line, rest, complete := bytes.Cut(data, []byte{'\n'})
		if !complete {
			return s, nil
		}
		data = rest
		var r Report
		if err := json.Unmarshal(line, &r); err != nil {
			return s, fmt.Errorf("cannot read the gate's report: %w", err)
		}
		switch {
		case r.Refused != nil:
			s.Refused = r.Refused
		case r.Started != nil:
			s.Started = r.Started
		case r.Ended != nil:
			s.Ended = r.Ended
		case r.Warning != "":
			s.Warnings = append(s.Warnings, r.Warning)
		}
	}
}
