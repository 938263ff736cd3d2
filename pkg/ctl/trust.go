package ctl

import (
	"context"
	"os"
	"path/filepath"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
	"clauster/pkg/terminal"

	"github.com/spf13/cobra"
)

func (a *App) trustCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "trust PROJECT",
		Short: "Trust a project, as its first interactive start would ask",
		Long: `Write into the bridge user's ~/.claude.json that the project directory is
trusted and that Remote Control was consented to. claude refuses to serve a
directory that nobody has trusted: its settings and hooks run with the bridge
user's rights.

The file is changed under claude's own lock and copied to
~/.claude.json.clauster-backup before the first change.`,
		Example: "  clauster-ctl trust newproject\n  clauster-ctl start --trust newproject",
		Args: func(c *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usage(c.CommandPath()+" --help", "%s needs the name of one project", c.CommandPath())
			}
			if err := bridge.CheckProject(args[0]); err != nil {
				return &fault{ExitUsage, err, "clauster-ctl projects"}
			}
			return nil
		},
		ValidArgsFunction: func(_ *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
			if len(args) > 0 {
				return nil, cobra.ShellCompDirectiveNoFileComp
			}
			return a.projectNames(), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(c *cobra.Command, args []string) error {
			return a.trust(c.Context(), args[0], asJSON)
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

func (a *App) trust(ctx context.Context, project string, asJSON bool) error {
	if err := a.needEntitled("trust "+project, "trust", project); err != nil {
		return err
	}
	cfg, err := a.config()
	if err != nil {
		return err
	}
	u, err := a.bridgeUser(cfg)
	if err != nil {
		return err
	}
	root, err := a.projectsRoot(cfg)
	if err != nil {
		return err
	}
	dir := filepath.Join(root, project)
	if err := a.checkOwnDirectory(project, dir); err != nil {
		return err
	}
	if err := a.checkProject(bridge.Instance{Project: project}); err != nil {
		return err
	}
	var g granted
	switch {
	case a.isBridgeUser(u):
		g, err = grantTrust(ctx, claudeDirs(cfg, u), a.path(dir))
	case a.UID == 0:
		err = a.runAsUser(ctx, cfg, u, "trust", dir, &g)
	default:
		return unreachable("sudo clauster-ctl trust "+project,
			"cannot trust %s: only root can write as the bridge user %s", project, u.Username)
	}
	if err != nil {
		return err
	}
	if asJSON {
		return printJSON(a.Stdout, map[string]any{"project": project, "path": dir, "changed": g.Changed})
	}
	if g.Changed {
		a.talk("%s is trusted now", dir)
	} else {
		a.talk("%s was trusted already", dir)
	}
	return nil
}

// checkOwnDirectory refuses a project that is a link, as a start does. Only the
// words are its own: claude.Grant looks again, at the directory it then trusts.
func (a *App) checkOwnDirectory(project, dir string) error {
	target, err := os.Readlink(a.path(dir))
	if err != nil {
		return nil // it is no link, or Grant says what is wrong
	}
	return noInstance("make it a directory under projects_root, or choose one: clauster-ctl projects", "cannot trust %s: %s: %s is a symbolic link to %s",
		project, claude.CauseNamed("project-outside").Reason, dir, terminal.Clean(target))
}
