package e2e

import (
	"strings"
	"testing"
)

// withConfig gives one instance a configuration of its own.
func (b *bed) withConfig(instance, text string) {
	b.t.Helper()
	file := "/etc/clauster/" + instance + ".toml"
	b.MustWriteFile(file, "user = \"op\"\n"+text, 0o640, "")
	b.MustRun("chown", "root:clauster", file)
	b.dropIn(instance, "Environment=CLAUSTER_CONFIG="+file+"\n")
}

// Whatever is wrong with the installation of claude is found before a bridge
// exists, is exit 78, and says how to repair it (docs/failures.md).
func TestInstallations(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, prepare, binary, cause, reason, hint string }{
		{"install-missing", "", "DIR/claude", "binary-missing", "does not exist", "claude.ai/install.sh"},
		{"install-name", "", "no-such-claude", "binary-missing", "does not exist on the bridge user's PATH", "claude.ai/install.sh"},
		{"install-plain", "echo '#!/bin/sh' >claude", "DIR/claude", "binary-not-executable", "may not be executed", "claude.ai/install.sh"},
		{"install-directory", "mkdir claude", "DIR/claude", "binary-not-executable", "may not be executed", "claude.ai/install.sh"},
		{"install-closed", "mkdir in && cp /bin/true in/claude && chmod 700 in", "DIR/in/claude", "binary-not-executable", "may not be executed", "claude.ai/install.sh"},
		// What npm leaves when it may not run the postinstall.
		{"install-placeholder", claudePath + " __write-placeholder claude", "DIR/claude", "binary-exec-format", "not a program", "claude.ai/install.sh"},
		{"install-old", "printf '#!/bin/sh\\necho \"2.1.100 (Claude Code)\"\\n' >claude; chmod 755 claude", "DIR/claude", "binary-too-old", "claude 2.1.100 is older than min_version", "claude update"},
		{"install-broken", "printf '#!/bin/sh\\nexit 127\\n' >claude; chmod 755 claude", "DIR/claude", "binary-failed", "exit status 127", "claude --version"},
		{"install-babble", "printf '#!/bin/sh\\necho hello\\n' >claude; chmod 755 claude", "DIR/claude", "binary-failed", `"hello`, "claude --version"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := onShared(t)
			b.newProject(c.name, nil)
			dir := "/home/op/projects/" + c.name
			if c.prepare != "" {
				b.MustSh("cd " + dir + " && " + c.prepare)
			}
			b.withConfig(c.name, "[claude]\nbinary = \""+strings.ReplaceAll(c.binary, "DIR", dir)+"\"\n")
			if r := b.start(c.name); r.Code == 0 {
				t.Error("systemctl start succeeded")
			}
			unit := "clauster@" + c.name + ".service"
			if got := b.MustShow(unit, "ExecMainStatus"); got != "78" {
				t.Errorf("the keeper's exit code is %s, want 78", got)
			}
			e := b.waitEnd(c.name)
			b.said(e, map[string]string{"CLAUSTER_EVENT": "error", "CLAUSTER_VERDICT": c.cause, "CLAUSTER_STATUS": "error"})
			if !strings.Contains(e.Get("CLAUSTER_REASON"), c.reason) || !strings.Contains(e.Get("CLAUSTER_HINT"), c.hint) {
				t.Errorf("reason %q, hint %q", e.Get("CLAUSTER_REASON"), e.Get("CLAUSTER_HINT"))
			}
			status := b.result("systemctl", "status", "--no-pager", "--full", unit).Stdout
			if !strings.Contains(status, `Status: "error: `) || !strings.Contains(status, c.reason) {
				t.Errorf("systemctl status does not say so:\n%s", status)
			}
			if got := b.MustShow(unit, "NRestarts"); got != "0" {
				t.Errorf("started again %s times", got)
			}
		})
	}
}

// A version that takes long is waited for; one that hangs is given up.
func TestSlowVersion(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.newProject("install-slow", map[string]string{"version-delay": "40"}) // 2 s
	b.mustStart("install-slow")
	b.newProject("install-hangs", map[string]string{"version-delay": "600"}) // 30 s
	_ = b.start("install-hangs")
	b.said(b.waitEnd("install-hangs"), map[string]string{"CLAUSTER_VERDICT": "binary-failed", "CLAUSTER_REASON": "claude --version did not answer within 10s"})
}

// Variables that switch Remote Control off are warned about by name, before
// claude says the same less clearly.
func TestDisablingVariables(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const name = "install-quiet"
	b.newProject(name, nil)
	b.withConfig(name, "[claude.env]\nDISABLE_TELEMETRY = \"1\"\n")
	_ = b.start(name)
	b.said(b.waitEnd(name), map[string]string{"CLAUSTER_VERDICT": "feature-flags", "CLAUSTER_EVENT": "error"})
	if got := b.lastEvent(name, "warning").Get("MESSAGE"); !strings.Contains(got, "DISABLE_TELEMETRY") {
		t.Errorf("the warning says %q", got)
	}
}

// node_from_nvm puts nvm's default node first in the bridge's PATH.
func TestNodeFromNVM(t *testing.T) {
	t.Parallel()
	b := newMachine(t) // every bridge of op's sees it
	const name = "install-node"
	b.newRecorded(name, map[string]string{"record-env": "PATH"})
	b.MustSh(`mkdir -p /home/op/.nvm/alias /home/op/.nvm/versions/node/v22.5.1/bin && echo 22 >/home/op/.nvm/alias/default &&
		cp /bin/true /home/op/.nvm/versions/node/v22.5.1/bin/node && chown -R op: /home/op/.nvm`)
	b.mustStart(name)
	want := `"PATH":"/home/op/.nvm/versions/node/v22.5.1/bin:/home/op/.local/bin:`
	if record := b.MustReadFile("/home/op/projects/" + name + "/record"); !strings.Contains(record, want) {
		t.Errorf("no %s in %s", want, record)
	}
}
