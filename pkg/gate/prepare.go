package gate

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
	"clauster/pkg/spool"
)

// prepared is a launch that only has to be executed.
type prepared struct {
	path    string // of claude, absolute
	argv    []string
	env     []string
	version string
	dir     string // the project directory, resolved
	dirs    claude.Dirs
}

// prepare looks at everything that must be seen with the bridge user's eyes.
// It leaves the process in the project directory. warn gets what is worth
// saying but refuses nothing.
func prepare(o Order, warn func(string)) (prepared, *bridge.Cause) {
	p := prepared{}
	var cause *bridge.Cause
	if p.dir, cause = enter(o.Root, o.Project); cause != nil {
		return p, cause
	}
	nodeDir := ""
	if o.NodeFromNVM {
		nodeDir, _ = claude.NodeFromNVM(o.Home)
	}
	env := claude.Environ{Home: o.Home, User: o.User, Shell: o.Shell, Lang: o.Lang, NodeDir: nodeDir, PathAppend: o.PathAppend, Overlay: o.Env}
	var dropped []string
	p.env, dropped = env.Build()
	for _, name := range dropped {
		warn("[claude.env] " + name + " is reserved and was left out")
	}
	for _, name := range claude.Disabling(p.env) {
		warn(name + " in the bridge's environment switches Remote Control off: remove it from [claude.env]")
	}
	p.dirs = claude.Dirs{Home: o.Home, ConfigDir: claude.Variable(p.env, "CLAUDE_CONFIG_DIR")}
	if p.path, p.version, cause = findClaude(o, p.env); cause != nil {
		return p, cause
	}
	if cause = ceiling(o, p); cause != nil {
		return p, cause
	}
	if cause = grant(o, p, warn); cause != nil {
		return p, cause
	}
	if o.Options.Mode == bridge.Standard && !o.Continue {
		// The pointer alone makes claude reattach: a fresh start sets it aside.
		if _, err := claude.ClearPointer(p.dirs, p.dir); err != nil {
			warn(err.Error())
		}
	}
	emptySpool(filepath.Dir(o.DebugFile))
	if err := spool.Create(filepath.Dir(o.DebugFile), filepath.Base(o.DebugFile), -1, -1); err != nil {
		warn(err.Error())
	}
	p.argv = append([]string{p.path}, claude.Argv(claude.Launch{
		Mode: o.Options.Mode, Spawn: o.Options.SpawnMode, Permission: o.Options.PermissionMode, Name: o.Label,
		DebugFile: o.DebugFile, Prefix: o.Options.Prefix, Capacity: o.Options.Capacity, Verbose: o.Options.Verbose,
		Worktree: o.Worktree, Continue: o.Continue, Resume: o.Fork})...)
	return p, nil
}

// emptySpool removes what an earlier run left there.
func emptySpool(dir string) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return // Create says what is wrong
	}
	for _, e := range entries {
		_ = os.RemoveAll(filepath.Join(dir, e.Name()))
	}
}

// enter makes the project directory the working directory. The last component
// may not be a link: it could lead anywhere the bridge user may go, under
// another project's name and ceiling.
func enter(root, project string) (string, *bridge.Cause) {
	path := filepath.Join(root, project)
	refuse := func(name string, err error) *bridge.Cause {
		c := claude.CauseNamed(name)
		c.Hint = strings.ReplaceAll(c.Hint, "DIRECTORY", bridge.Word(path))
		c.Reason = fmt.Sprintf("%s: %s", c.Reason, err)
		return &c
	}
	dirFD, err := unix.Open(root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", classify(refuse, &fs.PathError{Op: "open", Path: root, Err: err})
	}
	defer unix.Close(dirFD)
	fd, err := unix.Openat(dirFD, project, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return "", classify(refuse, &fs.PathError{Op: "open", Path: path, Err: err})
	}
	defer unix.Close(fd)
	if err := unix.Fchdir(fd); err != nil {
		return "", classify(refuse, &fs.PathError{Op: "chdir", Path: path, Err: err})
	}
	dir, err := os.Readlink("/proc/self/fd/" + strconv.Itoa(fd))
	if err != nil {
		return "", refuse("project-unreadable", err)
	}
	return dir, nil
}

func classify(refuse func(string, error) *bridge.Cause, err error) *bridge.Cause {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return refuse("project-missing", err)
	case errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR):
		return refuse("project-outside", err)
	}
	return refuse("project-unreadable", err)
}

// ceiling refuses bypassPermissions that comes in through the user's own
// settings: with inherit no flag is passed and they decide. A settings file
// that cannot be judged counts as one that does.
func ceiling(o Order, p prepared) *bridge.Cause {
	if o.Options.PermissionMode != bridge.PermInherit || o.AllowBypass {
		return nil
	}
	m := claude.ReadDefaultMode(p.dirs, p.dir, claude.ManagedSettings)
	if !m.MayBypass() {
		return nil
	}
	c := claude.CauseNamed("bypass-refused")
	if m.Mode == bridge.PermBypass {
		c.Reason += ", and " + m.Source + " makes it the default"
	} else {
		c.Reason += ", and " + m.Doubt + " cannot be read to rule it out"
	}
	return &c
}

// grantWait is longer than the life of an orphaned lock on ~/.claude.json
// (10 s), which a power cut leaves.
const grantWait = 20 * time.Second

// grant writes trust and consent where asked to.
func grant(o Order, p prepared, warn func(string)) *bridge.Cause {
	ctx, cancel := context.WithTimeout(context.Background(), grantWait)
	defer cancel()
	switch {
	case o.Trust:
		if _, err := claude.Grant(ctx, p.dirs, p.dir); err != nil {
			c := claude.CauseNamed("trust-failed")
			c.Reason = err.Error()
			return &c
		}
	case o.Consent:
		t, err := claude.ReadTrust(p.dirs, p.dir)
		if err != nil || t.Consent {
			return nil // claude itself says what is wrong with its file
		}
		if _, err := claude.Consent(ctx, p.dirs); err != nil {
			warn(err.Error())
		}
	}
	return nil
}

// findClaude resolves the binary on the bridge's own PATH and asks its
// version, which is the only proof that it is a program at all.
func findClaude(o Order, env []string) (path, version string, cause *bridge.Cause) {
	path, c := claude.FindBinary(o.Binary, claude.Variable(env, "PATH"))
	if c.Name == "" {
		version, c = claude.CheckVersion(context.Background(), claude.Command(env, ""), path, o.MinVersion)
	}
	if c.Name != "" {
		return "", "", &c
	}
	return path, version, nil
}

// start executes claude in the foreground of the gate's terminal.
func start(p prepared) (*os.Process, *bridge.Cause) {
	process, err := os.StartProcess(p.path, p.argv, &os.ProcAttr{Env: p.env, Files: []*os.File{os.Stdin, os.Stdout, os.Stderr},
		Sys: &syscall.SysProcAttr{Setpgid: true, Foreground: true, Ctty: 0}})
	if err != nil {
		c := claude.CauseNamed("binary-not-executable")
		if errors.Is(err, unix.ENOEXEC) {
			c = claude.CauseNamed("binary-exec-format")
		}
		c.Reason = fmt.Sprintf("%s: %s", c.Reason, err)
		return nil, &c
	}
	return process, nil
}
