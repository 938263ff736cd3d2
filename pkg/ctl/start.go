package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"

	"github.com/spf13/cobra"
)

// launchFlags are the choices of one launch.
type launchFlags struct {
	bridge.Options
	resume string // "last", or a session UUID
	trust  bool
	noWait bool
	asJSON bool
	given  func(flag string) bool // on the command line
}

// resumeLast stands for --resume without a session.
const resumeLast = "last"

func (f *launchFlags) add(c *cobra.Command) {
	fl := c.Flags()
	f.given = fl.Changed
	fl.StringVar((*string)(&f.Mode), "mode", "", "`MODE`: standard (many sessions) or pty (one interactive session)")
	fl.StringVar((*string)(&f.SpawnMode), "spawn-mode", "", "`MODE`: same-dir, worktree or session")
	fl.StringVar((*string)(&f.PermissionMode), "permission-mode", "", "`MODE`: default, plan, acceptEdits, auto, dontAsk, bypassPermissions or inherit")
	fl.StringVar(&f.Name, "name", "", "the `NAME` that claude shows for the bridge")
	fl.IntVar(&f.Capacity, "capacity", 0, "sessions at a time, `N` from 1 to 1024 (standard)")
	fl.StringVar(&f.Prefix, "prefix", "", "`PREFIX` of session names (standard)")
	fl.BoolVar(&f.Verbose, "verbose", false, "let claude say more")
	fl.StringVar(&f.resume, "resume", "", "go on with the recorded conversation, or fork the given `SESSION` UUID (pty)")
	fl.Lookup("resume").NoOptDefVal = resumeLast
	fl.BoolVar(&f.trust, "trust", false, "first trust the project and give the consents that claude would ask for")
	fl.BoolVar(&f.noWait, "no-wait", false, "do not wait until the bridge serves")
	jsonFlag(c, &f.asJSON)
	for flag, words := range map[string][]string{"mode": words(bridge.Modes()), "spawn-mode": words(bridge.SpawnModes()),
		"permission-mode": words(bridge.PermissionModes())} {
		// It fails for a flag that does not exist only.
		_ = c.RegisterFlagCompletionFunc(flag, cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	}
}

func words[T ~string](list []T) []string {
	out := make([]string, len(list))
	for i, w := range list {
		out[i] = string(w)
	}
	return out
}

// chosen reports whether anything was asked for that a start by itself would
// not do.
func (f *launchFlags) chosen() bool {
	return f.Options != (bridge.Options{}) || f.resume != "" || f.trust
}

// request is what is left for the keeper.
func (f *launchFlags) request(i bridge.Instance) (bridge.Request, error) {
	r := bridge.Request{Options: f.Options, Instance: i.String(), Trust: f.trust}
	switch f.resume {
	case "":
	case resumeLast:
		r.Resume = true
	default:
		r.Fork = f.resume
	}
	err := r.Validate()
	if err == nil && f.Capacity == 0 && f.given("capacity") { // to Validate none was chosen
		err = errors.New("cannot use capacity 0: it must be between 1 and 1024")
	}
	if err != nil {
		return r, &fault{ExitUsage, err, "clauster-ctl start --help"}
	}
	return r, nil
}

func (a *App) startCommand() *cobra.Command {
	f := new(launchFlags)
	c := &cobra.Command{
		Use:   "start INSTANCE",
		Short: "Start a bridge and wait until it serves",
		Long: `Start a bridge and wait until it has registered with claude.ai, or fails with
the reason. A bridge that runs already is left alone.

What is not chosen here comes from the configuration, and with --resume from the
last launch, as with clauster-ctl restart. A start without --resume begins a fresh conversation. To have a
bridge come back after a boot: systemctl enable clauster@INSTANCE.`,
		Example: `  clauster-ctl start blog
  clauster-ctl start blog:review --mode pty --permission-mode plan
  clauster-ctl start --resume blog
  clauster-ctl start --resume=0b9c3a52-6d2e-4d0c-9f3e-5a1d7c1f2e34 blog
  clauster-ctl start --trust newproject`,
		Args:              instanceArgs(1, 1),
		ValidArgsFunction: a.completeStart,
		RunE: func(c *cobra.Command, args []string) error {
			return a.start(c.Context(), args[0], f)
		},
	}
	f.add(c)
	return c
}

func (a *App) start(ctx context.Context, name string, f *launchFlags) error {
	i, err := bridge.ParseInstance(name)
	if err != nil {
		return err
	}
	bus, w, err := a.ready(ctx, "start", i.String())
	if err != nil {
		return err
	}
	defer bus.Close()
	request, err := f.request(i)
	if err != nil {
		return err
	}
	switch w.Services[i].Active {
	case "active", "reloading":
		return a.reportStart(ctx, bus, i, f, false, nil)
	case "activating":
		// Our job would join the one under way, whose keeper has long read what
		// was asked for.
		if f.chosen() {
			return failed("clauster-ctl restart "+i.String()+" with the same options",
				"cannot start %s with these options: it is being started already", i)
		}
	}
	if err := a.checkRoom(w, i); err != nil {
		return err
	}
	if err := a.leaveRequest(i, request); err != nil {
		return err
	}
	a.warnLinger()
	err = a.change(ctx, bus, i, systemd.Start, i.Unit(), !f.noWait)
	return a.reportStart(ctx, bus, i, f, true, err)
}

// ready connects, and refuses who may not and projects that are not there.
func (a *App) ready(ctx context.Context, verb, name string) (Systemd, *world, error) {
	if err := a.needEntitled(verb+" "+name, verb, name); err != nil {
		return nil, nil, err
	}
	bus, err := a.systemd(ctx)
	if err != nil {
		return nil, nil, err
	}
	w, err := a.look(ctx, bus)
	if err != nil {
		bus.Close()
		return nil, nil, err
	}
	return bus, w, nil
}

// leaveRequest checks the project and writes the launch request, which the
// keeper takes when systemd starts it. A start without choices writes one too,
// so that it never picks up what an earlier start that failed had left.
func (a *App) leaveRequest(i bridge.Instance, r bridge.Request) error {
	if err := a.checkProject(i); err != nil {
		return err
	}
	p := a.place()
	if a.userMode {
		if err := os.MkdirAll(p.Records.Path, 0o700); err != nil {
			return fmt.Errorf("cannot make the directory of launch records: %w", err)
		}
	}
	if err := p.LeaveRequest(r, a.Now()); err != nil {
		if errors.Is(err, fs.ErrNotExist) {
			return failed("systemd-tmpfiles --create clauster.conf", "%w", err)
		}
		return err
	}
	return nil
}

// checkRoom refuses a start beyond instance_defaults.max_bridges.
func (a *App) checkRoom(w *world, i bridge.Instance) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	most, live := cfg.InstanceDefaults.MaxBridges, w.Others(i)
	if most > 0 && live >= most {
		return failed("stop one (clauster-ctl list), or raise instance_defaults.max_bridges in "+cfg.Path,
			"cannot start %s: %s on this host, and max_bridges is %d", i, counted(live, "bridge lives", "bridges live"), most)
	}
	return nil
}

// checkProject refuses an instance whose project is not there. A caller who
// cannot look into the projects' directory leaves it to the keeper.
func (a *App) checkProject(i bridge.Instance) error {
	cfg, err := a.config()
	if err != nil {
		return err
	}
	root, err := a.projectsRoot(cfg)
	if err != nil {
		return err
	}
	dir := filepath.Join(root, i.Project)
	st, err := os.Stat(a.path(dir))
	switch {
	case errors.Is(err, fs.ErrNotExist) && isLink(a.path(dir)):
		return noInstance("clauster-ctl projects", "there is no project %s: %s is a link to what does not exist", i.Project, dir)
	case errors.Is(err, fs.ErrNotExist):
		return noInstance(a.makeHint(cfg, dir)+", or choose one: clauster-ctl projects", "there is no project %s: %s does not exist", i.Project, dir)
	case err != nil:
		return nil
	case !st.IsDir():
		return noInstance("clauster-ctl projects", "there is no project %s: %s is not a directory", i.Project, dir)
	}
	return nil
}

func isLink(path string) bool {
	st, err := os.Lstat(path)
	return err == nil && st.Mode()&fs.ModeSymlink != 0
}

// warnLinger tells a user that bridges end with the last login.
func (a *App) warnLinger() {
	if !a.userMode {
		return
	}
	if _, err := os.Stat(a.path("/var/lib/systemd/linger", a.Getenv("USER"))); errors.Is(err, fs.ErrNotExist) {
		a.talk("%s your bridges end with your last login; to keep them: loginctl enable-linger", a.talkStyle().warn("warning:"))
	}
}

// reportStart prints what came of a start.
func (a *App) reportStart(ctx context.Context, bus Systemd, i bridge.Instance, f *launchFlags, created bool, err error) error {
	if err != nil && exitCode(err) != ExitFailed {
		return err
	}
	if f.asJSON {
		v, e := a.after(ctx, bus, i)
		if e != nil {
			return together([]error{e})
		}
		made := created && err == nil
		if e := printJSON(a.Stdout, changed{View: v, Created: &made}); e != nil {
			return e
		}
		return err
	}
	if err != nil {
		return err
	}
	switch {
	case !created && f.chosen():
		a.talk("%s is running already, without these options: clauster-ctl restart %s with them", i, i)
	case !created:
		a.talk("%s is running already", i)
	case f.noWait:
		a.talk("%s is being started: clauster-ctl status %s", i, i)
	default:
		a.talk("%s is running: clauster-ctl open %s", i, i)
	}
	return nil
}

// completeStart completes projects and known instances.
func (a *App) completeStart(c *cobra.Command, args []string, typed string) ([]string, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	names, directive := a.completeInstances(c, args, typed)
	return append(names, a.projectNames()...), directive
}
