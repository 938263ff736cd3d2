package config

import (
	"encoding/json"
	"errors"
	"io/fs"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"

	"clauster/pkg/bridge"
)

const secretText = "hunter2-hunter2"

// machine is a root directory with the main file.
func machine(main string, more ...string) fstest.MapFS {
	m := fstest.MapFS{"etc/clauster/clauster.toml": {Data: []byte(main), Mode: 0o640}}
	for i := 0; i+1 < len(more); i += 2 {
		m[more[i]] = &fstest.MapFile{Data: []byte(more[i+1]), Mode: 0o640}
	}
	return m
}

func load(t *testing.T, src Source) (*Config, *Report) {
	t.Helper()
	c, r := Load(src)
	if c == nil || r == nil {
		t.Fatal("Load gave nil")
	}
	return c, r
}

// mustLoad loads what must have neither faults nor warnings.
func mustLoad(t *testing.T, src Source) *Config {
	t.Helper()
	c, r := load(t, src)
	if err := r.Err(); err != nil || len(r.Warnings) > 0 {
		t.Fatalf("faults %v, warnings %v", r.Faults, r.Warnings)
	}
	return c
}

func TestDefaults(t *testing.T) {
	c := mustLoad(t, Source{FS: machine(`user = "ops"`)})
	want := Claude{Binary: "claude", MinVersion: "2.1.145", StartupGraceSeconds: 60, LaunchMode: bridge.Standard, PathAppend: []string{},
		NodeFromNVM: true, AutoEnableRemoteControl: true, ResumeRecapMaxChars: 8000}
	if d := cmp.Diff(want, c.Claude); d != "" {
		t.Error(d)
	}
	wantDefaults := InstanceDefaults{SpawnMode: bridge.SameDir, PermissionMode: bridge.PermDefault, Capacity: 32}
	if d := cmp.Diff(wantDefaults, c.InstanceDefaults); d != "" {
		t.Error(d)
	}
	if c.Restart != bridge.RestartOnCrash || c.Logs.LinesPerSecond != 200 || c.Logs.Burst != 2000 || !c.Webhooks.BlockPrivateTargets {
		t.Errorf("%+v", c)
	}
	root, err := c.ProjectsRootFor("/srv/ops")
	if err != nil || root != "/srv/ops/projects" {
		t.Errorf("projects root %q, %v", root, err)
	}
	if !c.Webhooks.Events["spawn"] || c.Webhooks.Events["alert"] || len(c.Webhooks.Events) != len(WebhookEvents()) {
		t.Errorf("events %v", c.Webhooks.Events)
	}
}

func TestProjectOverridesGeneral(t *testing.T) {
	c := mustLoad(t, Source{FS: machine(`
user = "ops"
projects_root = "~ops/src"
restart = "never"
[limits]
memory_max = "2G"
cpu_quota = "150%"
tasks_max = 512
[projects.blog]
allow_bypass_permissions = true
restart = "on-crash"
memory_max = 1073741824
io_weight = 50
[projects."v1.2"]
tasks_max = "infinity"
`)})
	want := Project{Name: "blog", AllowBypassPermissions: true, Restart: bridge.RestartOnCrash,
		Limits: Limits{MemoryMax: 1 << 30, CPUQuota: 1_500_000, IOWeight: 50, TasksMax: 512}}
	if d := cmp.Diff(want, c.ForProject("blog")); d != "" {
		t.Error(d)
	}
	if p := c.ForProject("v1.2"); p.Limits.TasksMax != Infinity || p.Restart != bridge.RestartNever {
		t.Errorf("%+v", p)
	}
	props := c.ForProject("other").Limits.Properties()
	if d := cmp.Diff([]Property{{"MemoryMax", 2 << 30}, {"CPUQuotaPerSecUSec", 1_500_000}, {"TasksMax", 512}}, props); d != "" {
		t.Error(d)
	}
	if root, _ := c.ProjectsRootFor("/home/ops"); root != "/home/ops/src" {
		t.Errorf("root %q", root)
	}
}

func TestLayersAndOrigins(t *testing.T) {
	m := machine("user = \"ops\"\n[claude]\nbinary = \"one\"\nmin_version = \"2.1.1\"\n[claude.env]\nA = \"1\"\nB = \"2\"\n",
		"etc/clauster/clauster.toml.d/20-b.toml", "claude.binary = \"three\"\nrestart = \"never\"\nlog_level = \"debug\"\nlogs.burst = 300\n",
		"etc/clauster/clauster.toml.d/10-a.toml", "claude.binary = \"two\"\nclaude.env.B = \"3\"\n",
		"etc/clauster/clauster.toml.d/README", "not toml",
		"run/cred/clauster.logs.burst", "400\n",
		"run/cred/clauster.log_level", "error\n",
		"run/cred/other", "x",
		"run/secret", " 500 \n")
	src := Source{FS: m, CredentialsDir: "/run/cred", Environ: []string{"PATH=/bin", "CLAUSTER_LOG_LEVEL=Warning",
		"CLAUSTER_LOGS_BURST=1", "CLAUSTER_LOGS_BURST_FILE=/run/secret", "CLAUSTER_RESTART_FILE=  ", "CLAUSTER_CLAUDE_PATH_APPEND=/a, ,~/b"}}
	c := mustLoad(t, src)
	got := map[string]string{}
	for _, s := range c.Effective() {
		if s.Origin.Kind != FromDefault {
			got[s.Key] = s.Text + " < " + s.Origin.String()
		}
	}
	dir := "/etc/clauster/clauster.toml"
	want := map[string]string{
		"user":               `"ops" < ` + dir + ":1",
		"claude.binary":      `"three" < ` + dir + ".d/20-b.toml:1",
		"claude.min_version": `"2.1.1" < ` + dir + ":4",
		"claude.env.A":       `(hidden) < ` + dir + ":6",
		"claude.env.B":       `(hidden) < ` + dir + ".d/10-a.toml:2",
		"restart":            `"never" < ` + dir + ".d/20-b.toml:2",
		"log_level":          `"warning" < environment CLAUSTER_LOG_LEVEL`,
		"logs.burst":         `500 < /run/secret (CLAUSTER_LOGS_BURST_FILE)`,
		"claude.path_append": `["/a", "~/b"] < environment CLAUSTER_CLAUDE_PATH_APPEND`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if c.Claude.Env["A"] != "1" || c.Claude.Env["B"] != "3" {
		t.Errorf("env %v", c.Claude.Env)
	}
	dirs, err := c.PathAppendFor("/home/ops")
	if err != nil || !slices.Equal(dirs, []string{"/a", "/home/ops/b"}) {
		t.Errorf("%v %v", dirs, err)
	}
	if _, err := json.Marshal(c.Effective()); err != nil {
		t.Error(err)
	}
}

func findings(list []Finding) []string {
	out := []string{}
	for _, f := range list {
		s := strings.ReplaceAll(f.String(), "/etc/clauster/clauster.toml", "T")
		if f.Hint != "" {
			s += " | " + f.Hint
		}
		out = append(out, s)
	}
	return out
}

func TestEveryFaultAtOnce(t *testing.T) {
	_, r := load(t, Source{FS: machine(`user = "root"
host = "0.0.0.0"
restart = "sometimes"
[claude]
launch_mode = 3
startup_grace_seconds = 0
binary = "./claude"
[claude.env]
"A B" = "x"
[instance_defaults]
capacity = 0
[limits]
memory_max = "2 gigs"
cpu_quota = "150"
cpu_weight = 0
[projects."a b"]
restart = "never"
[projects.blog]
restart = true
[auth]
password_required = true
password_hash = "` + secretText + `"
[auth.reverse_proxy]
enabled = true
[webhooks]
urls = ["` + secretText + `"]
[webhooks.events]
sapwn = true
[tls]
cert_file = "/a"
`)})
	want := []string{
		`T:1: user = "root": bridges never run as root: name an ordinary user`,
		`T:2: host: it is replaced by systemctl edit clauster-web.socket: systemd owns the address (ListenStream=) | systemctl edit clauster-web.socket`,
		`T:3: restart = "sometimes": it must be one of on-crash, never`,
		`T:5: claude.launch_mode = 3: it must be one of standard, pty, not an integer`,
		`T:6: claude.startup_grace_seconds = 0: it must be a number above 0 to 86400`,
		`T:7: claude.binary = "./claude": it must be a plain name, an absolute path, or begin with ~/`,
		`T:9: claude.env."A B" = (hidden): it cannot be the name of an environment variable: only letters, digits and _ are allowed, and no digit first`,
		`T:11: instance_defaults.capacity = 0: it must be an integer from 1 to 1024`,
		`T:13: limits.memory_max = "2 gigs": it must be a size such as "2G" (K, M, G, T: powers of 1024) or "infinity"`,
		`T:14: limits.cpu_quota = "150": it must be a percentage of one CPU such as "150%", or "infinity"`,
		`T:15: limits.cpu_weight = 0: it must be an integer from 1 to 10000`,
		`T:16: projects."a b": it cannot be the name of a project: only letters, digits, _ . and - are allowed`,
		`T:19: projects.blog.restart = true: it must be one of on-crash, never, not true or false`,
		`T:22: auth.password_hash = (hidden): it must be an argon2id hash: clauster-ctl hash-password prints it`,
		`T:24: auth.reverse_proxy.enabled = true: it needs auth.reverse_proxy.trusted_ips | name the addresses the proxy connects from`,
		`T:24: auth.reverse_proxy.enabled = true: it needs auth.reverse_proxy.shared_secret while require_hmac is true | set the secret, or require_hmac = false to believe the header of a trusted address alone`,
		`T:26: webhooks.urls = (hidden): number 1 cannot be used: it must be an http:// or https:// URL with a host`,
		`T:28: webhooks.events.sapwn: there is no such event | did you mean webhooks.events.spawn?`,
		`T:30: tls.cert_file = "/a": it needs tls.key_file`,
	}
	want[13] = strings.Replace(want[13], "prints it", "prints one", 1)
	if d := cmp.Diff(want, findings(r.Faults)); d != "" {
		t.Error(d)
	}
	if text := strings.Join(append(findings(r.Faults), r.Err().Error()), "\n"); strings.Contains(text, secretText) {
		t.Error("a secret was printed")
	}
}

func TestWarnings(t *testing.T) {
	_, r := load(t, Source{FS: machine(`user = "ops"
state_dir = "/x"
colour = 1
[cluade]
binary = "x"
[claude]
binari = "/x"
capacity = 3
resume_mode = "pty"
[claustrum]
enabled = true
[projects.blog]
restrat = "never"
memory_max = "1G"
memory_high = "2G"
[instance_defaults]
permission_mode = "bypassPermissions"
[auth.reverse_proxy]
shared_secert = "` + secretText + `"
[webhooks]
enabled = true
urls = ["https://hooks.example.com/x", "http://localhost:9001/` + secretText + `", "http://10.1.2.3/"]
`), Environ: []string{"CLAUSTER_CLAUDE_BINRY=x", "CLAUSTER_SESSION_SECRET=" + secretText, "CLAUSTER_STATE_DIR=/x", "CLAUSTER_CONFIG=/etc/clauster/clauster.toml"}})
	want := []string{
		`T:2: state_dir: it is replaced by /var/lib/clauster: directories come from systemd (StateDirectory=, RuntimeDirectory=) | take the key out`,
		`T:3: colour: the key is not known and has no effect`,
		`T:4: cluade: the key is not known and has no effect | did you mean claude?`,
		`T:7: claude.binari: the key is not known and has no effect | did you mean claude.binary?`,
		`T:8: claude.capacity: the key is not known and has no effect | did you mean instance_defaults.capacity?`,
		`T:9: claude.resume_mode: it is replaced by claude.launch_mode: it is the old name of that key | take the key out`,
		`T:11: claustrum.enabled: it was dropped: hosted sessions need no daemon of their own | take the key out`,
		`T:13: projects.blog.restrat: the key is not known and has no effect | did you mean projects.blog.restart?`,
		`T:15: projects.blog.memory_high = "2G": memory_high is above memory_max and so has no effect`,
		`T:17: instance_defaults.permission_mode = "bypassPermissions": no project allows it, so every start is refused | set allow_bypass_permissions = true in [projects.NAME], for each project that may`,
		`T:19: auth.reverse_proxy.shared_secert: the key is not known and has no effect | did you mean auth.reverse_proxy.shared_secret?`,
		`T:22: webhooks.urls = (hidden): the host of URL 2 is loopback, so every post to it is refused | set webhooks.block_private_targets = false if it is meant`,
		`T:22: webhooks.urls = (hidden): the host of URL 3 is private, so every post to it is refused | set webhooks.block_private_targets = false if it is meant`,
		`environment CLAUSTER_CLAUDE_BINRY: no key has this name, so it has no effect | did you mean CLAUSTER_CLAUDE_BINARY?`,
		`environment CLAUSTER_SESSION_SECRET: it is replaced by the systemd credential clauster.session_secret: the signing key is made once and kept in the state directory; a systemd credential overrides it | take the variable out`,
		`environment CLAUSTER_STATE_DIR: state_dir: it is replaced by /var/lib/clauster: directories come from systemd (StateDirectory=, RuntimeDirectory=) | take the key out`,
	}
	if d := cmp.Diff(want, findings(r.Warnings)); d != "" {
		t.Error(d)
	}
	if len(r.Faults) > 0 {
		t.Error(r.Faults)
	}
}

func TestMissingUserAndFile(t *testing.T) {
	_, r := load(t, Source{FS: fstest.MapFS{}})
	want := []string{`T: user: it is required: the user whose claude runs the bridges | add the line: user = "NAME"`}
	if d := cmp.Diff(want, findings(r.Faults)); d != "" {
		t.Error(d)
	}
	_, r = load(t, Source{FS: fstest.MapFS{}, Path: "/srv/c.toml", Environ: []string{"CLAUSTER_USER=ops"}})
	if !errors.Is(r.Err(), fs.ErrNotExist) || len(r.Faults) != 1 {
		t.Errorf("%v", r.Faults)
	}
}

func TestUserMode(t *testing.T) {
	m := fstest.MapFS{"home/eve/.config/clauster/clauster.toml": {Data: []byte("restart = \"never\"\nport = 1\nprojects_root = \"~bob/x\"")}}
	c, r := load(t, Source{FS: m, UserMode: true, Environ: []string{"HOME=/home/eve", "CLAUSTER_USER=eve"}})
	if c.Restart != bridge.RestartNever || c.User != "" || len(r.Warnings) != 1 || len(r.Faults) != 2 {
		t.Errorf("%+v", r)
	}
	if r.Faults[0].Hint != "systemctl --user edit clauster-web.socket" {
		t.Error(r.Faults[0].Hint)
	}
	if p := DefaultPath(true, []string{"HOME=/home/eve", "XDG_CONFIG_HOME=/x"}); p != "/x/clauster/clauster.toml" {
		t.Error(p)
	}
}

func TestSecretFiles(t *testing.T) {
	m := machine(`user = "ops"`, "s/empty", " \n", "s/binary", "\xff"+secretText, "s/wrong", secretText, "s/good", strings.Repeat("ab", 32)+"\n")
	m["s/pipe"] = &fstest.MapFile{Mode: fs.ModeNamedPipe | 0o600}
	m["s/huge"] = &fstest.MapFile{Data: make([]byte, maxFileSize+1)}
	for file, rule := range map[string]string{
		"/s/empty": "it is empty", "/s/binary": "its content is not UTF-8", "/s/missing": "it cannot be read: file does not exist",
		"/s/wrong": "it must be 64 hex digits in lower case (a SHA-256)", "/s/pipe": "it cannot be read: it is not a regular file",
		"/s/huge": "it cannot be read: it is larger than 1048576 bytes", "/s/good": "",
	} {
		_, r := load(t, Source{FS: m, Environ: []string{"CLAUSTER_AUTH_API_TOKEN_HASH_FILE=" + file}})
		if rule == "" {
			if r.Err() != nil {
				t.Error(r.Err())
			}
			continue
		}
		if len(r.Faults) != 1 || r.Faults[0].Rule != rule || strings.Contains(r.Faults[0].String(), secretText) {
			t.Errorf("%s: %v", file, r.Faults)
		}
	}
}

// A secret without its quotes is a syntax error, and the library's message
// holds what it could not read.
func TestSyntaxErrorHidesSecrets(t *testing.T) {
	for _, line := range []string{
		"password_hash = hunter2-hunter2", "password_hash = \"hunter2-hunter2", "password_hash = 'hunter2-hunter2", "password_hash = 12hunter2-hunter2",
		"password_hash = \"a\" hunter2-hunter2", "password_hash = \"\\hunter2-hunter2\"", "password_hash: hunter2-hunter2", "hunter2-hunter2",
		"password_hash = [ hunter2-hunter2 ]", "password_hash = true-hunter2-hunter2", "password_hash = 2020-hunter2-hunter2", "password_hash = 0xhunter2-hunter2",
		"password_hash = \"\"\"hunter2-hunter2", "password_hash = 1_hunter2-hunter2", "password_hash = \"\\u00hunter2-hunter2\"", "password_hash = \"a\"\npassword_hash = \"hunter2-hunter2\"",
	} {
		_, r := load(t, Source{FS: machine("user = \"ops\"\n[auth]\n" + line)})
		if len(r.Faults) != 1 || r.Faults[0].Line == 0 {
			t.Errorf("%s: %v", line, r.Faults)
		}
		for _, f := range r.Faults {
			if strings.Contains(f.String()+f.Hint, "hunter") {
				t.Errorf("%s: %s", line, f)
			}
		}
	}
}

func TestBridgeHash(t *testing.T) {
	base := "user = \"ops\"\n"
	hash := func(text string) string {
		t.Helper()
		return mustLoad(t, Source{FS: machine(base + text)}).BridgeHash("blog")
	}
	first := hash("")
	for _, same := range []string{"restart = \"never\"", "[projects.other]\nmemory_max = \"1G\"", "[webhooks]\ntimeout_seconds = 3", "claude.binary = \"claude\""} {
		if hash(same) != first {
			t.Errorf("changed by %s", same)
		}
	}
	for _, other := range []string{"claude.launch_mode = \"pty\"", "claude.env.A = \"1\"", "limits.memory_max = \"1G\"", "[projects.blog]\nmemory_max = \"1G\"",
		"[projects.blog]\nallow_bypass_permissions = true", "instance_defaults.verbose = true"} {
		if hash(other) == first {
			t.Errorf("not changed by %s", other)
		}
	}
	if len(first) != 16 {
		t.Error(first)
	}
}
