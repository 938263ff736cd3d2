package e2e

import (
	"strings"
	"testing"
)

// What clauster-ctl start and the configuration choose is what claude gets:
// the exact command line of both forms, all spawn and permission modes.
func TestArgv(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, flags, want string }{
		{"argv-plain", "", "remote-control --name NAME --spawn same-dir --permission-mode default --capacity 32"},
		{"argv-worktree", "--spawn-mode worktree", "remote-control --name NAME --spawn worktree --permission-mode default --capacity 32"},
		{"argv-session", "--spawn-mode session", "remote-control --name NAME --spawn session --permission-mode default"},
		{"argv-session-deaf", "--spawn-mode session --capacity 5 --prefix team", "remote-control --name NAME --spawn session --permission-mode default"},
		{"argv-all", "--name the\tname --capacity 5 --prefix team --verbose --permission-mode plan",
			"remote-control --name the\tname --spawn same-dir --permission-mode plan --remote-control-session-name-prefix team --capacity 5 --verbose"},
		{"argv-edits", "--permission-mode acceptEdits", "remote-control --name NAME --spawn same-dir --permission-mode acceptEdits --capacity 32"},
		{"argv-auto", "--permission-mode auto", "remote-control --name NAME --spawn same-dir --permission-mode auto --capacity 32"},
		{"argv-dontask", "--permission-mode dontAsk", "remote-control --name NAME --spawn same-dir --permission-mode dontAsk --capacity 32"},
		{"argv-inherit", "--permission-mode inherit", "remote-control --name NAME --spawn same-dir --capacity 32"},
		{"argv-label:two", "", "remote-control --name two --spawn same-dir --permission-mode default --capacity 32"},
		{"argv-pty", "--mode pty", "--remote-control NAME --permission-mode default"},
		{"argv-pty-inherit", "--mode pty --permission-mode inherit", "--remote-control NAME"},
		{"argv-pty-all", "--mode pty --name two --capacity 5 --prefix team --verbose --permission-mode auto", "--remote-control two --permission-mode auto"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := onShared(t)
			project, _, _ := strings.Cut(c.name, ":")
			b.newRecorded(project, nil)
			t.Cleanup(func() { _, _ = b.Run("systemctl", "stop", "clauster@"+c.name) })
			args := []string{"clauster-ctl", "start"}
			for _, f := range strings.Fields(strings.ReplaceAll(c.flags, "\t", "\x00")) {
				args = append(args, strings.ReplaceAll(f, "\x00", " "))
			}
			b.MustRun(append(args, c.name)...)
			want := claudePath + " " + strings.NewReplacer("NAME", project, "\t", " ").Replace(c.want)
			if got := b.lastArgv(project); got != want {
				t.Errorf("claude got\n%s, want\n%s", got, want)
			}
			argv := b.lives(project, "start")[0].Argv
			if file := argv[3]; argv[0] != claudePath || !strings.Contains(strings.Join(argv, " "), "--debug-file /run/clauster/spool/"+c.name+"/debug-") {
				t.Errorf("no debug file of this run in %q (%s)", argv, file)
			}
		})
	}
}

// The configuration's defaults, and what wins over them.
func TestArgvFromConfiguration(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "argv-config"
	b.newRecorded(name, nil)
	b.MustWriteFile("/etc/clauster/argv.toml", `user = "op"
[claude]
launch_mode = "standard"
[instance_defaults]
spawn_mode = "worktree"
permission_mode = "plan"
capacity = 7
session_name_prefix = "host-a"
verbose = true
`, 0o640, "")
	b.dropIn(name, "Environment=CLAUSTER_CONFIG=/etc/clauster/argv.toml\n")
	b.mustStart(name)
	want := claudePath + " remote-control --name " + name + " --spawn worktree --permission-mode plan --remote-control-session-name-prefix host-a --capacity 7 --verbose"
	if got := b.lastArgv(name); got != want {
		t.Errorf("claude got\n%s, want\n%s", got, want)
	}
	b.stop(name)
	b.MustSh("cd /home/op/projects/" + name + " && git init -q . && chown -R op: .")
	b.MustRun("clauster-ctl", "start", "--mode", "pty", "--permission-mode", "auto", name)
	// worktree of the defaults: a pty bridge gets one of its own
	if got := b.lastArgv(name); !strings.HasPrefix(got, claudePath+" --remote-control "+name+" --permission-mode auto --worktree clauster-") {
		t.Errorf("claude got %s", got)
	}
}

// bypassPermissions needs root's word, whichever way it comes.
func TestBypassCeiling(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	refused := func(name, why string) {
		t.Helper()
		e := b.waitEnd(name)
		b.said(e, map[string]string{"CLAUSTER_EVENT": "error", "CLAUSTER_VERDICT": "bypass-refused"})
		if !strings.Contains(e.Get("CLAUSTER_REASON"), why) || !strings.Contains(e.Get("CLAUSTER_HINT"), "allow_bypass_permissions") {
			t.Errorf("%s: %s", name, e.Get("MESSAGE"))
		}
		if b.result("test", "-e", "/home/op/projects/"+name+"/record").Code == 0 {
			t.Errorf("%s: claude was started", name)
		}
	}
	b.newRecorded("argv-bypass", nil)
	if r := b.result("clauster-ctl", "start", "--permission-mode", "bypassPermissions", "argv-bypass"); r.Code != 1 || !strings.Contains(r.Stderr, "ceiling") {
		t.Errorf("clauster-ctl: exit code %d: %s", r.Code, r.Stderr)
	}
	refused("argv-bypass", "ceiling")

	// The agent itself writes it into the project's settings.
	b.newRecorded("argv-sneak", nil)
	settings := "/home/op/projects/argv-sneak/.claude/settings.json"
	b.MustWriteFile(settings, `{"permissions":{"defaultMode":"bypassPermissions"}}`, 0o644, "op")
	_ = b.result("clauster-ctl", "start", "--permission-mode", "inherit", "argv-sneak")
	refused("argv-sneak", settings)

	// A settings file that cannot be read to rule it out counts as one that does.
	b.newRecorded("argv-garbled", nil)
	b.MustWriteFile("/home/op/projects/argv-garbled/.claude/settings.local.json", `{"permissions":{"defaultMode":"bypassPermissions"`, 0o644, "op")
	_ = b.result("clauster-ctl", "start", "--permission-mode", "inherit", "argv-garbled")
	refused("argv-garbled", "settings.local.json")

	// With root's word.
	b.newRecorded("argv-allowed", nil)
	b.MustWriteFile("/etc/clauster/bypass.toml", "user = \"op\"\n[projects.argv-allowed]\nallow_bypass_permissions = true\n", 0o640, "")
	b.dropIn("argv-allowed", "Environment=CLAUSTER_CONFIG=/etc/clauster/bypass.toml\n")
	b.MustRun("clauster-ctl", "start", "--permission-mode", "bypassPermissions", "argv-allowed")
	if got := b.lastArgv("argv-allowed"); !strings.Contains(got, "--permission-mode bypassPermissions") {
		t.Errorf("claude got %s", got)
	}
	// Taken back while it runs: the next start, a resume, is refused.
	b.MustWriteFile("/etc/clauster/bypass.toml", "user = \"op\"\n", 0o640, "")
	b.stop("argv-allowed")
	_ = b.result("clauster-ctl", "start", "--resume", "argv-allowed")
	b.said(b.lastEvent("argv-allowed", "error"), map[string]string{"CLAUSTER_VERDICT": "bypass-refused"})
}
