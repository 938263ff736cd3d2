package ctl

import (
	"context"
	"fmt"

	"clauster/pkg/bridge"
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

What is not chosen here stays as the bridge was launched: mode, spawn mode,
permission mode, name, capacity. To take those from the configuration anew, stop
it and start it. systemctl restart does: it knows no choices.

To replace only the keeper and leave the bridge alone: systemctl reload
clauster@INSTANCE.`,
		Example: `  clauster-ctl restart --resume blog
  clauster-ctl restart blog --permission-mode plan`,
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
	if request, err = a.again(i, request); err != nil {
		return err
	}
	if err := a.leaveRequest(i, request); err != nil {
		return err
	}
	a.warnLinger()
	err = a.change(ctx, bus, i, systemd.Restart, i.Unit(), !f.noWait)
	return a.reportStart(ctx, bus, i, f, true, err)
}

// again is what a restart launches. A recorded bypass that root has forbidden
// since is refused while the bridge still runs.
func (a *App) again(i bridge.Instance, r bridge.Request) (bridge.Request, error) {
	r, err := a.place().Again(i, r)
	if err != nil {
		return r, failed(fmt.Sprintf("clauster-ctl stop %s && clauster-ctl start %s", i, i), "cannot restart %s: %w", i, err)
	}
	cfg, err := a.config()
	if err != nil {
		return r, err
	}
	if r.PermissionMode == bridge.PermBypass && !cfg.ForProject(i.Project).AllowBypassPermissions {
		return r, failed(fmt.Sprintf("clauster-ctl restart %s --permission-mode default; or allow it: %s", i, bridge.AllowBypass(cfg.Path, i.Project, a.userMode)),
			"cannot restart %s with bypassPermissions: the configuration does not allow it for project %s", i, i.Project)
	}
	return r, nil
}
