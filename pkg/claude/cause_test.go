package claude

import (
	"strings"
	"testing"

	"clauster/pkg/bridge"
)

// Every text of the table of failure texts (claude-cli.md §10.8), wrapped as a
// terminal would.
func TestClassify(t *testing.T) {
	tests := []struct {
		text, name string
		class      bridge.Class
	}{
		{"Error: You must be logged in to use Remote Control.\n\nRemote Control is only available with claude.ai subscriptions. Run `claude auth login` to sign in with your claude.ai account.", "logged-out", bridge.ClassPermanent},
		{"Error: Workspace not trusted. Please run `claude` in /home/op/projects/hello first to review and accept the workspace\ntrust dialog.", "untrusted", bridge.ClassPermanent},
		{"Remote Control requires a claude.ai subscription. Run `claude auth login` to sign in with your claude.ai account.", "no-subscription", bridge.ClassPermanent},
		{"Remote Control requires a claude.ai subscription. Run `claude auth login` to sign in with your claude.ai account. --rc flag ignored.", "flag-not-logged-in", bridge.ClassPermanent},
		{"Remote Control requires a full-scope\r\nlogin token. Long-lived tokens (from `claude setup-token` or CLAUDE_CODE_OAUTH_TOKEN) are limited to inference-only for security reasons.", "token-kind", bridge.ClassPermanent},
		{"Remote Control isn't enabled for this account", "account-gate", bridge.ClassPermanent},
		{"Error: Remote Control is not yet enabled for your account.", "account-gate", bridge.ClassPermanent},
		{"Couldn't verify Remote Control eligibility", "eligibility-unknown", bridge.ClassTemporary},
		{"Couldn't verify your organization's Remote Control policy", "eligibility-unknown", bridge.ClassTemporary},
		{"Remote Control requires feature-flag evaluation, which is off (DISABLE_TELEMETRY)", "feature-flags", bridge.ClassPermanent},
		{"Remote Control is only available when using Claude via api.anthropic.com. ANTHROPIC_BASE_URL is set", "provider", bridge.ClassPermanent},
		{"Remote Control is disabled by your organization's policy", "org-policy", bridge.ClassPermanent},
		{"Remote Control isn't available for your organization due to its compliance policy (HIPAA)", "org-policy", bridge.ClassPermanent},
		{"Unable to determine your organization for Remote Control eligibility", "org-policy", bridge.ClassPermanent},
		{"Your organization requires Trusted Devices for Remote Control, but this device is not enrolled", "trusted-devices", bridge.ClassPermanent},
		{"session expired for trusted-device check", "trusted-devices", bridge.ClassPermanent},
		{"Error: Registration: Failed with status 400", "registration-400", bridge.ClassPermanent},
		{"Bridge environments are not available for this organization.", "registration-400", bridge.ClassPermanent},
		{"Error: Registration: Failed with status 503", "registration-5xx", bridge.ClassTemporary},
		{"Error: Registration: Failed with status 500: internal", "registration-5xx", bridge.ClassTemporary},
		{"Error: Registration: Failed with status 429", "registration-5xx", bridge.ClassTemporary},
		{"Error: Poll: Authentication failed (401): token", "poll-refused-401", bridge.ClassPermanent},
		{"Error: Poll: Access denied (403): Account is no longer a member of the organization", "poll-refused-403", bridge.ClassPermanent},
		{"Poll: Failed: EnvironmentInstance not found (404)", "environment-gone", bridge.ClassTemporary},
		{"Server unreachable", "network", bridge.ClassTemporary},
		{"Persistent errors for 10 minutes, giving up", "network", bridge.ClassTemporary},
		{"Unable to connect to Anthropic services\nFailed to connect to api.anthropic.com: ENOTFOUND", "offline", bridge.ClassTemporary},
		{"Configuration error in /home/op/.claude.json: JSON Parse error: Unexpected EOF\n" + strings.Repeat("    at x (y:1:2)\n", 400), "corrupt-config", bridge.ClassConfig},
		{"3 sessions ended while this machine was offline — the environment was cleaned up on the server and can't be resumed.", "sessions-cleaned-up", bridge.ClassUnknown},
		{"[bridge] Session creation failed with status 400: bad", "session-refused", bridge.ClassUnknown},
		{"Session creation request failed: Request failed with status code 503", "overloaded", bridge.ClassTemporary},
		{"Remote Control disconnected — Claude.ai login expired — run /login", "login-expired", bridge.ClassPermanent},
		{"Remote Control disconnected — your login was rejected — run /login", "login-rejected", bridge.ClassPermanent},
		{"OAuth token refresh failed — run /login to re-authenticate", "login-expired", bridge.ClassPermanent},
		{"JWT refresh failed: no OAuth token — run /login", "login-expired", bridge.ClassPermanent},
		{"Signed out of Claude — run /login", "signed-out", bridge.ClassPermanent},
		{"signed-in claude.ai account or organization changed on this machine", "account-changed", bridge.ClassPermanent},
		{"/rc failed", "flag-init-failed", bridge.ClassTemporary},
		{"Not logged in · run /login", "flag-not-logged-in", bridge.ClassPermanent},
		{"Error: CCR v2 worker registration failed for session cse_x: Request failed with status code 404", "stale-pointer", bridge.ClassUnknown},
		{"error: unknown option '--bogus-flag'", "unknown-flag", bridge.ClassConfig},
		{"Quick safety check: Is this a project you created or one you trust? (Like your own code", "prompt-trust", bridge.ClassPermanent},
		{"Enable Remote Control? (y/n) ", "prompt-consent", bridge.ClassPermanent},
		{"Take this session with you wherever you go", "prompt-consent", bridge.ClassPermanent},
		{"Spawn mode for this project:\n  [1] same-dir\n  [2] worktree\nChoose [1/2] (default: 1): ", "prompt-spawn", bridge.ClassPermanent},
		{"New MCP server found in .mcp.json: files", "prompt-mcp", bridge.ClassPermanent},
		{"Enter to confirm · Esc to cancel", "prompt", bridge.ClassPermanent},
	}
	for _, tt := range tests {
		got, ok := Classify(tt.text)
		if !ok || got.Name != tt.name || got.Class != tt.class {
			t.Errorf("Classify(%.60q) = %q %q, want %q %q", tt.text, got.Name, got.Class, tt.name, tt.class)
		}
	}
	for _, text := range []string{"", "·✔︎· Ready · hello · HEAD", "Not logged in to npm", "the API is fine", "Environment preserved. Restart `claude remote-control` to reconnect existing sessions."} {
		if got, ok := Classify(text); ok {
			t.Errorf("Classify(%q) = %q, want nothing", text, got.Name)
		}
	}
}

func TestLastWords(t *testing.T) {
	const pane = "·✔︎· Connected · hello · HEAD\n    Capacity: 1/32\n    Error: Poll: Access denied (403)\n"
	tests := []struct {
		name, text string
		mode       bridge.Mode
		ready      bool
		want       string
	}{
		{"before ready everything counts", "noise\nEnable Remote Control? (y/n) ", bridge.Standard, false, "prompt-consent"},
		{"after the last pane", pane + "Error: Poll: Authentication failed (401): x\n", bridge.Standard, true, "poll-refused-401"},
		{"before the last pane", "Server unreachable\n" + pane, bridge.Standard, true, ""},
		{"a title", pane, bridge.Standard, true, ""},
		{"events are no last words", pane + "[14:38:31] Error: Poll: Authentication failed (401): x\n", bridge.Standard, true, ""},
		{"without any pane", "Persistent errors for 10 minutes, giving up", bridge.Standard, true, "network"},
		{"an answered prompt", "Enter to confirm\n", bridge.PTY, true, ""},
		{"long ago", "Signed out of Claude\n" + strings.Repeat("x\n", 20), bridge.PTY, true, ""},
		{"just now", "x\n⎿ Signed out of Claude — run /login\n", bridge.PTY, true, "signed-out"},
	}
	for _, tt := range tests {
		if c, _ := LastWords(tt.text, tt.mode, tt.ready); c.Name != tt.want {
			t.Errorf("%s: %q, want %q", tt.name, c.Name, tt.want)
		}
	}
}

// Reasons and hints are an operator's first words about a fault.
func TestCausesAreWritten(t *testing.T) {
	seen := map[string]bool{}
	for _, c := range Causes() {
		seen[c.Name] = true
		if c.Reason == "" || c.Hint == "" {
			t.Errorf("%s: no reason or no hint", c.Name)
		}
		if strings.HasSuffix(c.Reason, ".") || strings.ToLower(c.Reason[:1]) != c.Reason[:1] && !strings.HasPrefix(c.Reason, "Remote Control") {
			t.Errorf("%s: reason %q is no plain sentence", c.Name, c.Reason)
		}
		if CauseNamed(c.Name).Class != c.Class {
			t.Errorf("%s has two classes", c.Name)
		}
	}
	for _, p := range prompts() {
		if !seen[p.name] {
			t.Errorf("prompt %s has no cause", p.name)
		}
	}
}

func TestFill(t *testing.T) {
	i := bridge.Instance{Project: "blog", Label: "night"}
	c := Fill(CauseNamed("logged-out"), i, "op")
	if want := "sudo -iu op claude auth login, then: clauster-ctl start blog:night"; c.Hint != want {
		t.Errorf("hint %q, want %q", c.Hint, want)
	}
	c = Fill(CauseNamed("logged-out"), i, "")
	if want := "claude auth login, then: clauster-ctl start blog:night"; c.Hint != want {
		t.Errorf("user mode: hint %q, want %q", c.Hint, want)
	}
	for _, c := range Causes() {
		f := Fill(c, i, "")
		for _, word := range []string{"INSTANCE", "USER", "PROJECT", "sudo"} {
			if strings.Contains(f.Hint+f.Reason, word) {
				t.Errorf("%s: %q is left in %q / %q", c.Name, word, f.Reason, f.Hint)
			}
		}
	}
}

// Paths, names and answers that are joined to a template are not the
// template's: nothing in them is a placeholder.
func TestFillLeavesForeignText(t *testing.T) {
	i := bridge.Instance{Project: "USER", Label: "PROJECT"}
	missing := CauseNamed("project-missing")
	missing.Hint = strings.ReplaceAll(missing.Hint, "DIRECTORY", "/srv/USERS/INSTANCE")
	missing.Reason += ": open /srv/USERS/INSTANCE: no such file or directory"
	bypass := CauseNamed("bypass-refused")
	bypass.Reason += ", and /home/USER/settings.json makes it the default"
	short := CauseNamed("logged-out")
	short.Hint, _, _ = strings.Cut(short.Hint, ", then: ")
	for _, c := range []struct{ got, want bridge.Cause }{
		{missing, bridge.Cause{Hint: "sudo -iu op mkdir -p /srv/USERS/INSTANCE, or choose one: clauster-ctl projects",
			Reason: "the project directory does not exist: open /srv/USERS/INSTANCE: no such file or directory"}},
		{bypass, bridge.Cause{Hint: Fill(CauseNamed("bypass-refused"), i, "op").Hint,
			Reason: "permission mode bypassPermissions is above the ceiling that root set for project USER, and /home/USER/settings.json makes it the default"}},
		{short, bridge.Cause{Hint: "sudo -iu op claude auth login", Reason: "claude is not logged in"}},
		{bridge.Cause{Name: "bad-config", Reason: "CLAUSTER_INSTANCE_DEFAULTS_CAPACITY", Hint: "unset CLAUSTER_INSTANCE_DEFAULTS_CAPACITY"},
			bridge.Cause{Reason: "CLAUSTER_INSTANCE_DEFAULTS_CAPACITY", Hint: "unset CLAUSTER_INSTANCE_DEFAULTS_CAPACITY"}},
		{bridge.Cause{Name: "binary-failed", Reason: `claude --version answered "USER", which is no version`, Hint: "sudo -iu USER claude --version"},
			bridge.Cause{Reason: `claude --version answered "USER", which is no version`, Hint: "sudo -iu op claude --version"}},
	} {
		if f := Fill(c.got, i, "op"); f.Hint != c.want.Hint || f.Reason != c.want.Reason {
			t.Errorf("%s: %q\n%q", c.got.Name, f.Reason, f.Hint)
		}
		if f := Fill(Fill(c.got, i, "op"), i, "op"); f.Hint != c.want.Hint || f.Reason != c.want.Reason {
			t.Errorf("%s, twice: %q\n%q", c.got.Name, f.Reason, f.Hint)
		}
	}
}

// What follows the last colon of a hint, or the whole of it, is typed as it
// stands: «and answer it», «without --resume» and «in the project once» were
// taken for arguments. After the end there is nothing to attach to.
func TestHintsAreTyped(t *testing.T) {
	i := bridge.Instance{Project: "blog"}
	for _, c := range Causes() {
		hint := FillAt(c, i, "op", "/srv/my proj/blog").Hint
		for _, prose := range []string{"and answer", "without --resume", "once", "DIRECTORY"} {
			if strings.Contains(hint, prose) && !strings.Contains(hint, "mkdir") {
				t.Errorf("%s: %q in %q", c.Name, prose, hint)
			}
		}
		if strings.HasPrefix(c.Name, "prompt") && c.Class == bridge.ClassPermanent && strings.Contains(hint, "attach") {
			t.Errorf("%s: %q, when it is down", c.Name, hint)
		}
	}
	for user, want := range map[string]string{
		"op": "answer it in claude itself: sudo -iu op env -C '/srv/my proj/blog' claude, then: clauster-ctl start blog",
		"":   "answer it in claude itself: env -C '/srv/my proj/blog' claude, then: clauster-ctl start blog",
	} {
		if got := FillAt(CauseNamed("prompt-mcp"), i, user, "/srv/my proj/blog").Hint; got != want {
			t.Errorf("%q", got)
		}
	}
}

func TestParseAPIError(t *testing.T) {
	tests := []struct{ line, name string }{
		{"API Error: Repeated 529 Overloaded errors. The API is at capacity — this is usually temporary.", "overloaded"},
		{"  ⎿  API Error: 529 Overloaded. This is a server-side issue, usually temporary — try again in a moment.", "overloaded"},
		{`{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"},"request_id":"req_x"}`, "overloaded"},
		{"API Error: 500 Internal server error", "server-error"},
		{"API Error (529 {…}) · Retrying in 4 seconds… (attempt 4/10)", "overloaded"},
		{"● You've hit your session limit · resets 3:45pm", "limit"},
		{"You've hit your Opus limit · resets 3:45pm", "limit"},
		{"API Error: Server is temporarily limiting requests (not your usage limit)", "throttled"},
		{"API Error: Request rejected (429) · this may be a temporary capacity issue.", "rejected"},
		{"Login expired · Please run /login", "login"},
		{"Not logged in · Please run /login", "login"},
		{"I read about API Error: 529 Overloaded", ""},
		{"", ""},
		{"│ ─ ", ""},
	}
	for _, tt := range tests {
		got, ok := ParseAPIError(tt.line)
		if got.Name != tt.name || ok != (tt.name != "") {
			t.Errorf("ParseAPIError(%q) = %+v %v, want %q", tt.line, got, ok, tt.name)
		}
	}
}
