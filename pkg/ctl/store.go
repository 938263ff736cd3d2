package ctl

import (
	"github.com/spf13/cobra"
)

func (a *App) storeCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "store",
		Short: "Check the API's database",
		Long: `Look after the API's database: the history of events, deliveries, tokens,
logins. No bridge needs it.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.storeCheckCommand())
	return c
}

func (a *App) storeCheckCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Read the whole database and report what is wrong with it",
		Long: `Read every page of the API's database and report damage, its version, sizes and
what is in it. The API may run meanwhile, and nothing is changed. Where the
database cannot be used, the way back is told.

Root does this. The exit code is 1 where something is wrong, 4 where the
database cannot be read at all.`,
		Example: "  sudo clauster-ctl store check\n  sudo clauster-ctl store check --json | jq .findings",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			words := []string{"store", "check"}
			if asJSON {
				words = append(words, "--json")
			}
			return a.runAPIAsOwner(c.Context(), words...)
		},
	}
	jsonFlag(c, &asJSON)
	return c
}
