package ctl

import (
	"context"

	"github.com/spf13/cobra"
)

func (a *App) forgetCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "forget INSTANCE",
		Short: "Drop the launch record of a bridge that is down",
		Long: `Drop the launch record of a bridge that is down: it is not listed any more, and
cannot be resumed. Its log stays in the journal, its project where it is.`,
		Example:           "  clauster-ctl forget blog:review",
		Args:              instanceArgs(1, 1),
		ValidArgsFunction: a.completeInstances,
		RunE: func(c *cobra.Command, args []string) error {
			return a.forget(c.Context(), args[0], asJSON)
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

func (a *App) forget(ctx context.Context, name string, asJSON bool) error {
	bus, w, err := a.ready(ctx, "forget", name)
	if err != nil {
		return err
	}
	defer bus.Close()
	i, err := w.resolve(name)
	if err != nil {
		return err
	}
	if w.Live(i) {
		return failed("clauster-ctl stop "+i.String(), "cannot forget %s: it lives", i)
	}
	if err := a.records().Remove(i); err != nil {
		return err
	}
	if w.Loaded(i) { // failed: systemd would go on listing it
		if err := bus.ResetFailed(ctx, i.Unit()); err != nil {
			return a.denied(err, "forget", i.String())
		}
	}
	if w.Enabled[i] {
		a.talk("%s is still enabled and starts with the machine: systemctl disable %s", i, i.Unit())
	}
	if asJSON {
		return printJSON(a.Stdout, map[string]any{"instance": i.String(), "forgotten": true})
	}
	a.talk("%s is forgotten", i)
	return nil
}
