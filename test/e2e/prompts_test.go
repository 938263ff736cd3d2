package e2e

import (
	"fmt"
	"strings"
	"testing"

	"clauster/test/machine"
)

// A question that claude asks shows while it stands, and a person at an
// attached terminal may answer it: then the bridge becomes ready.
func TestPromptAnswered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ name, mode, key, reason, answer string }{
		{"prompt-trust", "standard", "prompt-trust", "claude asks whether the project directory is trusted", "\x1b[B\r"},
		{"prompt-consent", "standard", "prompt-consent", "claude asks for consent to Remote Control", "y\r"},
		{"prompt-spawn", "standard", "prompt-spawn", "claude asks how to spawn sessions", "1\r"},
		{"prompt-mcp", "pty", "prompt-mcp", "claude asks whether to use the project's MCP servers", "2"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			b := onShared(t)
			b.newProject(c.name, map[string]string{c.key: "yes", "trust-dialog": "dialog"})
			b.MustRun("clauster-ctl", "start", "--no-wait", "--mode", c.mode, c.name)
			b.MustWaitFor("the question", settle, func() bool {
				s := b.status(c.name)
				return s.Status == "starting" && s.Health == "waiting" && s.Reason == c.reason
			})
			view := b.MustStart(machine.Command{Args: []string{"clauster-ctl", "attach", c.name}, Terminal: true})
			if err := view.WaitOutput(settle, func(out string) bool { return len(out) > 0 }); err != nil {
				t.Fatal(err)
			}
			if _, err := fmt.Fprint(view.Stdin(), c.answer); err != nil {
				t.Fatal(err)
			}
			b.MustWaitFor("the bridge to be ready", settle, func() bool { return b.status(c.name).Status == "running" })
			if got := b.status(c.name).Health; got != "ok" {
				t.Errorf("health %s after the answer", got)
			}
			b.stop(c.name)
			if _, err := view.Wait(); err != nil {
				t.Error(err)
			}
			b.waitEvents(c.name, "requested spawn ready stop")
		})
	}
}

// --trust answers trust and consent beforehand, in claude's own file, as the
// bridge user; what else is in there stays. Without it the start says what to do.
func TestTrustAtStart(t *testing.T) {
	t.Parallel()
	b := newMachine(t) // it writes the ~/.claude.json that all bridges share
	b.MustWriteFile("/home/op/.fakeclaude", "scale=0.05\n", 0o644, "op")
	const config = `{"userID": "0123", "projects": {"/elsewhere": {"allowedTools": ["x"]}}, "numbers": [1.50, 12345678901234567890]}` + "\n"
	b.MustWriteFile("/home/op/.claude.json", config, 0o600, "op")

	b.newProject("trust-no", nil)
	if r := b.start("trust-no"); r.Code == 0 {
		t.Error("an untrusted project was started")
	}
	e := b.waitEnd("trust-no")
	b.said(e, map[string]string{"CLAUSTER_EVENT": "error", "CLAUSTER_VERDICT": "prompt-trust"})
	if hint := e.Get("CLAUSTER_HINT"); !strings.Contains(hint, "clauster-ctl trust trust-no") {
		t.Errorf("hint %q", hint)
	}

	b.newProject("trust-yes", nil)
	b.MustRun("clauster-ctl", "start", "--trust", "trust-yes")
	got := b.MustReadFile("/home/op/.claude.json")
	for _, want := range []string{`"userID"`, `"0123"`, `"/elsewhere"`, `"allowedTools"`, "1.50", "12345678901234567890",
		`"/home/op/projects/trust-yes"`, `"hasTrustDialogAccepted"`, `"remoteDialogSeen"`} {
		if !strings.Contains(got, want) {
			t.Errorf("no %s in\n%s", want, got)
		}
	}
	if owner := b.MustSh(`stat -c '%U %a' /home/op/.claude.json`); owner != "op 600\n" {
		t.Errorf("~/.claude.json is %s", owner)
	}
	if backup := b.MustSh(`cat /home/op/.claude.json*clauster* /home/op/.claude/backups/*clauster* 2>/dev/null || true`); backup != config {
		t.Errorf("the backup is %q, want the file of before", backup)
	}

	// One that cannot be parsed is claude's to complain about, and stays.
	b.MustWriteFile("/home/op/.claude.json", "{ not JSON", 0o600, "op")
	b.newProject("trust-garbled", nil)
	if r := b.result("clauster-ctl", "start", "--trust", "trust-garbled"); r.Code != 1 {
		t.Errorf("exit code %d", r.Code)
	}
	b.said(b.waitEnd("trust-garbled"), map[string]string{"CLAUSTER_EVENT": "error", "CLAUSTER_VERDICT": "trust-failed"})
	if got := b.MustReadFile("/home/op/.claude.json"); got != "{ not JSON" {
		t.Errorf("a file that cannot be parsed became %q", got)
	}
}
