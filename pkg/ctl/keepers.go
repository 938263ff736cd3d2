package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"clauster/pkg/bridge"
	"clauster/pkg/fleet"
	"clauster/pkg/systemd"

	"github.com/spf13/cobra"
)

func (a *App) keepersCommand() *cobra.Command {
	var stop string
	var asJSON bool
	c := &cobra.Command{
		Use:   "keepers",
		Short: "List keepers and scopes, and what does not belong",
		Long: `List the keepers and the scopes of bridges. An orphan is a scope without a
keeper, or a keeper whose project directory is gone.

--stop stops an orphan, and refuses anything else.`,
		Example: "  clauster-ctl keepers\n  clauster-ctl keepers --stop clauster-bridge-blog.scope",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if stop != "" {
				return a.stopOrphan(c.Context(), stop, asJSON)
			}
			list, err := a.keepers(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.Stdout, list)
			}
			return a.printKeepers(list)
		},
	}
	c.Flags().StringVar(&stop, "stop", "", "stop the orphan with this `SCOPE`, unit or instance name")
	jsonFlag(c, &asJSON)
	// It fails for a flag that does not exist only.
	_ = c.RegisterFlagCompletionFunc("stop", a.completeOrphans)
	return c
}

// completeOrphans completes what --stop would stop.
func (a *App) completeOrphans(c *cobra.Command, _ []string, _ string) ([]string, cobra.ShellCompDirective) {
	ctx, cancel := context.WithTimeout(c.Context(), completionPatience)
	defer cancel()
	list, err := a.keepers(ctx)
	if err != nil {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	var names []string
	for _, v := range list {
		if v.Orphan != "" {
			names = append(names, v.Instance)
		}
	}
	return names, cobra.ShellCompDirectiveNoFileComp
}

// keeperView is one instance of which something runs.
type keeperView struct {
	Instance  string `json:"instance"`
	Unit      string `json:"unit"`
	UnitState string `json:"unit_state"` // ActiveState
	KeeperPID int    `json:"keeper_pid,omitempty"`
	Scope     string `json:"scope,omitempty"` // absent where there is none
	PID       int    `json:"pid,omitempty"`   // of claude
	Orphan    string `json:"orphan,omitempty"`

	instance bridge.Instance
}

// The kinds of orphans.
const (
	orphanScope  = "no-keeper"    // a scope whose keeper is gone
	orphanKeeper = "project-gone" // a keeper whose project directory is gone
)

func (a *App) keepers(ctx context.Context) ([]keeperView, error) {
	if err := a.needEntitled("list keepers", "keepers"); err != nil {
		return nil, err
	}
	bus, err := a.systemd(ctx)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	w, err := a.look(ctx, bus)
	if err != nil {
		return nil, err
	}
	return a.keepersOf(ctx, bus, w)
}

func (a *App) keepersOf(ctx context.Context, bus Systemd, w *world) ([]keeperView, error) {
	list := []keeperView{}
	for _, i := range w.Known() {
		if !w.Live(i) {
			continue
		}
		v := keeperView{Instance: i.String(), Unit: i.Unit(), UnitState: "inactive", instance: i}
		if s, ok := w.Services[i]; ok {
			v.UnitState = s.Active
		}
		if w.ServiceUp(i) {
			pid, err := bus.MainPID(ctx, i.Unit())
			if err != nil {
				return nil, err
			}
			v.KeeperPID = pid
		}
		if w.ScopeAlive(i) {
			v.Scope = i.Scope()
			v.PID = fleet.ReadScope(a.cgroups(), w.ScopePath(i), true).PID
		}
		switch {
		case !w.ServiceUp(i):
			v.Orphan = orphanScope
		case a.projectGone(w, i):
			v.Orphan = orphanKeeper
		}
		list = append(list, v)
	}
	return list, nil
}

// projectGone reports whether an instance's directory certainly is not there:
// by its record, else by the configuration. What may not be looked at is there.
func (a *App) projectGone(w *world, i bridge.Instance) bool {
	dir := ""
	if r, ok := w.Records[i]; ok {
		dir = r.Path
	} else if cfg := a.configIfReadable(); cfg != nil {
		if root, err := a.projectsRoot(cfg); err == nil {
			dir = filepath.Join(root, i.Project)
		}
	}
	if dir == "" {
		return false
	}
	st, err := os.Stat(a.path(dir))
	return errors.Is(err, fs.ErrNotExist) || err == nil && !st.IsDir()
}

func (a *App) printKeepers(list []keeperView) error {
	if len(list) == 0 {
		fmt.Fprintln(a.Stderr, "no keepers and no scopes")
		return nil
	}
	s := a.style()
	t := table{header: []string{"INSTANCE", "UNIT", "KEEPER", "CLAUDE", "SCOPE", "ORPHAN"}}
	for _, v := range list {
		t.add(plain(v.Instance), plain(v.UnitState), plain(number(v.KeeperPID)), plain(number(v.PID)), plain(v.Scope), cell{v.Orphan, s.bad})
	}
	return t.write(a.Stdout, s)
}

// stopOrphan stops what a name means if it is an orphan.
func (a *App) stopOrphan(ctx context.Context, name string, asJSON bool) error {
	if err := a.needEntitled("stop "+name, "keepers", "--stop", name); err != nil {
		return err
	}
	i, ok := bridge.InstanceOfUnit(name)
	if !ok {
		var err error
		if i, err = bridge.ParseInstance(name); err != nil {
			return usage("clauster-ctl keepers", "cannot stop %q: it is neither a scope or unit of ours nor an instance", name)
		}
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
	list, err := a.keepersOf(ctx, bus, w)
	if err != nil {
		return err
	}
	for _, v := range list {
		if v.instance != i {
			continue
		}
		unit := i.Scope()
		switch v.Orphan {
		case "":
			return failed("clauster-ctl stop "+i.String(), "cannot stop %s as an orphan: it has its keeper and its project", i)
		case orphanKeeper:
			unit = i.Unit()
		}
		if err := a.change(ctx, bus, i, systemd.Stop, unit, true); err != nil {
			return err
		}
		if asJSON {
			return printJSON(a.Stdout, v)
		}
		a.talk("%s is stopped", unit)
		return nil
	}
	return noInstance("clauster-ctl keepers", "nothing of %s runs", i)
}
