package ctl

import (
	"fmt"

	"clauster/pkg/config"

	"github.com/spf13/cobra"
)

func (a *App) configCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "config",
		Short: "Check or show the configuration",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.configCheckCommand(), a.configShowCommand())
	return c
}

func (a *App) configCheckCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "check",
		Short: "Report every fault of the configuration",
		Long: `Read clauster.toml, its drop-ins and the environment as a keeper would, and
report every fault and every oddity with file, line, key, value and rule. The
credentials and variables of a unit are seen by its programs alone, which name
them in the journal: journalctl -u clauster-api -p warning. A user, a directory
or a program that is not on this host is a warning: it may still come.

The exit code is 1 where there are faults; warnings do not change it.`,
		Example: "  clauster-ctl config check\n  clauster-ctl config check -c ./clauster.toml",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return a.configCheck(asJSON) },
	}
	jsonFlag(c, &asJSON)
	return c
}

func (a *App) configCheck(asJSON bool) error {
	cfg, faulty := a.config()
	if err := a.notForTheseEyes(faulty, "config", "check"); err != nil {
		return err
	}
	if faulty == nil {
		a.judgeHost(cfg)
	}
	if asJSON {
		if err := printJSON(a.Stdout, a.report); err != nil {
			return err
		}
	} else if err := a.printReport(cfg); err != nil {
		return err
	}
	if faulty != nil {
		return quiet{ExitFailed}
	}
	return nil
}

func (a *App) printReport(cfg *config.Config) error {
	s, r := a.style(), a.report
	print := func(word string, f config.Finding) error {
		line := word + " " + clean(f.String())
		if f.Hint != "" {
			line += " (" + clean(f.Hint) + ")"
		}
		_, err := fmt.Fprintln(a.Stdout, line)
		return err
	}
	for _, f := range r.Faults {
		if err := print(s.bad("fault:"), f); err != nil {
			return err
		}
	}
	for _, f := range r.Warnings {
		if err := print(s.warn("warning:"), f); err != nil {
			return err
		}
	}
	if r.Omitted > 0 {
		a.talk("and %d more", r.Omitted)
	}
	switch {
	case len(r.Faults) > 0:
		a.talk("%s: %s, %s", cfg.Path, count(len(r.Faults), "fault"), count(len(r.Warnings), "warning"))
	case len(r.Warnings) > 0:
		a.talk("%s: no faults, %s", cfg.Path, count(len(r.Warnings), "warning"))
	default:
		a.talk("%s: no faults", cfg.Path)
	}
	return nil
}

// count gives "no faults", "1 fault", "2 faults".
func count(n int, what string) string {
	switch n {
	case 0:
		return "no " + what + "s"
	case 1:
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func (a *App) configShowCommand() *cobra.Command {
	var asJSON, all bool
	c := &cobra.Command{
		Use:   "show",
		Short: "Print the effective configuration, and where each value comes from",
		Long: `Print every setting that somebody set, with the file and line, credential or
environment variable it comes from; with --all the defaults too. Secrets are
hidden.`,
		Example: "  clauster-ctl config show\n  clauster-ctl config show --all --json",
		Args:    noArgs,
		RunE:    func(*cobra.Command, []string) error { return a.configShow(all, asJSON) },
	}
	c.Flags().BoolVar(&all, "all", false, "the defaults too")
	jsonFlag(c, &asJSON)
	return c
}

func (a *App) configShow(all, asJSON bool) error {
	cfg, err := a.config()
	if err := a.notForTheseEyes(err, "config", "show"); err != nil {
		return err
	}
	if err != nil {
		return err
	}
	settings := []config.Setting{}
	for _, s := range cfg.Effective() {
		if all || s.Origin.Kind != config.FromDefault {
			settings = append(settings, s)
		}
	}
	if asJSON {
		return printJSON(a.Stdout, settings)
	}
	s := a.style()
	t := table{header: []string{"KEY", "VALUE", "FROM"}}
	for _, set := range settings {
		t.add(plain(clean(set.Key)), plain(clean(set.Text)), cell{clean(set.Origin.String()), s.dim})
	}
	if len(settings) == 0 {
		a.talk("%s sets nothing; the defaults: clauster-ctl config show --all", cfg.Path)
		return nil
	}
	return t.write(a.Stdout, s)
}

// notForTheseEyes turns a configuration that may not be read into the refusal
// for everybody outside the group.
func (a *App) notForTheseEyes(err error, what ...string) error {
	if err == nil {
		return nil
	}
	return a.needEntitled("read the configuration", what...)
}
