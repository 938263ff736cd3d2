package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"clauster/pkg/bridge"
	"clauster/pkg/config"

	"github.com/spf13/cobra"
)

func (a *App) projectsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "projects",
		Short: "List the directories in which bridges can run",
		Long: `List the directories under projects_root: whether they are git repositories,
whether claude trusts them, whether bypassPermissions is allowed there, and how
many bridges they have.`,
		Example: "  clauster-ctl projects\n  clauster-ctl projects --json | jq -r '.[] | select(.trusted | not) | .project'",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			list, err := a.projects(c.Context())
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.Stdout, list)
			}
			return a.printProjects(list)
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

// projectView is one directory under projects_root.
type projectView struct {
	Project     string `json:"project"` // clean; the directory's name
	Path        string `json:"path"`    // clean
	Usable      bool   `json:"usable"`  // its name can be an instance's
	Rule        string `json:"rule,omitempty"`
	Git         bool   `json:"git"`
	Trusted     *bool  `json:"trusted,omitempty"` // absent where it cannot be known
	AllowBypass bool   `json:"allow_bypass_permissions"`
	Instances   int    `json:"instances"` // known
	Live        int    `json:"live"`      // of them
}

func (a *App) projects(ctx context.Context) ([]projectView, error) {
	if err := a.needEntitled("list projects", "projects"); err != nil {
		return nil, err
	}
	cfg, err := a.config()
	if err != nil {
		return nil, err
	}
	root, err := a.projectsRoot(cfg)
	if err != nil {
		return nil, err
	}
	facts, err := a.lookAsUser(ctx, cfg, root)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, failed(a.makeHint(cfg, root)+", or set projects_root in "+cfg.Path, "%s does not exist", root)
	case errors.Is(err, fs.ErrPermission):
		return nil, &fault{ExitUnreachable, err, "sudo clauster-ctl projects"}
	case err != nil:
		return nil, err
	}
	views := make([]projectView, len(facts))
	for n, f := range facts {
		v := projectView{Project: clean(f.Name), Path: clean(filepath.Join(root, f.Name)), Usable: true, Git: f.Git, Trusted: f.Trusted}
		switch err := validProject(f.Name); {
		case err != nil:
			v.Usable, v.Rule = false, clean(err.Error())
		case f.Link:
			v.Usable, v.Rule = false, "it is a link: bridges start only in directories under projects_root"
		default:
			v.AllowBypass = cfg.ForProject(f.Name).AllowBypassPermissions
		}
		views[n] = v
	}
	a.countInstances(ctx, views)
	return views, nil
}

// makeHint is the command that makes a directory of the bridge user's.
func (a *App) makeHint(cfg *config.Config, dir string) string {
	if a.userMode {
		return "mkdir -p " + bridge.Word(dir)
	}
	return "sudo -iu " + cfg.User + " mkdir -p " + bridge.Word(dir)
}

// lookAsUser lists the projects with the bridge user's eyes where it can.
func (a *App) lookAsUser(ctx context.Context, cfg *config.Config, root string) ([]projectFacts, error) {
	u, err := a.bridgeUser(cfg)
	if err != nil {
		return nil, err
	}
	if a.UID != 0 || a.isBridgeUser(u) {
		return lookAtProjects(claudeDirs(cfg, u), a.path(root))
	}
	if _, err := os.Stat(a.path(root)); err != nil {
		return nil, err
	}
	var facts []projectFacts
	err = a.runAsUser(ctx, cfg, u, "look", root, &facts)
	return facts, err
}

// countInstances adds how many instances each project has. Without systemd the
// list of directories is still worth printing.
func (a *App) countInstances(ctx context.Context, views []projectView) {
	bus, err := a.systemd(ctx)
	if err != nil {
		return
	}
	defer bus.Close()
	w, err := a.look(ctx, bus)
	if err != nil {
		return
	}
	known, live := map[string]int{}, map[string]int{}
	for _, i := range w.Known() {
		known[i.Project]++
		if w.Live(i) {
			live[i.Project]++
		}
	}
	for n := range views {
		if v := &views[n]; v.Usable {
			v.Instances, v.Live = known[v.Project], live[v.Project]
		}
	}
}

func (a *App) printProjects(list []projectView) error {
	if len(list) == 0 {
		fmt.Fprintln(a.Stderr, "no projects: a project is a directory directly under projects_root")
		return nil
	}
	s := a.style()
	t := table{header: []string{"PROJECT", "GIT", "TRUSTED", "BYPASS", "BRIDGES", "PATH", "NOTE"}}
	for _, v := range list {
		trusted := cell{"unknown", s.dim}
		switch {
		case v.Trusted != nil && *v.Trusted:
			trusted = cell{"yes", s.good}
		case v.Trusted != nil:
			trusted = cell{"no", s.warn}
		}
		count := ""
		if v.Instances > 0 {
			count = fmt.Sprintf("%d of %d live", v.Live, v.Instances)
		}
		t.add(plain(v.Project), plain(yes(v.Git)), trusted, cell{yes(v.AllowBypass), s.warn}, plain(count), plain(v.Path), plain(v.Rule))
	}
	return t.write(a.Stdout, s)
}

func yes(b bool) string {
	if b {
		return "yes"
	}
	return ""
}

// projectNames are the projects for completion; none where they cannot be
// seen.
func (a *App) projectNames() []string {
	cfg := a.configIfReadable()
	if cfg == nil {
		return nil
	}
	root, err := a.projectsRoot(cfg)
	if err != nil {
		return nil
	}
	entries, err := os.ReadDir(a.path(root))
	if err != nil {
		return nil
	}
	var names []string
	for _, e := range entries {
		if validProject(e.Name()) == nil && e.IsDir() {
			names = append(names, e.Name())
		}
	}
	return names
}
