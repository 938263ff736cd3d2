package main

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

// CommandPages makes one page for the root command and one for each command
// below it that a person may call: clauster-ctl-start.1 and so on.
func CommandPages(root *cobra.Command, footer Footer) map[string][]byte {
	root.InitDefaultHelpFlag()
	pages := map[string][]byte{}
	var visit func(c *cobra.Command)
	visit = func(c *cobra.Command) {
		name := pageName(c)
		pages[name+".1"] = commandPage(c, name, footer)
		for _, child := range c.Commands() {
			if child.IsAvailableCommand() && child.Name() != "help" {
				visit(child)
			}
		}
	}
	visit(root)
	return pages
}

func pageName(c *cobra.Command) string {
	return strings.ReplaceAll(c.CommandPath(), " ", "-")
}

func commandPage(c *cobra.Command, name string, footer Footer) []byte {
	p := newPage(name, 1, c.Short, footer)
	p.section("SYNOPSIS")
	p.WriteString(".B " + quote(synopsis(c)) + "\n")
	p.section("DESCRIPTION")
	long := c.Long
	if long == "" {
		long = c.Short
	}
	p.text(long)
	commandList(p, c)
	flagList(p, "OPTIONS", c.NonInheritedFlags())
	flagList(p, "COMMON OPTIONS", c.InheritedFlags())
	if c.Example != "" {
		p.section("EXAMPLES")
		p.text(indent(c.Example))
	}
	p.see(related(c)...)
	return p.Bytes()
}

// synopsis is the line of use; a command of commands does nothing by itself.
func synopsis(c *cobra.Command) string {
	if c.HasAvailableSubCommands() {
		return c.CommandPath() + " COMMAND"
	}
	return strings.TrimSpace(c.UseLine())
}

func commandList(p *page, c *cobra.Command) {
	if !c.HasAvailableSubCommands() {
		return
	}
	p.section("COMMANDS")
	for _, child := range c.Commands() {
		if child.IsAvailableCommand() && child.Name() != "help" {
			p.item(child.Use, child.Short)
		}
	}
}

func flagList(p *page, title string, flags *pflag.FlagSet) {
	if !flags.HasAvailableFlags() {
		return
	}
	p.section(title)
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden {
			return
		}
		value, usage := pflag.UnquoteUsage(f)
		term := "--" + f.Name
		if f.Shorthand != "" {
			term = "-" + f.Shorthand + ", " + term
		}
		switch {
		case value != "" && f.NoOptDefVal != "":
			term += "[=" + value + "]"
		case value != "":
			term += " " + value
		}
		if f.DefValue != "" && !slices.Contains([]string{"false", "[]", "0", "0s"}, f.DefValue) {
			usage += " (default " + f.DefValue + ")"
		}
		p.item(term, usage)
	})
}

func related(c *cobra.Command) []string {
	if c.HasParent() {
		return []string{pageName(c.Root()) + "(1)", "clauster.toml(5)", "clauster@.service(8)"}
	}
	return []string{"clauster.toml(5)", "clauster-keeper(8)", "clauster@.service(8)", "journalctl(1)", "systemctl(1)"}
}

// indent marks every line as an example for page.text.
func indent(s string) string {
	lines := strings.Split(strings.Trim(s, "\n"), "\n")
	for i, line := range lines {
		lines[i] = "  " + strings.TrimPrefix(line, "  ")
	}
	return strings.Join(lines, "\n")
}
