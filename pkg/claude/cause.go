package claude

import (
	"strings"

	"clauster/pkg/bridge"
)

// failure is one row of the table of failure texts: the stable parts by which
// claude's words are recognised, and what they mean. A row matches when any of
// its texts occurs; the first matching row of the table wins, so the rows go
// from the particular to the general.
type failure struct {
	texts []string
	cause bridge.Cause
}

// Classify finds why claude ended or was held in its own words: the last
// screen or stderr, escapes stripped (terminal.Strip). Line breaks and runs of
// spaces do not matter, because claude wraps its texts to the terminal. ok is
// false where nothing known was said. The hint still has its placeholders:
// see Fill.
//
// It believes every text it is given: see LastWords for a bridge that served.
func Classify(text string) (cause bridge.Cause, ok bool) {
	text = strings.Join(strings.Fields(text), " ")
	for _, f := range failures() {
		for _, t := range f.texts {
			if strings.Contains(text, t) {
				return f.cause, true
			}
		}
	}
	return bridge.Cause{}, false
}

// LastWords finds why a bridge ended in the end of its terminal's output,
// escapes stripped. Before it was ready nobody but claude wrote there, and
// everything counts. Later only lines that begin as claude's own failures do:
// on a standard bridge those after the last pane, where no title of a session
// stands, and on a pty bridge the last few, because what an agent said before
// has nothing to do with the end.
func LastWords(text string, mode bridge.Mode, ready bool) (cause bridge.Cause, ok bool) {
	if !ready {
		return Classify(text)
	}
	lines := strings.Split(text, "\n")
	first := max(0, len(lines)-lastLines)
	if mode == bridge.Standard {
		for i, line := range lines {
			if _, pane := paneWord(clean(line)); pane && !strings.HasPrefix(line, " ") {
				first = i + 1
			}
		}
	}
	for _, line := range lines[first:] {
		if mode == bridge.Standard && strings.HasPrefix(line, " ") {
			continue
		}
		if line = trimFrame(clean(line)); failureGate(line) {
			if c, ok := Classify(clip(line, 1000)); ok && !strings.HasPrefix(c.Name, "prompt") {
				return c, true
			}
		}
	}
	return bridge.Cause{}, false
}

const lastLines = 12

// CauseNamed gives the cause of a name, for causes the keeper finds by itself.
// An unknown name gives a cause of unknown class that carries the name, so
// that a mistake shows in the journal instead of nowhere.
func CauseNamed(name string) bridge.Cause {
	for _, f := range failures() {
		if f.cause.Name == name {
			return f.cause
		}
	}
	for _, c := range found() {
		if c.Name == name {
			return c
		}
	}
	return bridge.Cause{Name: name, Reason: name}
}

// Causes lists every cause, those of claude's words first.
func Causes() []bridge.Cause {
	var all []bridge.Cause
	for _, f := range failures() {
		all = append(all, f.cause)
	}
	return append(all, found()...)
}

const (
	hintLogin   = "sudo -iu USER claude auth login, then: clauster-ctl start INSTANCE"
	hintTrust   = "clauster-ctl trust PROJECT, then: clauster-ctl start INSTANCE"
	hintConsent = "clauster-ctl start INSTANCE --trust"
	hintAnswer  = "answer it in claude itself: sudo -iu USER env -C DIRECTORY claude, then: clauster-ctl start INSTANCE"
	hintInstall = "sudo -iu USER sh -c 'curl -fsSL https://claude.ai/install.sh | bash', or set [claude] binary in clauster.toml"
	hintAdmin   = "ask an administrator of the Claude organization"
	hintWait    = "nothing to do: it is tried again by itself"
	hintStatus  = hintWait + "; the service's state: https://status.claude.com"
	hintDoctor  = "sudo -iu USER claude doctor prints every failed check"
)

// failures is the table of §10.8 (claude-cli.md), one row per class of text.
func failures() []failure {
	const permanent, temporary, config = bridge.ClassPermanent, bridge.ClassTemporary, bridge.ClassConfig
	return []failure{
		{[]string{"You must be logged in to use Remote Control"},
			bridge.Cause{Name: "logged-out", Class: permanent, Reason: "claude is not logged in", Hint: hintLogin}},
		{[]string{"Workspace not trusted"},
			bridge.Cause{Name: "untrusted", Class: permanent, Reason: "the project directory is not trusted by claude", Hint: hintTrust}},
		{[]string{"requires a full-scope login token"},
			bridge.Cause{Name: "token-kind", Class: permanent, Reason: "the login is a long-lived token, which Remote Control does not accept",
				Hint: "remove CLAUDE_CODE_OAUTH_TOKEN from [claude.env] and log in in full: " + hintLogin}},
		{[]string{"Remote Control isn't enabled for this account", "Remote Control is not yet enabled for your account", "Remote Control is not enabled for your account"},
			bridge.Cause{Name: "account-gate", Class: permanent, Reason: "Remote Control is not enabled for this Claude account", Hint: hintDoctor}},
		{[]string{"requires feature-flag evaluation"},
			bridge.Cause{Name: "feature-flags", Class: permanent, Reason: "a privacy variable in its environment switches Remote Control off",
				Hint: "remove DISABLE_TELEMETRY, DO_NOT_TRACK, DISABLE_GROWTHBOOK and CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC from [claude.env] and from claude's settings.json"}},
		{[]string{"Remote Control is only available when using Claude via"},
			bridge.Cause{Name: "provider", Class: permanent, Reason: "claude is set up for another API provider, where Remote Control does not exist",
				Hint: "remove ANTHROPIC_BASE_URL and CLAUDE_CODE_USE_* from [claude.env] and from claude's settings.json"}},
		{[]string{"session expired for trusted-device check", "requires Trusted Devices for Remote Control"},
			bridge.Cause{Name: "trusted-devices", Class: permanent, Reason: "the organization requires Trusted Devices and this machine is not enrolled", Hint: hintAdmin}},
		{[]string{"Couldn't verify Remote Control eligibility", "Couldn't verify your organization's Remote Control policy", "organization's Remote Control policy"},
			bridge.Cause{Name: "eligibility-unknown", Class: temporary, Reason: "claude could not ask whether Remote Control is allowed", Hint: hintWait + "; if it lasts: " + hintDoctor}},
		{[]string{"Remote Control is disabled by your organization's policy", "due to its compliance policy", "Unable to determine your organization for Remote Control"},
			bridge.Cause{Name: "org-policy", Class: permanent, Reason: "the organization's policy forbids Remote Control", Hint: hintAdmin}},
		{[]string{"Bridge environments are not available for this organization"},
			bridge.Cause{Name: "registration-400", Class: permanent, Reason: "the service refused to register the bridge", Hint: hintDoctor}},
		{[]string{"Registration: Failed with status 5", "Registration: Failed with status 429", "Registration: Failed with status 408"},
			bridge.Cause{Name: "registration-5xx", Class: temporary, Reason: "the service could not register the bridge now", Hint: hintStatus}},
		{[]string{"Registration: Authentication failed", "Registration: Failed with status 401"},
			bridge.Cause{Name: "login-rejected", Class: permanent, Reason: "the service rejected claude's login", Hint: hintLogin}},
		{[]string{"Registration: Failed with status 4", "Registration: Access denied"},
			bridge.Cause{Name: "registration-400", Class: permanent, Reason: "the service refused to register the bridge", Hint: hintDoctor}},
		{[]string{"Poll: Authentication failed (401)"},
			bridge.Cause{Name: "poll-refused-401", Class: permanent, Reason: "the service no longer accepts claude's login", Hint: hintLogin}},
		{[]string{"Poll: Access denied (403)"},
			bridge.Cause{Name: "poll-refused-403", Class: permanent, Reason: "the service denies this account access to the bridge", Hint: hintDoctor}},
		{[]string{"EnvironmentInstance not found"},
			bridge.Cause{Name: "environment-gone", Class: temporary, Reason: "the service no longer knows this bridge", Hint: "nothing to do: it registers anew"}},
		{[]string{"Persistent errors for", "Server unreachable"},
			bridge.Cause{Name: "network", Class: temporary, Reason: "claude could not reach the service and gave up", Hint: hintWait}},
		{[]string{"Unable to connect to Anthropic services", "Failed to connect to api.anthropic.com"},
			bridge.Cause{Name: "offline", Class: temporary, Reason: "claude cannot reach api.anthropic.com", Hint: hintWait + "; from this machine: curl -sI https://api.anthropic.com"}},
		{[]string{"Configuration error in"},
			bridge.Cause{Name: "corrupt-config", Class: config, Reason: "claude cannot parse its own configuration ~/.claude.json",
				Hint: "restore a copy from ~USER/.claude/backups to ~USER/.claude.json, then: clauster-ctl start INSTANCE"}},
		{[]string{"signed-in claude.ai account or organization changed"},
			bridge.Cause{Name: "account-changed", Class: permanent, Reason: "another account or organization was logged in on this machine", Hint: "clauster-ctl start INSTANCE"}},
		{[]string{"Signed out of Claude"},
			bridge.Cause{Name: "signed-out", Class: permanent, Reason: "claude was signed out while the bridge ran", Hint: hintLogin}},
		{[]string{"Claude.ai login expired", "claude.ai login expired", "JWT refresh failed: no OAuth token", "OAuth token refresh failed", "OAuth token has expired", "OAuth token revoked", "Login expired · Please run /login"},
			bridge.Cause{Name: "login-expired", Class: permanent, Reason: "claude's login has expired", Hint: hintLogin}},
		{[]string{"login was rejected"},
			bridge.Cause{Name: "login-rejected", Class: permanent, Reason: "the service rejected claude's login", Hint: hintLogin}},
		{[]string{"while this machine was offline"},
			bridge.Cause{Name: "sessions-cleaned-up", Reason: "sessions ended while this machine was offline and cannot be resumed", Hint: "clauster-ctl start INSTANCE"}},
		{[]string{"--rc flag ignored", "Not logged in · run /login", "Not logged in · Please run /login"},
			bridge.Cause{Name: "flag-not-logged-in", Class: permanent, Reason: "claude runs without Remote Control because it is not logged in with a claude.ai subscription", Hint: hintLogin}},
		{[]string{"Remote Control requires a claude.ai subscription", "Remote Control is only available with claude.ai subscriptions"},
			bridge.Cause{Name: "no-subscription", Class: permanent, Reason: "Remote Control needs a claude.ai subscription and the login has none", Hint: hintLogin}},
		{[]string{"is still served by local pid"},
			bridge.Cause{Name: "session-busy", Class: permanent, Reason: "another live process on this machine serves the conversation", Hint: "end that process, or start without the conversation: clauster-ctl start INSTANCE"}},
		{[]string{"/rc failed", "Remote Control failed"},
			bridge.Cause{Name: "flag-init-failed", Class: temporary, Reason: "claude runs but could not connect Remote Control and does not try again by itself", Hint: "nothing to do: it is started again; now: clauster-ctl restart INSTANCE"}},
		{[]string{"Request failed with status code 503", "Session creation failed with status 5"},
			bridge.Cause{Name: "overloaded", Class: temporary, Reason: "the service is overloaded", Hint: hintStatus}},
		{[]string{"spawn error: ENOENT"},
			bridge.Cause{Name: "spawn-enoent", Reason: "its program was replaced or removed by an update, so that no new session starts", Hint: "clauster-ctl restart INSTANCE"}},
		{[]string{"Session creation failed with status"},
			bridge.Cause{Name: "session-refused", Reason: "the bridge registered but the service refused to make its first session", Hint: "start a session from claude.ai/code"}},
		{[]string{"worker registration failed", "registerWorker failed"},
			bridge.Cause{Name: "stale-pointer", Reason: "the recorded session is gone and claude could not reattach to it", Hint: "clauster-ctl restart INSTANCE"}},
		{[]string{"Input must be provided either through stdin or as a prompt argument when using --print"},
			bridge.Cause{Name: "no-terminal", Class: config, Reason: "claude was started without a terminal", Hint: "this is a fault of Clauster: please report it"}},
		{[]string{"Can only use --worktree in a git repository"},
			bridge.Cause{Name: "not-a-repository", Class: config, Reason: "worktrees need a git repository and the project directory is none",
				Hint: "clauster-ctl start INSTANCE --spawn-mode same-dir, or make it a repository (git init)"}},
		{[]string{"error: unknown option", "error: unknown command", "Unknown argument"},
			bridge.Cause{Name: "unknown-flag", Class: config, Reason: "this claude does not know a flag it was started with", Hint: "compare sudo -iu USER claude --version with min_version in clauster.toml; update: sudo -iu USER claude update"}},
		{[]string{"No conversation found", "No conversation to continue", "no session recorded"},
			bridge.Cause{Name: "nothing-to-resume", Reason: "there is no conversation to continue", Hint: "clauster-ctl start INSTANCE"}},
		{promptTexts("prompt-trust"), promptCause("prompt-trust", "claude asks whether the project directory is trusted", hintTrust)},
		{promptTexts("prompt-consent"), promptCause("prompt-consent", "claude asks for consent to Remote Control", hintConsent)},
		{promptTexts("prompt-spawn"), promptCause("prompt-spawn", "claude asks how to spawn sessions", strings.Replace(hintAnswer, " claude,", " claude remote-control,", 1))},
		{promptTexts("prompt-mcp"), promptCause("prompt-mcp", "claude asks whether to use the project's MCP servers", hintAnswer)},
		{promptTexts("prompt-login"), promptCause("prompt-login", "claude asks for a login", hintLogin)},
		{promptTexts("prompt-setup"), promptCause("prompt-setup", "claude asks the questions of its first start", "answer them in claude itself: sudo -iu USER claude, then: clauster-ctl start INSTANCE")},
		{promptTexts("prompt-bypass"), promptCause("prompt-bypass", "claude asks to accept the bypassPermissions mode", strings.Replace(hintAnswer, " claude,", " claude --permission-mode bypassPermissions,", 1))},
		{promptTexts("prompt"), promptCause("prompt", "claude asks something and waits for an answer", hintAnswer)},
	}
}

func promptCause(name, reason, hint string) bridge.Cause {
	return bridge.Cause{Name: name, Class: bridge.ClassPermanent, Reason: reason, Hint: hint}
}

// found lists the causes the keeper and its gate find by themselves. The gate
// puts the project's path in place of DIRECTORY.
func found() []bridge.Cause {
	const config = bridge.ClassConfig
	return []bridge.Cause{
		{Name: "binary-missing", Class: config, Reason: "the claude binary does not exist on the bridge user's PATH", Hint: hintInstall},
		{Name: "binary-not-executable", Class: config, Reason: "the claude binary may not be executed by the bridge user", Hint: "sudo -iu USER sh -c 'ls -l \"$(command -v claude)\"', or install it again: " + hintInstall},
		{Name: "binary-exec-format", Class: config, Reason: "the claude binary is not a program (exec format error): its installation did not finish", Hint: hintInstall},
		{Name: "binary-too-old", Class: config, Reason: "the claude binary is older than min_version", Hint: "sudo -iu USER claude update, or: " + hintInstall},
		{Name: "binary-failed", Class: config, Reason: "claude --version does not answer", Hint: "sudo -iu USER claude --version"},
		{Name: "project-missing", Class: config, Reason: "the project directory does not exist", Hint: "sudo -iu USER mkdir -p DIRECTORY, or choose one: clauster-ctl projects"},
		{Name: "project-unreadable", Class: config, Reason: "the project directory may not be entered by the bridge user", Hint: "look whose it is: ls -ld DIRECTORY"},
		{Name: "project-outside", Class: config, Reason: "the project is a link or a file, not a directory of its own", Hint: "make it a directory under projects_root: ls -ld DIRECTORY"},
		{Name: "bypass-refused", Class: bridge.ClassPermanent, Reason: "permission mode bypassPermissions is above the ceiling that root set for project PROJECT", Hint: "choose another permission mode, or allow it: " + bridge.AllowBypass(rootsConfig, "PROJECT", false)},
		{Name: "prompt-permission", Reason: "claude asks for a permission and waits for an answer", Hint: "answer it in claude.ai/code, or: clauster-ctl attach INSTANCE"},
		{Name: "trust-failed", Class: config, Reason: "trust could not be written to ~/.claude.json", Hint: hintAnswer},
	}
}
