package ctl

import (
	"slices"
	"strings"

	"github.com/spf13/cobra"
)

func shells() []string { return []string{"bash", "zsh", "fish"} }

func (a *App) completionCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "completion SHELL",
		Short: "Print the completion script for bash, zsh or fish",
		Long: `Print the completion script of a shell. The package installs them; this is for
everybody else. Names of instances are completed live.`,
		Example: `  source <(clauster-ctl completion bash)
  clauster-ctl completion zsh > "${fpath[1]}/_clauster-ctl"
  clauster-ctl completion fish > ~/.config/fish/completions/clauster-ctl.fish`,
		ValidArgs: shells(),
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 || !slices.Contains(shells(), args[0]) {
				return usage(c.CommandPath()+" --help", "%s needs the name of a shell: %s", c.CommandPath(), strings.Join(shells(), ", "))
			}
			return nil
		},
		RunE: func(c *cobra.Command, args []string) error {
			root := c.Root()
			switch args[0] {
			case "bash":
				return root.GenBashCompletionV2(a.Stdout, true)
			case "zsh":
				return root.GenZshCompletion(a.Stdout)
			}
			return root.GenFishCompletion(a.Stdout, true)
		},
	}
}
