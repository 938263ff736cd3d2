package ctl

import (
	"context"
	"slices"
	"strings"
	"time"

	"clauster/pkg/bridge"

	"github.com/spf13/cobra"
)

// Command builds the command tree. packaging/man makes the manual pages of it.
func (a *App) Command() *cobra.Command {
	root := &cobra.Command{
		Use:   "clauster-ctl",
		Short: "Run and look after Claude Code bridges",
		Long: `clauster-ctl starts, stops and shows Claude Code bridges: claude processes, one
or more per project directory, that systemd supervises and that are driven from
claude.ai/code or the mobile app.

An INSTANCE is PROJECT, or PROJECT:LABEL for one of several bridges in a
project. Its unit is clauster@INSTANCE.service, so systemctl and journalctl work
on it too.

Root and the members of group clauster may do everything; everybody else may
list and look. With --user the commands are about your own user manager and
need no rights.

Exit codes: 0 done, 1 failed, 2 usage, 3 no such instance or project,
4 systemd, journal, keeper or API cannot be reached or may not be asked.`,
		Example: `  clauster-ctl start hello          start a bridge in project hello and wait until it serves
  clauster-ctl list                 what runs, what ended, and why
  clauster-ctl attach hello         its terminal; leave with ctrl-]
  clauster-ctl logs -f hello        what it says`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRun:  func(*cobra.Command, []string) { a.ran = true },
		Args:              cobra.NoArgs,
		RunE:              func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	root.SetOut(a.Stdout)
	root.SetErr(a.Stderr)
	root.PersistentFlags().StringVarP(&a.configPath, "config", "c", "", "configuration `FILE` instead of the default one")
	root.PersistentFlags().BoolVar(&a.userMode, "user", false, "your own user manager instead of the system's")
	root.SetFlagErrorFunc(func(c *cobra.Command, err error) error {
		return usage(c.CommandPath()+" --help", "%w", err)
	})
	root.AddCommand(a.listCommand(), a.statusCommand(), a.startCommand(), a.stopCommand(), a.restartCommand(),
		a.logsCommand(), a.attachCommand(), a.openCommand(), a.trustCommand(), a.projectsCommand(), a.keepersCommand(),
		a.forgetCommand(), a.configCommand(), a.tokenCommand(), a.hashPasswordCommand(), a.hashMetricsTokenCommand(), a.deliveriesCommand(), a.notifyCommand(), a.healthCommand(), a.metricsCommand(), a.errorsCommand(), a.versionCommand(), a.completionCommand(), a.asUserCommand())
	root.AddCommand(a.eventsCommand(), a.storeCommand())
	root.SetHelpCommand(helpCommand(root))
	root.Version = a.Version
	root.SetVersionTemplate("clauster-ctl {{.Version}}\n")
	return root
}

// helpCommand is `help` and `help COMMAND`, which many type first.
func helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Short: "Print the help of a command", Hidden: true,
		RunE: func(_ *cobra.Command, args []string) error {
			c, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return usage("clauster-ctl --help", "there is no command %q", strings.Join(args, " "))
			}
			return c.Help()
		},
	}
}

// instanceArgs accepts from low to high instance names; high < 0 is no bound.
func instanceArgs(low, high int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) < low {
			return usage(c.CommandPath()+" --help", "%s needs the name of an instance: PROJECT or PROJECT:LABEL", c.CommandPath())
		}
		if high >= 0 && len(args) > high {
			return usage(c.CommandPath()+" --help", "%s takes one instance, not %d", c.CommandPath(), len(args))
		}
		for _, arg := range args {
			if _, err := bridge.ParseInstance(arg); err != nil {
				return &fault{ExitUsage, err, "an instance is PROJECT or PROJECT:LABEL"}
			}
		}
		return nil
	}
}

// noArgs accepts no arguments.
func noArgs(c *cobra.Command, args []string) error {
	if len(args) > 0 && c.HasSubCommands() {
		return usage(c.CommandPath()+" --help", "there is no command %q", c.CommandPath()+" "+args[0])
	}
	if len(args) > 0 {
		return usage(c.CommandPath()+" --help", "%s takes no arguments", c.CommandPath())
	}
	return nil
}

// jsonFlag adds --json.
func jsonFlag(c *cobra.Command, into *bool) {
	c.Flags().BoolVar(into, "json", false, "print JSON")
}

// completionPatience is how long a shell waits for names.
const completionPatience = 2 * time.Second

// completeInstances completes names of known instances that are not on the
// line yet.
func (a *App) completeInstances(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completionPatience)
	defer cancel()
	bus, err := a.systemd(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	defer bus.Close()
	w, err := a.look(ctx, bus)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, i := range w.Known() {
		if !slices.Contains(args, i.String()) {
			names = append(names, i.String())
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}
