package ctl

import (
	"context"
	"fmt"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"

	"github.com/spf13/cobra"
)

func (a *App) listCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List the bridges: running, enabled and recorded",
		Long: `List every instance that systemd has loaded, that is enabled, or of which there
is a launch record. Why and when a dead one ended comes from the journal.

SINCE counts from the launch of the bridge, or from its end.`,
		Example: "  clauster-ctl list\n  clauster-ctl list --json | jq -r '.[] | select(.status == \"crashed\") | .instance'",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			views, err := a.list(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.Stdout, views)
			}
			return a.printList(views)
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

func (a *App) list(ctx context.Context) ([]View, error) {
	bus, err := a.systemd(ctx)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	w, err := a.look(ctx, bus)
	if err != nil {
		return nil, err
	}
	views, err := w.views(ctx, bus, w.Known())
	w.warn()
	return views, err
}

func (a *App) printList(views []View) error {
	if len(views) == 0 {
		a.talk("no bridges yet: clauster-ctl projects shows where one can be started")
		return nil
	}
	s := a.style()
	t := table{header: []string{"INSTANCE", "STATUS", "HEALTH", "PID", "SINCE", "RESTARTS", "MEMORY", "CPU", "MODE", "REASON"}}
	for _, v := range views {
		t.add(plain(v.Name.String()), cell{string(v.Status), paintStatus(s, v.Status, v.Health)}, plain(string(v.Health)),
			plain(number(v.PID)), plain(a.ago(v.Since)), plain(v.restarts()), plain(v.memory()), plain(v.cpu()),
			plain(string(v.Mode)), plain(v.notice()))
	}
	return t.write(a.Stdout, s)
}

func number(n int) string {
	if n == 0 {
		return ""
	}
	return itoa(n)
}

func (a *App) ago(t wire.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(a.Now().Sub(t.Time))
}

func (v *View) restarts() string {
	if v.Restarts == nil || *v.Restarts == 0 {
		return ""
	}
	return itoa(*v.Restarts)
}

func (v *View) memory() string {
	if v.MemoryBytes == nil {
		return ""
	}
	return size(*v.MemoryBytes)
}

func (v *View) cpu() string {
	if v.CPUSeconds == nil {
		return ""
	}
	return fmt.Sprintf("%.0fs", *v.CPUSeconds)
}

// notice is the reason, where a list has to say one: not that all is well.
func (v *View) notice() string {
	if v.Status == bridge.Running && v.Health == bridge.OK {
		if v.ConfigChanged {
			return "configuration changed since start"
		}
		return ""
	}
	return v.Reason
}
