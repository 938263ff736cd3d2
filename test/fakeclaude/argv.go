package main

import (
	"fmt"
	"strings"
)

// arity says what follows a flag.
type arity int

const (
	bare     arity = iota // no value
	needs                 // one value, `--f v` or `--f=v`
	optional              // a value unless the next word is a flag
	attached              // a value only as --f=v (-d, --debug)
)

// flagSpec is one flag: its canonical name and what follows.
type flagSpec struct {
	name  string
	takes arity
}

// parsed is an argument list taken apart; values hold the last of each flag.
type parsed struct {
	values map[string]string
	words  []string
}

func (p parsed) on(name string) bool { _, ok := p.values[name]; return ok }

// parse reads args by specs. bad is the CLI's complaint without "error: ", or
// empty. Both --no-NAME and --NAME are known by their specs.
func parse(args []string, specs map[string]flagSpec) (p parsed, bad string) {
	p.values = map[string]string{}
	for i := 0; i < len(args); i++ {
		word := args[i]
		if word == "--" {
			p.words = append(p.words, args[i+1:]...)
			break
		}
		if !strings.HasPrefix(word, "-") || word == "-" {
			p.words = append(p.words, word)
			continue
		}
		name, value, joined := strings.Cut(word, "=")
		spec, known := specs[name]
		switch {
		case !known:
			return p, fmt.Sprintf("unknown option '%s'", word) // claude-cli.md §2
		case joined || spec.takes == bare || spec.takes == attached:
			p.values[spec.name] = value
		case spec.takes == needs:
			if i+1 >= len(args) {
				return p, fmt.Sprintf("option '%s <value>' argument missing", name)
			}
			i++
			p.values[spec.name] = args[i]
		default: // optional
			p.values[spec.name] = ""
			if i+1 < len(args) && !strings.HasPrefix(args[i+1], "-") {
				i++
				p.values[spec.name] = args[i]
			}
		}
	}
	return p, ""
}

// serverFlags are the flags of `remote-control` (claude-cli.md §3). --sandbox
// is left out: the help of 2.1.330 no longer names it.
func serverFlags() map[string]flagSpec {
	specs := map[string]flagSpec{
		"-c": {"--continue", bare}, "-d": {"--debug", attached}, "-v": {"--verbose", bare}, "-h": {"--help", bare},
	}
	add(specs, bare, "--help", "--continue", "--verbose", "--chrome", "--no-chrome", "--create-session-in-dir", "--no-create-session-in-dir")
	add(specs, needs, "--name", "--remote-control-session-name-prefix", "--session-id", "--permission-mode", "--settings", "--debug-file", "--spawn", "--capacity")
	add(specs, attached, "--debug")
	return specs
}

// topFlags are the options of the top level (claude-cli.md §2, end).
func topFlags() map[string]flagSpec {
	specs := map[string]flagSpec{
		"--rc": {"--remote-control", optional}, "-v": {"--version", bare}, "-h": {"--help", bare},
		"-c": {"--continue", bare}, "-r": {"--resume", optional}, "-n": {"--name", needs},
		"-w": {"--worktree", optional}, "-p": {"--print", bare}, "-d": {"--debug", optional},
	}
	add(specs, optional, "--remote-control", "--resume", "--worktree", "--debug", "--from-pr", "--teleport", "--tmux", "--cloud")
	add(specs, bare, "--continue", "--fork-session", "--version", "--help", "--print", "--verbose", "--chrome", "--no-chrome",
		"--dangerously-skip-permissions", "--allow-dangerously-skip-permissions", "--bare", "--brief", "--ide", "--bg", "--background",
		"--disable-slash-commands", "--strict-mcp-config", "--safe-mode", "--restricted", "--replay-user-messages",
		"--include-partial-messages", "--include-hook-events", "--no-session-persistence", "--ax-screen-reader")
	add(specs, needs, "--name", "--debug-file", "--permission-mode", "--session-id", "--settings", "--model", "--add-dir", "--agent",
		"--agents", "--allowedTools", "--disallowedTools", "--append-system-prompt", "--system-prompt", "--betas", "--effort",
		"--environment", "--fallback-model", "--file", "--input-format", "--output-format", "--json-schema", "--max-budget-usd",
		"--mcp-config", "--permission-prompts", "--plugin-dir", "--plugin-url", "--remote-control-session-name-prefix",
		"--setting-sources", "--system-prompt-snapshot", "--tools", "--sdk-url", "--autocompact")
	return specs
}

func add(specs map[string]flagSpec, takes arity, names ...string) {
	for _, name := range names {
		specs[name] = flagSpec{name, takes}
	}
}
