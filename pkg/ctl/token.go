package ctl

import (
	"github.com/spf13/cobra"
)

func (a *App) tokenCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "token",
		Short: "Make, list and end API tokens",
		Long: `Make, list and end the tokens that programs show the API on its web socket:

    Authorization: Bearer clauster_pat_...

Only a token's hash is kept. Tokens are made here, on the host, and never over
HTTP. Root does this; the API need not run.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.tokenIssueCommand(), a.tokenListCommand(), a.tokenRotateCommand(), a.tokenRevokeCommand())
	return c
}

// tokenFlags are shared; which of them a word has, it says itself.
type tokenFlags struct {
	asJSON         bool
	scope, expires string
}

// words are the arguments of clauster-api: flags first, then the name, which
// must not be read as a flag.
func (f tokenFlags) words(word, name string) []string {
	out := []string{"token", word}
	if f.asJSON {
		out = append(out, "--json")
	}
	if f.scope != "" {
		out = append(out, "--scope", f.scope)
	}
	if f.expires != "" {
		out = append(out, "--expires", f.expires)
	}
	if name != "" {
		out = append(out, name)
	}
	return out
}

func tokenName(c *cobra.Command, args []string) error {
	if len(args) != 1 || args[0] == "" || args[0][0] == '-' {
		return usage(c.CommandPath()+" --help", "%s needs one label or id", c.CommandPath())
	}
	return nil
}

func (a *App) tokenIssueCommand() *cobra.Command {
	var f tokenFlags
	c := &cobra.Command{
		Use:   "issue LABEL",
		Short: "Make a token and print it, once",
		Long: `Make a token and print it on stdout, once. LABEL tells people what it is for,
and stands for the token's id in the other commands.

A token of scope read may look; one of scope write may also start and stop
bridges, which is to run code as the bridge user.`,
		Example: "  sudo clauster-ctl token issue grafana\n  sudo clauster-ctl token issue ci --scope write --expires 90d >token",
		Args:    tokenName, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			return a.runAPIAsOwner(c.Context(), f.words("issue", args[0])...)
		},
	}
	c.Flags().StringVar(&f.scope, "scope", "read", "`SCOPE`: read or write")
	c.Flags().StringVar(&f.expires, "expires", "", "`TIME` after which it ends, such as 90d or 12h; without it never")
	_ = c.RegisterFlagCompletionFunc("scope", cobra.FixedCompletions([]string{"read", "write"}, cobra.ShellCompDirectiveNoFileComp))
	jsonFlag(c, &f.asJSON)
	return c
}

func (a *App) tokenListCommand() *cobra.Command {
	var f tokenFlags
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the tokens, and when each was last used",
		Long:    "List the tokens, the ended ones too: label, scope, state, expiry and last use (to\nthe minute). No token can be shown again.",
		Example: "  sudo clauster-ctl token list\n  sudo clauster-ctl token list --json",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.runAPIAsOwner(c.Context(), f.words("list", "")...) },
	}
	jsonFlag(c, &f.asJSON)
	return c
}

func (a *App) tokenRotateCommand() *cobra.Command {
	var f tokenFlags
	c := &cobra.Command{
		Use:     "rotate LABEL|ID",
		Short:   "Replace a token by a new one",
		Long:    "Make a token of the same label and scope and print it, once. The old one opens\nnothing from then on. Its life is as long as the old one's was, unless --expires\nsays otherwise.",
		Example: "  sudo clauster-ctl token rotate ci",
		Args:    tokenName, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			return a.runAPIAsOwner(c.Context(), f.words("rotate", args[0])...)
		},
	}
	c.Flags().StringVar(&f.expires, "expires", "", "`TIME` after which it ends, such as 90d or 12h")
	jsonFlag(c, &f.asJSON)
	return c
}

func (a *App) tokenRevokeCommand() *cobra.Command {
	var f tokenFlags
	c := &cobra.Command{
		Use:     "revoke LABEL|ID",
		Short:   "End a token at once",
		Example: "  sudo clauster-ctl token revoke ci",
		Args:    tokenName, ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(c *cobra.Command, args []string) error {
			return a.runAPIAsOwner(c.Context(), f.words("revoke", args[0])...)
		},
	}
	jsonFlag(c, &f.asJSON)
	return c
}
