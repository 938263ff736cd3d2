package ctl

import (
	"context"
	"errors"
	"io"
	"os"
	"os/signal"
	osuser "os/user"
	"path/filepath"
	"runtime/debug"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/config"
	"clauster/pkg/journal"
	"clauster/pkg/records"
	"clauster/pkg/systemd"

	"golang.org/x/sys/unix"
	"golang.org/x/term"
)

// App is clauster-ctl with everything it touches, so that a test can put
// another world around it. New gives the real one.
type App struct {
	Stdin          io.Reader
	Stdout, Stderr io.Writer
	Environ        []string
	Getenv         func(string) string
	Now            func() time.Time
	Version        string // of the release
	Hostname       func() (string, error)

	// Root is put before every absolute path that is read: "" but in tests.
	Root string
	// UID and Groups are who asks.
	UID    int
	Groups []int
	// LookupUser finds the bridge user, LookupGroup a group's id.
	LookupUser  func(name string) (*osuser.User, error)
	LookupGroup func(name string) (gid int, err error)
	// Connect opens the seam to systemd.
	Connect func(ctx context.Context, m systemd.Manager) (Systemd, error)
	// JournalReadable reports whether the system's journal is open to us.
	JournalReadable func() bool
	// Terminal tells whether stdout, and whether stderr, is a terminal.
	Terminal, TalkTerminal bool

	// Set by the global flags.
	configPath string
	userMode   bool
	ran        bool // the command line was understood

	cfg    *config.Config
	report *config.Report
}

// New makes the App of this process.
func New(version string) *App {
	groups, err := os.Getgroups()
	if err != nil {
		groups = nil // as if in no group: less is allowed, not more
	}
	return &App{
		Stdin: os.Stdin, Stdout: os.Stdout, Stderr: os.Stderr,
		Environ: os.Environ(), Getenv: os.Getenv, Now: time.Now, Version: version,
		Hostname: os.Hostname,
		UID:      os.Geteuid(), Groups: append(groups, os.Getegid()),
		LookupUser: osuser.Lookup, LookupGroup: lookupGroup,
		Connect: connectSystemd, JournalReadable: journal.Readable,
		Terminal: isTerminal(os.Stdout), TalkTerminal: isTerminal(os.Stderr),
	}
}

func isTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// Main runs the command line of this process and gives its exit code.
func Main(version string, args []string) int {
	// Most commands end before the collector's second cycle would pay off.
	debug.SetGCPercent(400)
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, unix.SIGTERM)
	defer stop()
	return New(version).Run(ctx, args)
}

// Run runs a command line, without the program's name, prints what went wrong
// and gives the exit code.
func (a *App) Run(ctx context.Context, args []string) int {
	root := a.Command()
	root.SetArgs(args)
	err := root.ExecuteContext(ctx)
	if err != nil && !a.ran {
		var f *fault
		if !errors.As(err, &f) {
			err = usage("clauster-ctl --help", "%w", err) // cobra's own: unknown command or flag
		}
	}
	if errors.Is(err, unix.EPIPE) {
		return ExitFailed // the reader of our output has gone: nothing to say to anyone
	}
	printError(a.Stderr, err, a.talkStyle(), a.commands)
	return exitCode(err)
}

// colours reports whether the environment wants them (no-color.org).
func (a *App) colours() bool { return a.Getenv("NO_COLOR") == "" && a.Getenv("TERM") != "dumb" }

// style is how data is painted, talkStyle how talk is.
func (a *App) style() style     { return style{a.Terminal && a.colours()} }
func (a *App) talkStyle() style { return style{a.TalkTerminal && a.colours()} }

// manager is the systemd that is meant.
func (a *App) manager() systemd.Manager {
	if a.userMode {
		return systemd.User
	}
	return systemd.System
}

// origin tells whose journal entries count.
func (a *App) origin() journal.Origin { return journal.Origin{User: a.userMode, UID: a.UID} }

// path is an absolute path under Root.
func (a *App) path(elements ...string) string {
	return filepath.Join(append([]string{"/", a.Root}, elements...)...)
}

// stateDir is where records live; the keeper decides the same in findDirs.
func (a *App) stateDir() string {
	if !a.userMode {
		return "/var/lib/clauster"
	}
	if s := a.Getenv("XDG_STATE_HOME"); filepath.IsAbs(s) {
		return filepath.Join(s, "clauster")
	}
	return filepath.Join(a.Getenv("HOME"), ".local/state/clauster")
}

// socketPath is the control socket of an instance.
func (a *App) socketPath(i bridge.Instance) string {
	if a.userMode {
		return filepath.Join(a.Getenv("XDG_RUNTIME_DIR"), "clauster/bridges", i.String(), "keeper.sock")
	}
	return a.path("/run/clauster/bridges", i.String(), "keeper.sock")
}

// records are the launch records. New files keep the writer as owner; the
// directory's setgid bit gives them the group.
func (a *App) records() records.Dir {
	return records.Dir{Path: a.path(a.stateDir(), "instances"), UID: -1, GID: -1}
}

// config loads the configuration once. With faults in it the error names the
// first one.
func (a *App) config() (*config.Config, error) {
	if a.cfg == nil {
		// No path stands for the default file, which need not exist.
		src := config.Source{Path: a.configPath, UserMode: a.userMode, Environ: a.Environ}
		if a.Root != "" && src.Path == "" {
			src.FS = os.DirFS(a.Root)
		}
		a.cfg, a.report = config.Load(src)
	}
	return a.cfg, a.report.Err()
}

// configIfReadable is the configuration, or nil where it has faults or is not
// for these eyes: what depends on it is then left out.
func (a *App) configIfReadable() *config.Config {
	cfg, err := a.config()
	if err != nil {
		return nil
	}
	return cfg
}

// bridgeUser is the account that runs the bridges: the configured one, or in
// user mode whoever asks.
func (a *App) bridgeUser(cfg *config.Config) (*osuser.User, error) {
	if a.userMode {
		return &osuser.User{Uid: itoa(a.UID), HomeDir: a.Getenv("HOME"), Username: a.Getenv("USER")}, nil
	}
	if cfg.User == "" {
		return nil, failed(`add this line to `+cfg.Path+`: user = "YOUR-LOGIN"`, "%s names no bridge user", cfg.Path)
	}
	u, err := a.LookupUser(cfg.User)
	if err != nil {
		return nil, failed("correct user in "+cfg.Path, "cannot find the bridge user %q: no such user on this host", cfg.User)
	}
	return u, nil
}

// projectsRoot is the directory whose directories are the projects.
func (a *App) projectsRoot(cfg *config.Config) (string, error) {
	u, err := a.bridgeUser(cfg)
	if err != nil {
		return "", err
	}
	return cfg.ProjectsRootFor(u.HomeDir)
}
