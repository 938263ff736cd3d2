package ctl

import (
	"context"

	"clauster/pkg/systemd"

	"github.com/spf13/cobra"
)

func (a *App) restartCommand() *cobra.Command {
	f := new(launchFlags)
	c := &cobra.Command{
		Use:   "restart INSTANCE",
		Short: "Stop a bridge and start it again",
		Long: `Stop a bridge, start it again and wait until it serves. It begins a fresh
conversation unless --resume is given. A bridge that is down is started.

To replace only the keeper and leave the bridge alone: systemctl reload
clauster@INSTANCE.`,
		Example:           "  clauster-ctl restart --resume blog",
		Args:              instanceArgs(1, 1),
		ValidArgsFunction: a.completeInstances,
		RunE: func(c *cobra.Command, args []string) error {
			return a.restart(c.Context(), args[0], f)
		},
	}
	f.add(c)
	return c
}

func (a *App) restart(ctx context.Context, name string, f *launchFlags) error {
	bus, w, err := a.ready(ctx, "restart", name)
	if err != nil {
		return err
	}
	defer bus.Close()
	i, err := w.resolve(name)
	if err != nil {
		return err
	}
	request, err := f.request(i)
	if err != nil {
		return err
	}
	if err := a.leaveRequest(i, request); err != nil {
		return err
	}
	a.warnLinger()
	err = a.change(ctx, bus, i, systemd.Restart, i.Unit(), !f.noWait)
	return a.reportStart(ctx, bus, i, f, true, err)
}
