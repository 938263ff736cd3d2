package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"strings"
	"time"
)

// trustDialog is the dialog of claude-cli.md §4 with its exit codes; the text
// is 2.1.330's [RAN].
func (b *bridge) trustDialog() bool {
	b.rec.event("prompt", "question", "trust")
	choice := b.choose([]string{
		" Accessing workspace:", "", " " + b.config.places.cwd, "",
		" Quick safety check: Is this a project you created or one you trust? (Like your own code, a well-known open source project, or work from your team). If not, take a moment to review what's in this folder first.", "",
		" Claude Code'll be able to read, edit, and execute files here.", "", " Security guide", "",
	}, []string{"No, exit", "Yes, I trust this folder"}, "Enter to confirm · Esc to cancel", 0)
	switch choice {
	case 1:
		b.screen.draw(nil)
		b.config.saveProject("hasTrustDialogAccepted", true)
		return true
	case -1:
		b.finish(outcome{code: 0})
	default:
		b.hangUp(1)
	}
	return false
}

// hangUp ends a dialog: a closed terminal exits 0, whatever else with code.
func (b *bridge) hangUp(code int) {
	if hungUp(0) {
		if b.set.on("hang-on-all") {
			return
		}
		code = 0
	}
	b.pause(b.set.scaled(50 * time.Millisecond))
	b.finish(outcome{code: code})
}

// passBypass: the flag form with bypassPermissions asks once per HOME and
// refuses root (2.1.330 [RAN]; Esc is taken to be like No).
func (b *bridge) passBypass() bool {
	forced := b.set.on("prompt-bypass")
	if !forced && (b.flags.values["--permission-mode"] != "bypassPermissions" && !b.flags.on("--dangerously-skip-permissions")) {
		return true
	}
	if os.Geteuid() == 0 && !forced {
		complain("--dangerously-skip-permissions cannot be used with root/sudo privileges for security reasons")
		b.finish(outcome{code: 1})
		return false
	}
	file := filepath.Join(b.places.configDir, "settings.json")
	if skip, _ := readObject(file)["skipDangerousModePermissionPrompt"].(bool); skip && !forced {
		return true
	}
	b.rec.event("prompt", "question", "bypass")
	choice := b.choose([]string{
		"  WARNING: Claude Code running in Bypass Permissions mode", "",
		"  In Bypass Permissions mode, Claude Code will not ask for your approval before running potentially dangerous commands.",
		"  This mode should only be used in a sandboxed container/VM that has restricted internet access and can easily be restored if damaged.", "",
		"  By proceeding, you accept all responsibility for actions taken while running in Bypass Permissions mode.", "",
		"  https://code.claude.com/docs/en/security", "",
	}, []string{"No, exit", "Yes, I accept"}, "Enter to confirm · Esc to cancel", 0)
	if choice != 1 {
		b.hangUp(1)
		return false
	}
	b.screen.draw(nil)
	changeObject(file, func(v map[string]any) { v["skipDangerousModePermissionPrompt"] = true })
	return true
}

const mcpWarning = "  MCP servers may execute code or access system resources. All tool calls require approval. Learn more in the MCP documentation."

// passMCP asks about servers of .mcp.json that nobody answered for, as
// 2.1.330 does [RAN]: refusing is the default for one, accepting for several.
// mcp-text=old is a public terminal capture of 2.1.112.
func (b *bridge) passMCP() bool {
	names := b.newServers()
	if len(names) == 0 {
		return true
	}
	b.rec.event("prompt", "question", "mcp")
	enabled, all, answered := []string{}, false, true
	switch {
	case len(names) > 1:
		enabled, answered = b.askServers(names)
	case b.set.str("mcp-text", "new") == "old":
		choice := b.choose([]string{"  New MCP server found in .mcp.json: " + names[0], "", mcpWarning, ""},
			[]string{"1. Use this and all future MCP servers in this project", "2. Use this MCP server", "3. Continue without using this MCP server"},
			"Enter to confirm · Esc to cancel", 0)
		all, answered = choice == 0, choice != -2
		if choice == 0 || choice == 1 {
			enabled = names
		}
	default:
		choice := b.choose([]string{"  New MCP server found in this project: " + names[0], "", mcpWarning, ""},
			[]string{"Use this MCP server", "Use this and all future MCP servers in this project", "Continue without using this MCP server"},
			"Enter to confirm · Esc to cancel", 2)
		all, answered = choice == 1, choice != -2
		if choice == 0 || choice == 1 {
			enabled = names
		}
	}
	if !answered {
		b.hangUp(1)
		return false
	}
	b.screen.draw(nil)
	b.saveServers(names, enabled, all)
	return true
}

// askServers is the list for several servers: all ticked at first, Enter and
// Space tick, Enter on the last line takes the ticked ones, Esc rejects all.
func (b *bridge) askServers(names []string) (enabled []string, answered bool) {
	before := []string{fmt.Sprintf("  %d new MCP servers found in this project", len(names)), "  Select any you wish to enable.", "", mcpWarning, ""}
	refused := map[string]bool{}
	for at := 0; ; {
		var options []string
		enabled = nil
		for _, name := range names {
			if refused[name] {
				options = append(options, "[ ] "+name)
				continue
			}
			options = append(options, "[✔] "+name)
			enabled = append(enabled, name)
		}
		at = b.choose(before, append(options, "   Enable selected"), "Space to select · Esc to reject all", at)
		switch {
		case at == -2:
			return nil, false
		case at == -1:
			return nil, true
		case at == len(names):
			return enabled, true
		}
		refused[names[at]] = !refused[names[at]]
	}
}

// saveServers writes the answer where 2.1.330 does, into the project's
// .claude/settings.local.json [RAN].
func (b *bridge) saveServers(names, enabled []string, all bool) {
	file := filepath.Join(b.config.places.cwd, ".claude", "settings.local.json")
	changeObject(file, func(v map[string]any) {
		refused := slices.DeleteFunc(slices.Clone(names), func(name string) bool { return slices.Contains(enabled, name) })
		if len(enabled) > 0 {
			v["enabledMcpjsonServers"] = enabled
		}
		if len(refused) > 0 {
			v["disabledMcpjsonServers"] = refused
		}
		if all {
			v["enableAllProjectMcpServers"] = true
		}
	})
}

// newServers are the names in .mcp.json without an answer yet.
func (b *bridge) newServers() []string {
	if b.set.on("prompt-mcp") {
		if name := b.set.str("prompt-mcp", ""); name != "" {
			return strings.Split(name, "+")
		}
		return []string{"demo"}
	}
	dir := b.config.places.cwd
	servers, _ := readObject(filepath.Join(dir, ".mcp.json"))["mcpServers"].(map[string]any)
	local := readObject(filepath.Join(dir, ".claude", "settings.local.json"))
	if all, _ := local["enableAllProjectMcpServers"].(bool); all || b.set.str("mcp", "file") == "never" {
		return nil
	}
	known := map[string]bool{}
	for _, source := range []map[string]any{local, b.config.project(dir)} {
		for _, key := range []string{"enabledMcpjsonServers", "disabledMcpjsonServers"} {
			list, _ := source[key].([]any)
			for _, name := range list {
				known[fmt.Sprint(name)] = true
			}
		}
	}
	var names []string
	for name := range servers {
		if !known[name] {
			names = append(names, name)
		}
	}
	sort.Strings(names)
	return names
}

// readObject is a JSON object from a file, empty where there is none.
func readObject(path string) map[string]any {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	values, _ := decodeObject(text)
	return values
}

// changeObject rewrites a small settings file.
func changeObject(path string, change func(map[string]any)) {
	values := readObject(path)
	if values == nil {
		values = map[string]any{}
	}
	change(values)
	text, _ := json.MarshalIndent(values, "", "  ")
	_ = os.MkdirAll(filepath.Dir(path), 0o755)
	_ = os.WriteFile(path, append(text, '\n'), 0o644)
}
