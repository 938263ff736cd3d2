package claude

import (
	"encoding/json"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"clauster/pkg/bridge"
)

// ManagedSettings is the administrator's file, which no user can override.
const ManagedSettings = "/etc/claude-code/managed-settings.json"

const maxSettings = 4 << 20

// DefaultMode is the permission mode that claude would take by itself, that
// is, when it is started without --permission-mode.
type DefaultMode struct {
	Mode   bridge.PermissionMode // as written; PermDefault where no file says anything
	Source string                // the file that decided, "" where none did
	Doubt  string                // a file that might say more but could not be judged, "" where none
}

// MayBypass reports whether claude would, or could, start without asking for
// permissions. A file that could not be judged counts: an agent writes the
// project's settings and would otherwise hide the mode from us and not from
// claude.
func (m DefaultMode) MayBypass() bool { return m.Mode == bridge.PermBypass || m.Doubt != "" }

// ReadDefaultMode works out permissions.defaultMode for a project directory:
// managed settings win over the project's local ones, those over the
// project's, those over the user's. managed is ManagedSettings but in tests.
//
// Links are followed, because claude follows them; a pipe, a huge file or one
// that does not parse is a doubt. It must run as the bridge user: what that
// one cannot read, claude cannot either.
func ReadDefaultMode(d Dirs, project, managed string) DefaultMode {
	out := DefaultMode{Mode: bridge.PermDefault}
	for _, file := range []string{
		managed,
		filepath.Join(project, ".claude", "settings.local.json"),
		filepath.Join(project, ".claude", "settings.json"),
		filepath.Join(d.Data(), "settings.json"),
	} {
		mode, err := defaultModeOf(file)
		switch {
		case err != nil && out.Doubt == "":
			out.Doubt = file
		case mode != "" && out.Source == "":
			out.Mode, out.Source = bridge.PermissionMode(mode), file
		}
	}
	return out
}

// defaultModeOf reads one file; "" where it does not exist or says nothing.
func defaultModeOf(file string) (string, error) {
	f, err := readForeign(file, maxSettings, true)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission):
		return "", nil
	case err != nil:
		return "", err
	}
	mode, err := parseDefaultMode(f.data)
	if err != nil && !strings.Contains(string(f.data), "ypass") && !strings.Contains(string(f.data), `\u`) {
		return "", nil // claude ignores it too, and whatever it took from it would not be bypass
	}
	return mode, err
}

// parseDefaultMode reads permissions.defaultMode. It goes through maps because
// encoding/json matches the keys of a struct in any case, and claude does not:
// a second key "DefaultMode" would hide the real one.
func parseDefaultMode(data []byte) (string, error) {
	if isBlank(data) {
		return "", nil
	}
	var top, permissions map[string]json.RawMessage
	if err := json.Unmarshal(data, &top); err != nil {
		return "", err
	}
	raw, ok := top["permissions"]
	if !ok || string(raw) == "null" {
		return "", nil
	}
	if err := json.Unmarshal(raw, &permissions); err != nil {
		return "", err
	}
	raw, ok = permissions["defaultMode"]
	if !ok || string(raw) == "null" {
		return "", nil
	}
	var mode string
	if err := json.Unmarshal(raw, &mode); err != nil {
		return "", err
	}
	return clip(mode, 64), nil
}
