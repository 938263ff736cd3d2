package e2e

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// TestConfigurationLayers: a drop-in, a variable, a file named by a variable and
// a systemd credential reach the keeper, and through it claude and the scope.
func TestConfigurationLayers(t *testing.T) {
	b := onShared(t)
	const name = "safe-layers"
	b.newProject(name, nil)
	b.MustWriteFile("/etc/clauster/clauster.toml.d/safe-layers.toml",
		"[projects."+name+"]\nmemory_high = \"300M\"\ncpu_weight = 321\n", 0o640, "")
	b.MustWriteFile("/etc/clauster/capacity", "7\n", 0o600, "")
	b.MustWriteFile("/etc/clauster/mode", "plan\n", 0o600, "")
	t.Cleanup(func() { b.MustRun("rm", "/etc/clauster/clauster.toml.d/safe-layers.toml") })
	b.dropIn(name, `Environment=CLAUSTER_LIMITS_MEMORY_MAX=512M CLAUSTER_LIMITS_MEMORY_HIGH=400M CLAUSTER_LIMITS_CPU_QUOTA=150%%
Environment=CLAUSTER_LIMITS_IO_WEIGHT=55 CLAUSTER_LIMITS_TASKS_MAX=99
Environment=CLAUSTER_INSTANCE_DEFAULTS_CAPACITY_FILE=/etc/clauster/capacity
LoadCredential=clauster.instance_defaults.permission_mode:/etc/clauster/mode
`)
	b.mustStart(name)
	scope := "clauster-bridge-" + name + ".scope"
	for property, want := range map[string]string{"MemoryMax": "536870912", "MemoryHigh": "314572800", "CPUQuotaPerSecUSec": "1.500000s",
		"CPUWeight": "321", "IOWeight": "55", "TasksMax": "99", "OOMPolicy": "continue", "Slice": "clauster.slice"} {
		if got := b.MustShow(scope, property); got != want {
			t.Errorf("%s of the scope is %s, want %s", property, got, want)
		}
	}
	if s := b.status(name); s.PermissionMode != "plan" {
		t.Errorf("permission mode %s, want plan", s.PermissionMode)
	}
	argv := strings.Split(b.MustSh(`cat "/proc/$1/cmdline"`, strconv.Itoa(b.status(name).PID)), "\x00")
	if i := slices.Index(argv, "--capacity"); i < 0 || argv[i+1] != "7" {
		t.Errorf("claude was called with %q", argv)
	}
	// A variable and a credential are of that service alone.
	if r, err := b.RunAs("op", "ls", "/run/credentials/clauster@"+name+".service"); err != nil || r.Code == 0 {
		t.Errorf("the bridge user sees the credentials: %s (%v)", r.Stdout, err)
	}
}

// TestFilesOfRoot: who owns what, so that agents read neither configuration
// nor key nor records. (Of the key only the mode counts; the group is the unit's.)
func TestFilesOfRoot(t *testing.T) {
	b := onShared(t)
	const name = "safe-files"
	b.newProject(name, nil)
	b.mustStart(name)
	for path, want := range map[string]string{
		"/etc/clauster":                                  "750 root:clauster",
		"/etc/clauster/clauster.toml":                    "640 root:clauster",
		"/etc/clauster/clauster.toml.d":                  "750 root:clauster",
		"/var/lib/clauster":                              "750 root:clauster",
		"/var/lib/clauster/session_ref.key":              "600 root:clauster",
		"/var/lib/clauster/instances":                    "2770 clauster:clauster",
		"/var/lib/clauster/instances/" + name + ".json":  "640 clauster:clauster",
		"/run/clauster/bridges/" + name:                  "750 root:clauster",
		"/run/clauster/bridges/" + name + "/keeper.sock": "660 root:clauster",
		"/run/clauster/spool":                            "711 root:root",
		"/run/clauster/spool/" + name:                    "700 op:op",
		"/run/clauster/private":                          "700 root:root",
		"/usr/lib/clauster/clauster-keeper":              "711 root:root",
	} {
		if got := strings.TrimSpace(b.MustRun("stat", "-c", "%a %U:%G", path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
}

// TestBridgeUserRefused: a keeper runs no bridge as root, as a member of group
// clauster or as nobody; it says so in the unit's status and ends with 78.
func TestBridgeUserRefused(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.MustSh(`id safe-member 2>/dev/null || useradd -m -G clauster safe-member; id safe-risky 2>/dev/null ||
		{ groupadd -f docker; useradd -m -G docker,sudo,systemd-journal safe-risky; }`)
	for i, c := range []struct{ user, says string }{
		{"root", "as root"}, {"safe-member", "group clauster"}, {"no-such-login", "no such user"}, {"clauster", "group clauster"},
	} {
		name := fmt.Sprintf("safe-user-%d", i)
		unit := "clauster@" + name + ".service"
		b.newProject(name, nil)
		b.dropIn(name, "Environment=CLAUSTER_USER="+c.user+"\n")
		if r := b.start(name); r.Code == 0 {
			t.Errorf("a bridge of %s started", c.user)
		}
		if code, text := b.MustShow(unit, "ExecMainStatus"), b.MustShow(unit, "StatusText"); code != "78" || !strings.Contains(text, c.says) {
			t.Errorf("%s: exit code %s, StatusText=%s", c.user, code, text)
		}
	}
	const risky = "safe-user-risky"
	b.newProject(risky, nil)
	b.dropIn(risky, "Environment=CLAUSTER_USER=safe-risky\n")
	b.start(risky) // fails, safe-risky has no claude; the warnings come before
	var warned []string
	for _, e := range b.events(risky) {
		if e.Get("CLAUSTER_EVENT") == "warning" {
			warned = append(warned, e.Get("MESSAGE"))
		}
	}
	for _, group := range []string{"docker", "sudo", "systemd-journal"} {
		if !slices.ContainsFunc(warned, func(m string) bool { return strings.Contains(m, "in group "+group+":") }) {
			t.Errorf("no warning of group %s: %q", group, warned)
		}
	}
}
