package ctl

import "github.com/spf13/cobra"

func (a *App) hashPasswordCommand() *cobra.Command {
	return &cobra.Command{
		Use:   "hash-password",
		Short: "Print the hash of a password, for auth.password_hash",
		Long: `Ask for a password twice, without echo, and print its argon2id hash on stdout. From
a pipe it is read as one line. It must have 10 characters at least.

Another hash in clauster.toml, and every session has ended.`,
		Example: "  clauster-ctl hash-password\n  clauster-ctl hash-password <password-file",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.runAPI(c.Context(), "hash-password") },
	}
}

func (a *App) hashMetricsTokenCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "hash-metrics-token",
		Short: "Make a token for /metrics, and print it with its hash",
		Long: `Make a token that opens /metrics and nothing else. The token is printed on
stdout, once, and goes to the scraper; the line with its hash is printed on
stderr and goes into clauster.toml.`,
		Example: "  clauster-ctl hash-metrics-token",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			words := []string{"hash-metrics-token"}
			if asJSON {
				words = append(words, "--json")
			}
			return a.runAPI(c.Context(), words...)
		},
	}
	jsonFlag(c, &asJSON)
	return c
}
