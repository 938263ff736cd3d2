package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os/exec"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
)

// apiProgram does what needs the API's database: this program links none.
const apiProgram = "/usr/lib/clauster/clauster-api"

// apiAccount is who owns that database.
const apiAccount = "clauster"

// runAPI executes words of clauster-api with our own streams, as the caller.
// What it says and its exit code are ours.
func (a *App) runAPI(ctx context.Context, words ...string) error {
	return a.executeAPI(ctx, a.Environ, nil, words)
}

// runAPIAsOwner executes words of clauster-api as the owner of the database.
// Only root can become that: a member of the group has to ask with sudo, since
// the tokens in it outlive a membership.
func (a *App) runAPIAsOwner(ctx context.Context, words ...string) error {
	if a.userMode {
		return a.runAPI(ctx, words...)
	}
	u, err := a.LookupUser(apiAccount)
	if err != nil {
		return failed("systemd-sysusers", "cannot find the user %s, who owns the database", apiAccount)
	}
	if u.Uid == itoa(a.UID) {
		return a.runAPI(ctx, words...)
	}
	if a.UID != 0 {
		return unreachable("sudo clauster-ctl "+shellWords(words), "cannot open the database: only root and the user %s may", apiAccount)
	}
	credential, err := credentialOf(u)
	if err != nil {
		return err
	}
	// A session of its own, without root's terminal and environment: what the
	// API may have been made to leave in its directory must not reach either.
	env := []string{"HOME=" + u.HomeDir, "USER=" + u.Username, "LOGNAME=" + u.Username, "PATH=/usr/local/bin:/usr/bin:/bin", "LANG=C.UTF-8"}
	if zone := a.Getenv("TZ"); zone != "" {
		env = append(env, "TZ="+zone)
	}
	return a.executeAPI(ctx, env, &syscall.SysProcAttr{Credential: credential, Setsid: true}, words)
}

func (a *App) executeAPI(ctx context.Context, env []string, attr *syscall.SysProcAttr, words []string) error {
	var args []string
	if a.userMode {
		args = append(args, "--user")
	}
	if a.configPath != "" {
		args = append(args, "-c", a.configPath)
	}
	cmd := exec.CommandContext(ctx, a.path(apiProgram), append(args, words...)...)
	cmd.Env, cmd.SysProcAttr, cmd.Stdout, cmd.Stderr = env, attr, a.Stdout, a.Stderr
	if attr == nil {
		cmd.Stdin = a.Stdin
	} else {
		cmd.Dir = "/"
	}
	// A terminal without echo has to be given it back.
	cmd.Cancel = func() error { return cmd.Process.Signal(unix.SIGTERM) }
	cmd.WaitDelay = 10 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit) && exit.Exited():
		return quiet{exit.ExitCode()}
	case errors.As(err, &exit) && brokenPipe(exit):
		return quiet{128 + int(unix.SIGPIPE)} // as if it had been us: nobody reads on
	case errors.Is(err, fs.ErrNotExist):
		return failed("install the package clauster again", "cannot run %s: it is not there", apiProgram)
	case err != nil:
		return fmt.Errorf("cannot run %s: %w", apiProgram, err)
	}
	return nil
}

// brokenPipe reports that a program ended since its reader had (`| head`).
func brokenPipe(exit *exec.ExitError) bool {
	status, ok := exit.Sys().(syscall.WaitStatus)
	return ok && status.Signaled() && status.Signal() == unix.SIGPIPE
}

// shellWords joins words as they would be typed.
func shellWords(words []string) string {
	line := ""
	for i, w := range words {
		if i > 0 {
			line += " "
		}
		line += bridge.Word(w)
	}
	return line
}
