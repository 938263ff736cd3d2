package ctl

import (
	"context"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"

	"github.com/spf13/cobra"
)

func (a *App) stopCommand() *cobra.Command {
	var all, noWait, asJSON bool
	c := &cobra.Command{
		Use:   "stop INSTANCE... | --all",
		Short: "Stop bridges and wait until they are gone",
		Long: `Stop bridges and wait until they are gone, with every process they left behind.
claude is asked first and killed only when it does not end.`,
		Example:           "  clauster-ctl stop blog\n  clauster-ctl stop blog:review shop\n  clauster-ctl stop --all",
		ValidArgsFunction: a.completeInstances,
		Args: func(c *cobra.Command, args []string) error {
			if all {
				return noArgs(c, args)
			}
			return instanceArgs(1, -1)(c, args)
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.stop(c.Context(), args, all, !noWait, asJSON)
		},
	}
	c.Flags().BoolVar(&all, "all", false, "every bridge that runs")
	c.Flags().BoolVar(&noWait, "no-wait", false, "do not wait until they are gone")
	jsonFlag(c, &asJSON)
	return c
}

func (a *App) stop(ctx context.Context, names []string, all, wait, asJSON bool) error {
	what := append([]string{"stop"}, names...)
	if all {
		what = append(what, "--all")
	}
	if err := a.needEntitled("stop bridges", what...); err != nil {
		return err
	}
	bus, err := a.systemd(ctx)
	if err != nil {
		return err
	}
	defer bus.Close()
	w, err := a.look(ctx, bus)
	if err != nil {
		return err
	}
	targets, err := w.targets(names, all)
	if err != nil {
		return err
	}
	errs := concurrently(targets, func(i bridge.Instance) error { return a.stopOne(ctx, bus, w, i, wait) })
	if asJSON {
		if err := a.printStopped(ctx, bus, w, targets, !all && len(names) == 1); err != nil {
			errs = append(errs, err)
		}
	} else if all && len(targets) == 0 {
		a.talk("no bridge runs")
	}
	return together(errs)
}

// targets resolves every name before anything is stopped.
func (w *world) targets(names []string, all bool) ([]bridge.Instance, error) {
	var targets []bridge.Instance
	if all {
		for _, i := range w.Known() {
			if w.Live(i) {
				targets = append(targets, i)
			}
		}
		return targets, nil
	}
	var errs []error
	for _, n := range names {
		i, err := w.resolve(n)
		if err != nil {
			errs = append(errs, err)
		}
		targets = append(targets, i)
	}
	return targets, together(errs)
}

func (a *App) stopOne(ctx context.Context, bus Systemd, w *world, i bridge.Instance, wait bool) error {
	switch {
	case w.ServiceUp(i):
		if err := a.change(ctx, bus, i, systemd.Stop, i.Unit(), wait); err != nil {
			return err
		}
	case w.ScopeAlive(i): // an orphan: its keeper is gone
		if err := a.change(ctx, bus, i, systemd.Stop, i.Scope(), wait); err != nil {
			return err
		}
	default:
		a.talk("%s is down already", i)
		return nil
	}
	if wait {
		a.talk("%s is stopped", i)
	} else {
		a.talk("%s is being stopped", i)
	}
	return nil
}

func (a *App) printStopped(ctx context.Context, bus Systemd, before *world, targets []bridge.Instance, single bool) error {
	ctx = context.WithoutCancel(ctx)
	now, err := a.look(ctx, bus)
	if err != nil {
		return err
	}
	views, err := now.views(ctx, bus, targets)
	if err != nil {
		return err
	}
	out := make([]changed, len(views))
	for n, v := range views {
		stopped := before.Live(targets[n]) && !v.Live
		out[n] = changed{View: v, Stopped: &stopped}
	}
	if single && len(out) == 1 {
		return printJSON(a.Stdout, out[0])
	}
	return printJSON(a.Stdout, out)
}
