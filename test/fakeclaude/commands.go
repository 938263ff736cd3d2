package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// versionNumber is the version of this stand-in's original, unless the
// settings or a self-update say otherwise.
func (c *cli) versionNumber() string {
	if text := readText(c.places.updatedFile()); text != "" {
		return text
	}
	return "2.1.330"
}

// updatedFile holds the version after a simulated self-update.
func (p places) updatedFile() string { return filepath.Join(p.configDir, "fakeclaude-updated") }

// logoutFile marks a login that expired while a bridge ran.
func (p places) logoutFile() string { return filepath.Join(p.configDir, "fakeclaude-logged-out") }

func (c *cli) version() outcome {
	time.Sleep(c.set.after("version-delay", 0))
	text := c.set.str("version", c.versionNumber()+" (Claude Code)")
	fmt.Println(text)
	return outcome{code: c.set.number("version-exit", 0)}
}

// login is the selected kind of login.
func (c *cli) login() string {
	kind := c.set.str("login", "in")
	switch {
	case kind == "out":
		return "out"
	case readableFile(c.places.logoutFile()):
		return "out"
	case kind != "in":
		return kind
	case os.Getenv("ANTHROPIC_API_KEY") != "":
		return "api_key"
	case os.Getenv("CLAUDE_CODE_OAUTH_TOKEN") != "":
		return "oauth_token"
	}
	return "in"
}

func (c *cli) loggedOut() bool { return c.login() == "out" }

func readableFile(path string) bool { _, err := os.Stat(path); return err == nil }

// auth is `auth status` (claude-cli.md §2); login and logout are not played.
func (c *cli) auth(args []string) outcome {
	if len(args) == 0 || args[0] == "--help" || args[0] == "help" {
		return c.print("Usage: claude auth [options] [command]\n\nCommands:\n  login\n  logout\n  status\n  help\n")
	}
	if args[0] != "status" {
		fmt.Fprintf(os.Stderr, "error: unknown command '%s'\n(Did you mean logout?)\n", args[0])
		return outcome{code: 1}
	}
	if _, fault := c.readConfig(nil); fault != "" {
		return c.configurationError(fault)
	}
	login := c.login()
	switch login {
	case "slow":
		time.Sleep(c.set.scaled(15 * time.Second))
		login = "in"
	case "hang":
		select {}
	case "garbage":
		return c.print("<html>502 Bad Gateway</html>\n")
	case "crash":
		return outcome{signal: 11}
	}
	if len(args) > 1 && args[1] == "--text" {
		return c.authText(login)
	}
	text, _ := json.MarshalIndent(c.authStatus(login), "", "  ")
	fmt.Println(string(text))
	return authExit(login)
}

func authExit(login string) outcome {
	if login == "out" {
		return outcome{code: 1}
	}
	return outcome{}
}

func (c *cli) authText(login string) outcome {
	if login == "out" {
		fmt.Println("Not logged in. Run claude auth login to authenticate.")
	} else {
		fmt.Println("Logged in as operator@example.com")
	}
	return authExit(login)
}

// authObject keeps the order of the keys measured on 2.1.330.
type authObject struct {
	LoggedIn         bool    `json:"loggedIn"`
	AuthMethod       string  `json:"authMethod"`
	APIProvider      string  `json:"apiProvider"`
	APIKeySource     string  `json:"apiKeySource,omitempty"`
	Email            string  `json:"email,omitempty"`
	OrgID            string  `json:"orgId,omitempty"`
	OrgName          string  `json:"orgName,omitempty"`
	SubscriptionType string  `json:"subscriptionType,omitempty"`
	Analytics        bool    `json:"analyticsDisabled"`
	Projects         string  `json:"projectsDirectory"`
	Config           string  `json:"configDirectory"`
	Expires          *string `json:"loginExpiresAt"`
	Console          bool    `json:"consoleProfileSignInOffered"`
}

func (c *cli) authStatus(login string) authObject {
	o := authObject{LoggedIn: login != "out", AuthMethod: "none", APIProvider: "firstParty",
		Projects: filepath.Join(c.places.configDir, "projects"), Config: c.places.configDir, Console: true}
	switch login {
	case "in": // personal data on purpose: redaction is tested with it
		o.AuthMethod, o.Email, o.OrgID, o.OrgName, o.SubscriptionType =
			"claude.ai", "operator@example.com", "5c7e0a4e-9d1b-4f0e-8a7e-1c9a2b3d4e5f", "Example Organization", "max"
	case "oauth_token":
		o.AuthMethod = "oauth_token"
	case "api_key":
		o.AuthMethod, o.APIKeySource = "api_key", "ANTHROPIC_API_KEY"
	case "bedrock":
		o.AuthMethod, o.APIProvider = "third_party", "bedrock"
	}
	return o
}

// doctor prints the part of claude-cli.md §2.
func (c *cli) doctor(args []string) outcome {
	if len(args) > 0 && args[0] == "--help" {
		return c.print("Usage: claude doctor [options]\n")
	}
	executable, _ := os.Executable()
	fmt.Printf("Running: npm-global (%s)\nCommit: stand-in\nPlatform: linux-x64\nPath: %s\nAuto-updates: enabled\nAuto-update channel: latest\n\nRemote Control\n", c.versionNumber(), executable)
	if c.loggedOut() {
		return c.print(strings.ReplaceAll(subscriptionNeeded, "`", "") + "\n- Not signed in to claude.ai\n- claude.ai subscription auth not active\n" +
			"- Sign-in is missing the user:profile scope\n- Organization not found\n" +
			"- Remote Control availability could not be verified (no server response this session)\n")
	}
	if why := c.eligibility(); why != "" {
		return c.print(why + "\n")
	}
	return c.print("Available\n")
}

func (c *cli) mcp(args []string) outcome {
	switch {
	case len(args) > 0 && args[0] == "list":
		return c.print("No MCP servers configured. Use `claude mcp add` to add a server.\n")
	case len(args) == 0 || strings.HasPrefix(args[0], "-"):
		return c.print("Usage: claude mcp [options] [command]\n")
	}
	return c.unknownCommand(args[0])
}

// printMode is a minimal -p: the prompt comes back.
func (c *cli) printMode(p parsed) outcome {
	if c.loggedOut() {
		fmt.Println("Not logged in · Please run /login")
		return outcome{code: 1}
	}
	if len(p.words) == 0 {
		fmt.Fprintln(os.Stderr, "Error: Input must be provided either through stdin or as a prompt argument when using --print")
		return outcome{code: 1}
	}
	return c.print("echo: " + strings.Join(p.words, " ") + "\n")
}
