package claude

import (
	"encoding/json"
	"errors"
	"path/filepath"
	"time"

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

	LoginExpires json.RawMessage `json:"loginExpiresAt"` // see Expires
}

// Expires is when the login ends; the zero time where claude does not say. The
// form of the answer is not documented: a date as in the rest of the API, or
// Unix time in seconds or milliseconds.
func (a Auth) Expires() time.Time {
	var text string
	if json.Unmarshal(a.LoginExpires, &text) == nil {
		t, err := time.Parse(time.RFC3339, text)
		if err != nil {
			return time.Time{}
		}
		return t.UTC()
	}
	var n int64
	if json.Unmarshal(a.LoginExpires, &n) != nil {
		return time.Time{}
	}
	return unixTime(n)
}

// unixTime reads seconds or milliseconds; the zero time for what is neither.
func unixTime(n int64) time.Time {
	const seconds, latest = 1e11, 1e14 // the years 5138 in seconds and in milliseconds
	switch {
	case n <= 0 || n > latest:
		return time.Time{}
	case n < seconds:
		return time.Unix(n, 0).UTC()
	}
	return time.UnixMilli(n).UTC()
}

const maxCredentials = 1 << 20

// ReadLoginExpiry reads when the stored claude.ai login ends, the zero time
// where that is not known. It is for releases whose auth status does not say.
// Nothing else of the file is kept: it holds the tokens.
func ReadLoginExpiry(d Dirs) time.Time {
	f, err := readForeign(filepath.Join(d.Data(), ".credentials.json"), maxCredentials, false)
	if err != nil {
		return time.Time{}
	}
	defer clear(f.data)
	var c struct {
		OAuth struct {
			ExpiresAt int64 `json:"expiresAt"`
		} `json:"claudeAiOauth"`
	}
	if json.Unmarshal(f.data, &c) != nil {
		return time.Time{}
	}
	return unixTime(c.OAuth.ExpiresAt)
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
