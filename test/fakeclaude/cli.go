package main

import (
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"
)

// cli is one invocation of the stand-in.
type cli struct {
	argv   []string
	set    *settings
	begun  time.Time
	places places
	fds    []descriptor
}

// places are the directories and files of one HOME and project.
type places struct {
	home, cwd  string // cwd is symlink-free: keys and slugs use the real path
	configDir  string // ~/.claude or CLAUDE_CONFIG_DIR
	configFile string // .claude.json
}

func findPlaces(home, cwd string) places {
	p := places{home: home, cwd: cwd, configDir: filepath.Join(home, ".claude"), configFile: filepath.Join(home, ".claude.json")}
	if real, err := filepath.EvalSymlinks(cwd); err == nil {
		p.cwd = real
	}
	if dir := os.Getenv("CLAUDE_CONFIG_DIR"); dir != "" { // claude-cli.md §7
		p.configDir, p.configFile = dir, filepath.Join(dir, ".claude.json")
	}
	return p
}

// homeDirectory falls back to the passwd entry (claude-cli.md §2).
func homeDirectory() string {
	if home := os.Getenv("HOME"); home != "" {
		return home
	}
	if u, err := user.Current(); err == nil {
		return u.HomeDir
	}
	return "/"
}

// run dispatches on the arguments like the real one: a subcommand word first,
// then options of the top level.
func (c *cli) run() outcome {
	args := c.argv[1:]
	if len(args) > 0 {
		switch args[0] {
		case "-v", "--version":
			return c.version()
		case "-h", "--help":
			return c.print(topHelp)
		case "remote-control", "rc":
			return c.server(args[1:])
		case "auth":
			return c.auth(args[1:])
		case "doctor":
			return c.doctor(args[1:])
		case "agents":
			return c.agents(args[1:])
		case "mcp":
			return c.mcp(args[1:])
		case "setup-token":
			return c.print("Usage: claude setup-token [options]\n")
		}
		if !strings.HasPrefix(args[0], "-") {
			return c.unknownCommand(args[0])
		}
	}
	return c.topLevel(args)
}

// topLevel is the interactive form with or without --remote-control, or -p.
func (c *cli) topLevel(args []string) outcome {
	p, bad := parse(args, topFlags())
	if bad != "" {
		fmt.Fprintf(os.Stderr, "error: %s\n", bad)
		return outcome{code: 1}
	}
	switch {
	case p.on("--version"):
		return c.version()
	case p.on("--help"):
		return c.print(topHelp)
	case p.on("--print"):
		return c.printMode(p)
	case !isTerminal(0) || !isTerminal(1):
		return c.silentlyPrint(p)
	}
	return c.flag(p)
}

// silentlyPrint: without a terminal the interactive form becomes -p
// (claude-cli.md §4).
func (c *cli) silentlyPrint(p parsed) outcome {
	if len(p.words) > 0 {
		return c.printMode(p)
	}
	time.Sleep(c.set.scaled(400 * time.Millisecond))
	fmt.Fprintln(os.Stderr, "Error: Input must be provided either through stdin or as a prompt argument when using --print")
	return outcome{code: 1}
}

func (c *cli) print(text string) outcome {
	os.Stdout.WriteString(text)
	return outcome{}
}

func (c *cli) unknownCommand(name string) outcome {
	fmt.Fprintf(os.Stderr, "error: unknown command '%s'\n", name) // claude-cli.md §2
	return outcome{code: 1}
}
