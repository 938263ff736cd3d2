package config

import (
	"slices"
	"strings"
)

// DroppedKey is a key (or variable) of the Python Clauster that means nothing
// here. `config check` answers it with its sentence.
type DroppedKey struct {
	Name     string // dotted key, or the name of an environment variable
	Replaced string // what replaces it; "" for nothing
	Because  string // one sentence
	Refused  bool   // a fault, not a warning: ignoring it would be dangerous
}

// Sentence is what config check says.
func (d DroppedKey) Sentence() string {
	if d.Replaced != "" {
		return "it is replaced by " + d.Replaced + ": " + d.Because
	}
	return "it was dropped: " + d.Because
}

const (
	socketCommand = "systemctl edit clauster-web.socket"
	journalKeeps  = "log lines are in the journal, which has its own limits (SystemMaxUse=, MaxRetentionSec= in journald.conf)"
	noPolling     = "nothing polls: systemd, the journal and the cgroups tell"
	noDaemon      = "hosted sessions need no daemon of their own"
)

// Dropped lists the keys of the Python Clauster that are gone.
func Dropped() []DroppedKey {
	return []DroppedKey{
		{Name: "schema_version", Because: "one schema serves every version; unknown keys are warned about"},
		{Name: "host", Replaced: socketCommand, Because: "systemd owns the address (ListenStream=)", Refused: true},
		{Name: "port", Replaced: socketCommand, Because: "systemd owns the address (ListenStream=)", Refused: true},
		{Name: "state_dir", Replaced: "/var/lib/clauster", Because: "directories come from systemd (StateDirectory=, RuntimeDirectory=)"},
		{Name: "log_format", Replaced: "the journal", Because: "every line has fields: journalctl -o json"},
		{Name: "claude.resume_mode", Replaced: "claude.launch_mode", Because: "it is the old name of that key"},
		{Name: "claude.agents_json_poll_interval_seconds", Because: noPolling},
		{Name: "claude.pty_screen_enabled", Replaced: "clauster-ctl attach", Because: "the terminal of every bridge can be seen, at no cost while nobody looks"},
		{Name: "db.backup_before_migrate", Because: "a snapshot is taken before every migration"},
		{Name: "database_url", Because: "the store is one SQLite file in the state directory"},
		{Name: "logs.bridge_log_max_size_mb", Replaced: "journald.conf", Because: journalKeeps},
		{Name: "logs.keep_rotated", Replaced: "journald.conf", Because: journalKeeps},
		{Name: "logs.redact_session_url", Because: "session ids and links never reach the journal"},
		{Name: "logs.retention_max_age_days", Replaced: "journald.conf", Because: journalKeeps},
		{Name: "logs.retention_max_files", Replaced: "journald.conf", Because: journalKeeps},
		{Name: "logs.retention_max_total_mb", Replaced: "journald.conf", Because: journalKeeps},
		{Name: "usage.show_cost", Replaced: "usage.mode", Because: "it is the old name of that key (true is cost, false is off)"},
		{Name: "metrics.sample_interval_seconds", Because: "CPU use is the kernel's own count between two readings"},
		{Name: "metrics.poll_seconds", Because: noPolling},
		{Name: "claustrum.enabled", Because: noDaemon},
		{Name: "claustrum.binary", Because: noDaemon},
		{Name: "claustrum.socket_path", Because: noDaemon},
		{Name: "claustrum.spawn_timeout_seconds", Because: noDaemon},
		{Name: "claustrum.request_timeout_seconds", Because: noDaemon},
		{Name: "claustrum.keep_children", Because: noDaemon},
		{Name: "tls.provision", Replaced: "tls.cert_file and tls.key_file", Because: "a self-signed certificate is nobody's proof: use the reverse proxy's, or openssl req -x509"},
		{Name: "tls.hostnames", Replaced: "tls.cert_file", Because: "it served only the self-signed certificate"},
	}
}

// DroppedVariables lists the environment variables outside the Python
// Clauster's schema that are gone.
func DroppedVariables() []DroppedKey {
	const secret = "the signing key is made once and kept in the state directory; a systemd credential overrides it"
	return []DroppedKey{
		{Name: "CLAUSTER_SESSION_SECRET", Replaced: "the systemd credential clauster.session_secret", Because: secret},
		{Name: "CLAUSTER_SESSION_SECRET_FILE", Replaced: "the systemd credential clauster.session_secret", Because: secret},
		{Name: "CLAUSTER_HOME", Replaced: "/var/lib/clauster", Because: "directories come from systemd"},
		{Name: "CLAUSTER_SETUP_HOST", Because: "there is no setup server"},
		{Name: "CLAUSTER_SETUP_PORT", Because: "there is no setup server"},
		{Name: "CLAUSTER_PYTE_PATH", Because: "no terminal emulator is needed"},
		{Name: "CLAUSTER_CLAUDE_RESUME_MODE", Replaced: "CLAUSTER_CLAUDE_LAUNCH_MODE", Because: "it is the old name of that variable"},
	}
}

// reservedVariable reports CLAUSTER_ variables that are not configuration and
// nobody's mistake: the name of the main file, what a keeper hands to itself
// over a re-execution, and what tests use.
func reservedVariable(name string) bool {
	return name == "CLAUSTER_CONFIG" || slices.ContainsFunc(
		[]string{"CLAUSTER_HANDOFF", "CLAUSTER_TEST_", "CLAUSTER_MACHINE_", "CLAUSTER_FAIL"},
		func(prefix string) bool { return strings.HasPrefix(name, prefix) })
}

// reservedCredential reports credentials that other parts of Clauster read.
func reservedCredential(name string) bool {
	return name == credentialPrefix+"session_secret"
}
