package home

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"syscall"
	"time"

	"clauster/pkg/account"
	"clauster/pkg/bridge"
	"clauster/pkg/claude"
	"clauster/pkg/config"
	"clauster/pkg/project"
)

// How long claude may take.
const (
	versionLimit = 5 * time.Second
	authLimit    = 10 * time.Second
)

// versionAge is how long the answer of an unchanged binary is believed: a
// wrapper script can change its answer without changing itself.
const versionAge = 60 * time.Second

// User answers with the bridge user's eyes. Its methods may be called from
// several goroutines; they run as the calling process.
type User struct {
	root       string // projects_root
	binary     string
	minVersion string
	env        []string
	name       string // "" in user mode: who reads a hint is that user
	dirs       claude.Dirs

	// run executes claude. One at a time: memory is bounded that way, and what
	// a program leaves behind can be told from one that is running.
	run   claude.Run
	turn  chan struct{}
	after func() // when a program has ended, before the next turn

	seen     Claude // guarded by turn
	seenTime time.Time
}

// NewUser settles everything from root's configuration; what is asked later
// can change none of it. It is called by the user already: nvm's files are that
// user's. after is called when a program of claude's has ended.
func NewUser(cfg *config.Config, u account.User, lang string, after func()) (*User, error) {
	root, err := cfg.ProjectsRootFor(u.Home)
	if err != nil {
		return nil, err
	}
	binary, err := cfg.BinaryFor(u.Home)
	if err != nil {
		return nil, err
	}
	more, err := cfg.PathAppendFor(u.Home)
	if err != nil {
		return nil, err
	}
	env := claude.Environ{Home: u.Home, User: u.Name, Shell: u.Shell, Lang: lang, PathAppend: more, Overlay: cfg.Claude.Env}
	if cfg.Claude.NodeFromNVM {
		env.NodeDir, _ = claude.NodeFromNVM(u.Home)
	}
	built, _ := env.Build()
	name := u.Name
	if cfg.UserMode {
		name = ""
	}
	return &User{root: root, binary: binary, minVersion: cfg.Claude.MinVersion, env: built, name: name,
		dirs: claude.Dirs{Home: u.Home, ConfigDir: claude.Variable(built, "CLAUDE_CONFIG_DIR")},
		run:  claude.Command(built, u.Home), turn: make(chan struct{}, 1), after: after}, nil
}

// take waits for the turn to run claude.
func (u *User) take(ctx context.Context) error {
	select {
	case u.turn <- struct{}{}:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func (u *User) give() { <-u.turn }

// Claude looks for the binary and asks its version, unless the same file was
// asked within versionAge.
func (u *User) Claude(ctx context.Context) (Claude, error) {
	if err := u.take(ctx); err != nil {
		return Claude{}, err
	}
	defer u.give()
	c := Claude{}
	path, cause := claude.FindBinary(u.binary, claude.Variable(u.env, "PATH"))
	if cause.Name == "" {
		c.Path = path
		info, err := os.Stat(path)
		if err != nil {
			return Claude{}, fmt.Errorf("cannot look at claude: %w", err)
		}
		c.File = fileOf(info)
		if u.seen.Version != "" && u.seen.Path == c.Path && u.seen.File == c.File && time.Since(u.seenTime) < versionAge {
			return u.seen, nil
		}
		probe, cancel := context.WithTimeout(ctx, versionLimit)
		defer cancel()
		c.Version, cause = claude.CheckVersion(probe, u.run, path, u.minVersion)
		u.after()
		if c.Version == "" && errors.Is(probe.Err(), context.DeadlineExceeded) {
			cause.Reason = fmt.Sprintf("claude --version did not answer within %s", versionLimit)
		}
	}
	c.Cause = u.named(cause)
	u.seen, u.seenTime = c, time.Now()
	return c, nil
}

func fileOf(info fs.FileInfo) File {
	f := File{Size: info.Size(), Modified: info.ModTime().UTC()}
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		f.Device, f.Inode = uint64(st.Dev), st.Ino
	}
	return f
}

// Auth asks claude whether it is logged in.
func (u *User) Auth(ctx context.Context) (Auth, error) {
	if err := u.take(ctx); err != nil {
		return Auth{}, err
	}
	defer u.give()
	path, cause := claude.FindBinary(u.binary, claude.Variable(u.env, "PATH"))
	if cause.Name != "" {
		c := u.named(cause)
		return Auth{}, &Error{RefusedFailed, c.Reason, c.Hint}
	}
	ctx, cancel := context.WithTimeout(ctx, authLimit)
	defer cancel()
	out, exit, err := u.run(ctx, path, "auth", "status")
	u.after()
	if errors.Is(err, context.DeadlineExceeded) {
		return Auth{}, &Error{RefusedTimeout, fmt.Sprintf("claude auth status did not answer within %s", authLimit), ""}
	}
	if err != nil {
		return Auth{}, fmt.Errorf("cannot run claude auth status: %w", err)
	}
	status, err := claude.ParseAuth(out)
	if err != nil {
		return Auth{}, fmt.Errorf("%w (exit status %d)", err, exit)
	}
	a := Auth{LoggedIn: status.LoggedIn, Method: word(status.Method), Provider: word(status.Provider), Expires: status.Expires()}
	if a.Expires.IsZero() && a.LoggedIn && a.Method == "claude.ai" {
		a.Expires = claude.ReadLoginExpiry(u.dirs)
	}
	a.Cause = u.named(status.Cause())
	return a, nil
}

// named puts the user's name into a cause's hint, and leaves out the start that
// would follow in an instance; nil where there is no cause.
func (u *User) named(c bridge.Cause) *bridge.Cause {
	if c.Name == "" {
		return nil
	}
	c.Hint, _, _ = strings.Cut(c.Hint, ", then: ")
	c = claude.Fill(c, bridge.Instance{}, u.name)
	return &c
}

// word keeps what can be a word of claude's: it is shown to people.
func word(s string) string {
	if len(s) > 40 || strings.ContainsFunc(s, func(r rune) bool {
		return !(r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._-", r))
	}) {
		return "unknown"
	}
	return s
}

// Projects gives every project with its facts.
func (u *User) Projects(ctx context.Context) (Projects, error) {
	root, err := project.OpenRoot(u.root)
	if err != nil {
		return Projects{}, u.rootError(err)
	}
	defer root.Close()
	all, err := root.LookAll(ctx, u.trusts())
	if err != nil {
		return Projects{}, err
	}
	return Projects{Root: u.root, Projects: all}, nil
}

// Project gives the facts of one project.
func (u *User) Project(_ context.Context, name string) (project.Facts, error) {
	if err := bridge.CheckProject(name); err != nil {
		return project.Facts{}, &Error{RefusedRequest, err.Error(), ""}
	}
	root, err := project.OpenRoot(u.root)
	if err != nil {
		return project.Facts{}, u.rootError(err)
	}
	defer root.Close()
	f, err := root.Look(name, u.trusts())
	if errors.Is(err, project.ErrNotFound) {
		return project.Facts{}, &Error{RefusedNotFound, fmt.Sprintf("there is no project %s below %s", name, u.root), "clauster-ctl projects"}
	}
	return f, err
}

func (u *User) rootError(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return &Error{RefusedConfig, fmt.Sprintf("projects_root %s does not exist", u.root), "make it as the bridge user, or correct projects_root in clauster.toml"}
	}
	return err
}

// trusts reads claude's own file; one that cannot be read trusts nothing.
func (u *User) trusts() claude.Trusts {
	t, err := claude.ReadTrusts(u.dirs)
	if err != nil {
		return claude.Trusts{}
	}
	return t
}
