package lint

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"clauster/pkg/bridge"
)

const (
	systemUnit = "units/system/clauster@.service"
	userUnit   = "units/user/clauster@.service"
)

// setting is one line of a unit file.
type setting struct {
	key, value string
	commented  bool // a comment stands above it, or above its group of lines
}

// settings reads a unit file. A blank line ends a group; a comment holds for
// the lines below it up to the next comment or blank line.
func settings(t *testing.T, path string) []setting {
	t.Helper()
	var all []setting
	commented := false
	for _, line := range strings.Split(read(t, path), "\n") {
		switch {
		case strings.HasPrefix(line, "#"):
			commented = true
		case strings.TrimSpace(line) == "" || strings.HasPrefix(line, "["):
			commented = false
		default:
			key, value, _ := strings.Cut(line, "=")
			all = append(all, setting{key, value, commented})
		}
	}
	return all
}

func value(t *testing.T, path, key string) string {
	t.Helper()
	for _, s := range settings(t, path) {
		if s.key == key {
			return s.value
		}
	}
	return ""
}

// TestUnitsExitCodes: what the keeper calls final is final for systemd too.
func TestUnitsExitCodes(t *testing.T) {
	codes := []int{bridge.ExitStopped, bridge.ExitNotReady, bridge.ExitCrashed, bridge.ExitTemporary,
		bridge.ExitGaveUp, bridge.ExitPermanent, bridge.ExitConfig}
	var final []string
	for _, code := range codes {
		if !(bridge.Verdict{ExitCode: code}).Restarts() {
			final = append(final, fmt.Sprint(code))
		}
	}
	for _, unit := range []string{systemUnit, userUnit} {
		if got := strings.Fields(value(t, unit, "RestartPreventExitStatus")); !slices.Equal(got, final) {
			t.Errorf("%s: RestartPreventExitStatus=%v, the code says %v", unit, got, final)
		}
		if slices.Contains(strings.Fields(value(t, unit, "RestartPreventExitStatus")), "2") {
			t.Errorf("%s: 2 is Go's panic and the watchdog: the keeper must come back", unit)
		}
	}
}

// TestUnitsOwnSentences: every line that restricts anything has its sentence.
func TestUnitsOwnSentences(t *testing.T) {
	plain := []string{"Description", "Documentation", "Wants", "WantedBy", "ExecStart"}
	for _, unit := range []string{systemUnit, userUnit} {
		for _, s := range settings(t, unit) {
			if !s.commented && !slices.Contains(plain, s.key) {
				t.Errorf("%s: %s= has no comment", unit, s.key)
			}
		}
	}
}

// TestUnitsForbiddenSettings: each was tried, or is known to break an agent.
func TestUnitsForbiddenSettings(t *testing.T) {
	forbidden := map[string]string{
		"PrivateTmp":             "the survivor's /tmp dies with the service",
		"MemoryDenyWriteExecute": "claude's JavaScript engine compiles at run time",
		"RestrictNamespaces":     "claude's own sandbox is bubblewrap",
		"ProtectControlGroups":   "it mounts a fresh /proc and /sys: an administrator's hidepid= is lost",
		"ProtectKernelTunables":  "it mounts over /proc, and bubblewrap cannot mount its own any more",
		"ProtectKernelLogs":      "it mounts over /proc, and bubblewrap cannot mount its own any more",
		"ProtectProc":            "the keeper reads /proc of a process it may not trace",
		"ProtectHostname":        "its filter breaks bubblewrap's --hostname",
		"LockPersonality":        "debuggers and sanitizers turn off address randomisation",
		"OOMScoreAdjust":         "the bridge inherits it, and may lower itself to it again",
		"BindsTo":                "kills the bridge with its keeper",
		"StateDirectory":         "systemd 252 puts a user unit's under ~/.config",
	}
	for _, unit := range []string{systemUnit, userUnit} {
		for _, s := range settings(t, unit) {
			if because, bad := forbidden[s.key]; bad {
				t.Errorf("%s: %s=: %s", unit, s.key, because)
			}
		}
	}
}

// TestUserUnitFollowsSystemUnit: the two differ only where root makes the
// difference.
func TestUserUnitFollowsSystemUnit(t *testing.T) {
	needsRoot := []string{"Wants", "Group", "DevicePolicy", "IPAddressDeny", "CapabilityBoundingSet",
		"PrivateMounts", "ProtectSystem", "ReadWritePaths", "BindPaths", "Environment", "InaccessiblePaths", "ProtectClock"}
	differs := []string{"After", "ExecStopPost", "RuntimeDirectoryMode", "WantedBy"}
	user := map[string]string{}
	for _, s := range settings(t, userUnit) {
		user[s.key] = s.value
	}
	for _, s := range settings(t, systemUnit) {
		got, ok := user[s.key]
		delete(user, s.key)
		switch {
		case slices.Contains(needsRoot, s.key):
			if ok {
				t.Errorf("%s: %s= fails or is ignored in a user manager", userUnit, s.key)
			}
		case slices.Contains(differs, s.key):
		case got != s.value:
			t.Errorf("%s= is %q for the system and %q for users", s.key, s.value, got)
		}
	}
	for key := range user {
		t.Errorf("%s: %s= is only here", userUnit, key)
	}
}
