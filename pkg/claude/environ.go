package claude

import (
	"maps"
	"net/url"
	"slices"
	"strings"
)

// SystemPath is the part of a bridge's PATH between ~/.local/bin and the
// configured additions.
const SystemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// Environ is everything a bridge's environment is built from. Nothing is
// inherited: what is not here does not exist for claude.
type Environ struct {
	Home, User string            // of the bridge user, from the password file
	Shell      string            // "" means /bin/sh
	Lang       string            // LANG of the keeper; "" means C.UTF-8
	NodeDir    string            // from NodeFromNVM; goes first in PATH; "" for none
	PathAppend []string          // path_append of clauster.toml
	Overlay    map[string]string // [claude.env] of clauster.toml; wins over what is built
}

// Build gives the environment as NAME=value, sorted by name, and the names of
// the overlay that were dropped because they are ours or systemd's: they would
// lie to claude about who started it, or move its files away from where the
// keeper looks for them.
func (e Environ) Build() (env, dropped []string) {
	vars := map[string]string{
		"HOME":                e.Home,
		"USER":                e.User,
		"LOGNAME":             e.User,
		"SHELL":               orElse(e.Shell, "/bin/sh"),
		"TERM":                "xterm-256color",
		"LANG":                orElse(e.Lang, "C.UTF-8"),
		"PATH":                e.path(),
		"DISABLE_AUTOUPDATER": "1", // an update under a live server makes its sessions fail with ENOENT
	}
	for name, value := range e.Overlay {
		if reserved(name) || strings.ContainsRune(value, 0) {
			dropped = append(dropped, name)
			continue
		}
		vars[name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(vars)) {
		env = append(env, name+"="+vars[name])
	}
	slices.Sort(dropped)
	return env, dropped
}

// Variable gives a variable's value out of NAME=value, "" where it is not set.
func Variable(env []string, name string) string {
	for _, v := range env {
		if value, found := strings.CutPrefix(v, name+"="); found {
			return value
		}
	}
	return ""
}

func (e Environ) path() string {
	var dirs []string
	if e.NodeDir != "" {
		dirs = append(dirs, e.NodeDir)
	}
	dirs = append(dirs, e.Home+"/.local/bin", SystemPath)
	for _, d := range e.PathAppend {
		if d != "" {
			dirs = append(dirs, d)
		}
	}
	return strings.Join(dirs, ":")
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// reserved reports whether a name may not be set from the overlay.
func reserved(name string) bool {
	switch name {
	case "", "HOME", "USER", "LOGNAME",
		"NOTIFY_SOCKET", "WATCHDOG_PID", "WATCHDOG_USEC", "LISTEN_FDS", "LISTEN_PID", "LISTEN_FDNAMES",
		"INVOCATION_ID", "JOURNAL_STREAM", "MAINPID", "MANAGERPID", "SYSTEMD_EXEC_PID", "FDSTORE", "CREDENTIALS_DIRECTORY",
		"RUNTIME_DIRECTORY", "STATE_DIRECTORY", "CONFIGURATION_DIRECTORY", "CACHE_DIRECTORY", "LOGS_DIRECTORY",
		// What claude sets for its own children: it tells a claude that it
		// runs inside another one (transcripts were lost that way).
		"CLAUDECODE", "CLAUDE_PID", "CLAUDE_PROJECT_DIR", "CLAUDE_ENV_FILE", "CLAUDE_EFFORT",
		"CLAUDE_CODE_ENTRYPOINT", "CLAUDE_CODE_SESSION_ID", "CLAUDE_CODE_CHILD_SESSION",
		"CLAUDE_CODE_SESSION_ATTENDED", "CLAUDE_CODE_BRIDGE_SESSION_ID",
		"CLAUDE_CODE_MESSAGING_SOCKET", "CLAUDE_CODE_MESSAGING_TOKEN":
		return true
	}
	return strings.HasPrefix(name, "CLAUSTER_") || strings.ContainsAny(name, "=\x00")
}

// Disabling names the variables of env (NAME=value) that make Remote Control
// unavailable to claude, sorted. An empty value disables nothing. The bridge
// may still be started: claude says the same, only later and less clearly.
func Disabling(env []string) []string {
	var names []string
	for _, kv := range env {
		name, value, _ := strings.Cut(kv, "=")
		if value != "" && disables(name, value) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func disables(name, value string) bool {
	switch name {
	case "DISABLE_TELEMETRY", "DO_NOT_TRACK", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_GROWTHBOOK",
		"CLAUDE_CODE_USE_BEDROCK", "CLAUDE_CODE_USE_VERTEX", "CLAUDE_CODE_USE_FOUNDRY":
		return !isOff(value)
	case "ANTHROPIC_API_KEY", "ANTHROPIC_AUTH_TOKEN", "CLAUDE_CODE_OAUTH_TOKEN",
		"CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR", "ANTHROPIC_UNIX_SOCKET":
		return true
	case "ANTHROPIC_BASE_URL":
		u, err := url.Parse(value)
		return err != nil || !strings.EqualFold(u.Hostname(), "api.anthropic.com")
	}
	return false
}

// isOff reports whether a flag variable's value means "not set" to claude.
func isOff(value string) bool {
	switch strings.ToLower(strings.TrimSpace(value)) {
	case "0", "false", "no", "off":
		return true
	}
	return false
}
