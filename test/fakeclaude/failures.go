package main

import (
	"fmt"
	"os"
	"sort"
	"strings"
	"time"
)

// loginNeeded is the logged-out server's message [RAN] (claude-cli.md §3).
const loginNeeded = "Error: You must be logged in to use Remote Control.\n\n" +
	"Remote Control is only available with claude.ai subscriptions. Run `claude auth login` to sign in with your claude.ai account."

// subscriptionNeeded is also what the flag form writes to its debug file [RAN] (§4).
const subscriptionNeeded = "Remote Control requires a claude.ai subscription. Run `claude auth login` to sign in with your claude.ai account."

// phase says when in a start a failure shows.
type phase int

const (
	atLogin    phase = iota // 60–150 ms, before argv, trust, consent
	atTrust                 // after eligibility
	atRegister              // after bridge:init
)

// failure is one row of claude-cli.md §10.8.
type failure struct {
	phase phase
	text  string // %s is the directory
}

// failures are the reasons of crash-at-start. Where §10.8 gives only the
// stable part of a text («…»), the stable part is all that is printed.
func failures() map[string]failure {
	return map[string]failure{
		"logged-out":          {atLogin, loginNeeded},
		"no-subscription":     {atLogin, "Error: " + subscriptionNeeded},
		"token-kind":          {atLogin, "Error: Remote Control requires a full-scope login token. Long-lived tokens (from `claude setup-token` or CLAUDE_CODE_OAUTH_TOKEN) are limited to inference-only"},
		"gate":                {atLogin, "Error: Remote Control isn't enabled for this account"},
		"gate-old":            {atLogin, "Error: Remote Control is not yet enabled for your account."},
		"eligibility-unknown": {atLogin, "Error: Couldn't verify Remote Control eligibility"},
		"eligibility-policy":  {atLogin, "Error: Couldn't verify your organization's Remote Control policy"},
		"feature-flag":        {atLogin, "Error: Remote Control requires feature-flag evaluation, but DISABLE_TELEMETRY is set"},
		"provider":            {atLogin, "Error: Remote Control is only available when using Claude via api.anthropic.com. ANTHROPIC_BASE_URL is set"},
		"policy":              {atLogin, "Error: Remote Control is disabled by your organization's policy"},
		"policy-compliance":   {atLogin, "Error: Remote Control isn't available for your organization due to its compliance policy"},
		"policy-organization": {atLogin, "Error: Unable to determine your organization for Remote Control eligibility"},
		"trusted-device":      {atLogin, "Error: Your organization requires Trusted Devices for Remote Control, but this device is not enrolled"},
		"device-expired":      {atLogin, "Error: session expired for trusted-device check"},
		"untrusted":           {atTrust, "Error: Workspace not trusted. Please run `claude` in %s first to review and accept the workspace trust dialog."},
		"registration-400":    {atRegister, "Error: Registration: Failed with status 400"},
		"registration-401":    {atRegister, "Error: Registration: Failed with status 401"},
		"registration-503":    {atRegister, "Error: Registration: Failed with status 503"},
		"bridge-environments": {atRegister, "Error: Bridge environments are not available for this organization."},
		"unreachable":         {atRegister, "Error: Server unreachable"},
		"corrupt-config":      {atLogin, ""}, // printed by configurationError
	}
}

func failureNames() string {
	var names []string
	for name := range failures() {
		names = append(names, name)
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

// refuse prints a start failure and is its exit.
func (c *cli) refuse(text string) outcome {
	if strings.Contains(text, "%s") {
		text = fmt.Sprintf(text, c.places.cwd)
	}
	complain(text)
	return outcome{code: 1}
}

// configurationError is what a corrupt .claude.json prints: the fault and
// kilobytes of stack (claude-cli.md §7).
func (c *cli) configurationError(fault string) outcome {
	time.Sleep(c.set.scaled(80 * time.Millisecond))
	var b strings.Builder
	fmt.Fprintf(&b, "Configuration error in %s: %s\n\n", c.places.configFile, fault)
	for i := range 120 {
		fmt.Fprintf(&b, "      at <anonymous> (/$bunfs/root/src/entrypoints/cli.js:%d:%d)\n", 1000+i, 7*i%977)
	}
	b.WriteString("\nBun v1.4.4 (Linux x64)")
	fmt.Fprintln(os.Stderr, b.String())
	return outcome{code: 1}
}

// eligibility applies claude-cli.md §9: variables and login kinds that make
// Remote Control unavailable. An empty text means eligible.
func (c *cli) eligibility() string {
	for _, name := range []string{"DISABLE_TELEMETRY", "DO_NOT_TRACK", "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "DISABLE_GROWTHBOOK"} {
		if os.Getenv(name) != "" {
			return "Remote Control requires feature-flag evaluation, but " + name + " is set"
		}
	}
	if os.Getenv("ANTHROPIC_BASE_URL") != "" {
		return "Remote Control is only available when using Claude via api.anthropic.com. ANTHROPIC_BASE_URL is set"
	}
	login := c.login()
	switch {
	case login == "oauth_token":
		return strings.TrimPrefix(failures()["token-kind"].text, "Error: ")
	case login == "api_key", login == "bedrock", os.Getenv("ANTHROPIC_AUTH_TOKEN") != "":
		return subscriptionNeeded
	}
	return ""
}

// authState is the 22 lines that -d and --debug-file, but not --verbose, add
// to the logged-out message of 2.1.330 [RAN]; no value is a secret.
func (c *cli) authState() string {
	set := func(name string) string {
		if os.Getenv(name) != "" {
			return "set"
		}
		return "unset"
	}
	return strings.Join([]string{
		"[debug] Remote Control auth state:",
		"  isBareMode=false", "  hasOAuthAccessToken=false", "  oauthScopes=none", "  hasClaudeAIInferenceScope=false",
		"  isClaudeAISubscriber=false", "  hasProfileScope=false", "  oauthAccount.organizationUuid=unset",
		"  ANTHROPIC_API_KEY=" + set("ANTHROPIC_API_KEY"), "  ANTHROPIC_AUTH_TOKEN=" + set("ANTHROPIC_AUTH_TOKEN"),
		"  apiKeyHelper=unset", "  CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR=" + set("CLAUDE_CODE_API_KEY_FILE_DESCRIPTOR"),
		"  CLAUDE_CODE_OAUTH_TOKEN=" + set("CLAUDE_CODE_OAUTH_TOKEN"), "  ANTHROPIC_UNIX_SOCKET=" + set("ANTHROPIC_UNIX_SOCKET"),
		"  3P env=none", "  featureFlagsEnabled=true", "  telemetryDisabledBy=none", "  featureFlagsDisabledBy=none",
		"  featureFlagsFresh=false", "  featureFlagCount=0", "  featureFlagsLastFetched=never", "  tengu_ccr_bridge=unset",
	}, "\n")
}
