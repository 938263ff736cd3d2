package claude

import (
	"encoding/json"
	"errors"

	"clauster/pkg/bridge"
)

// Auth is what claude auth status says, less the personal data in it (email,
// organization), which Clauster never reads.
type Auth struct {
	LoggedIn    bool   `json:"loggedIn"`
	Method      string `json:"authMethod"`        // claude.ai, oauth_token, api_key, third_party, none
	Provider    string `json:"apiProvider"`       // firstParty, bedrock …
	ConfigDir   string `json:"configDirectory"`   // ~/.claude
	ProjectsDir string `json:"projectsDirectory"` // ~/.claude/projects
}

// ParseAuth reads the standard output of claude auth status. Its exit status 1
// with JSON is the normal answer of a claude that is not logged in, so look
// here and not at the exit status.
func ParseAuth(stdout []byte) (Auth, error) {
	var a Auth
	if len(stdout) > maxOutput {
		return Auth{}, cannot("read", "the answer of claude auth status", errTooLarge)
	}
	if err := json.Unmarshal(stdout, &a); err != nil {
		return Auth{}, errors.New("cannot read the answer of claude auth status: it is no JSON")
	}
	return a, nil
}

// Cause says why this login does not allow Remote Control; zero where it does
// as far as the login can tell. loggedIn alone is not enough.
func (a Auth) Cause() bridge.Cause {
	switch {
	case !a.LoggedIn:
		return CauseNamed("logged-out")
	case a.Provider != "" && a.Provider != "firstParty", a.Method == "third_party":
		return CauseNamed("provider")
	case a.Method == "oauth_token":
		return CauseNamed("token-kind")
	case a.Method == "api_key", a.Method == "api_key_helper":
		return CauseNamed("no-subscription")
	}
	return bridge.Cause{}
}
