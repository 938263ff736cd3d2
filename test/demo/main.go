// Command demo is for make demo: it boots a throwaway systemd machine, installs
// the package there with apt, starts a bridge on a sample project, kills its
// keeper and shows that the bridge went on. The machine stays up; DEMO_ONCE=1
// ends it. CLAUDE=/path runs a real claude instead of the stand-in.
//
// It asks nothing, and no step can hang: each has a timeout.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"clauster/test/machine"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	d := &demo{claude: os.Getenv("CLAUDE"), once: os.Getenv("DEMO_ONCE") == "1"}
	if err := d.run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		stop()
		os.Exit(1)
	}
}

// name is the demo's machine; a second demo replaces the first one's.
const name = "demo"

// tool is the command line for machines, as the reader is told to use it.
const tool = "build/bin/machine"

type demo struct {
	claude string // a real one, "" for the stand-in
	once   bool
	repo   string
	m      *machine.Machine
}

func (d *demo) run(ctx context.Context) error {
	begun := time.Now()
	if err := d.prepare(ctx); err != nil {
		return err
	}
	if err := d.boot(ctx); err != nil {
		return err
	}
	err := d.show(ctx)
	if d.once || ctx.Err() != nil {
		step("DEMO_ONCE: the machine ends")
		return errors.Join(err, machine.StopNamed(name))
	}
	if err == nil {
		fmt.Printf("\nDone in %.0f s.", time.Since(begun).Seconds())
	}
	d.farewell()
	return err
}

// prepare installs what is missing and builds what the demo needs beside the
// package.
func (d *demo) prepare(ctx context.Context) error {
	var err error
	if d.repo, err = machine.RepoRoot(); err != nil {
		return err
	}
	if os.Geteuid() != 0 {
		return errors.New("cannot boot a machine: only root can\nhint: sudo make demo")
	}
	for _, args := range [...][]string{
		{"test/machine/deps.sh"},
		{"go", "build", "-o", tool, "./test/machine/cmd/machine"},
		{"env", "CGO_ENABLED=0", "go", "build", "-trimpath", "-o", "build/bin/fakeclaude", "./test/fakeclaude"},
	} {
		if err := d.host(ctx, 10*time.Minute, args...); err != nil {
			return err
		}
	}
	return d.checkClaude()
}

// checkClaude refuses a claude that would not run in the machine.
func (d *demo) checkClaude() error {
	if d.claude == "" {
		return nil
	}
	path, err := filepath.EvalSymlinks(d.claude)
	if err != nil {
		return fmt.Errorf("cannot use CLAUDE=%s: %w", d.claude, err)
	}
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("cannot use CLAUDE=%s: %w", d.claude, err)
	}
	defer f.Close()
	magic := make([]byte, 4)
	if _, err := f.Read(magic); err != nil || string(magic) != "\x7fELF" {
		return fmt.Errorf("cannot use CLAUDE=%s: it is a script that needs its own directory and node\n"+
			"hint: CLAUDE must be the native executable, one file", d.claude)
	}
	d.claude = path
	return nil
}

func (d *demo) boot(ctx context.Context) error {
	step("boot a throwaway Debian with systemd as PID 1")
	if err := machine.StopNamed(name); err != nil { // of an earlier demo
		return err
	}
	args := []string{tool, "boot", name}
	if d.claude != "" {
		args = []string{tool, "boot", "-network", name}
	}
	if err := d.host(ctx, 20*time.Minute, args...); err != nil {
		return err
	}
	var err error
	if d.m, err = machine.Attach(name); err != nil {
		return err
	}
	return d.say(ctx, "systemctl", "is-system-running")
}

// host runs a step on this host.
func (d *demo) host(ctx context.Context, timeout time.Duration, args ...string) error {
	ctx, cancel := context.WithTimeout(ctx, timeout)
	defer cancel()
	cmd := exec.CommandContext(ctx, args[0], args[1:]...)
	cmd.Dir = d.repo
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cannot run %s: %w", strings.Join(args, " "), err)
	}
	return nil
}

// farewell says what is still there and how to leave it.
func (d *demo) farewell() {
	fmt.Printf(`
The machine «%[1]s» stays up. From this directory:
  %[2]s enter %[1]s                                    a root shell in it
  %[2]s enter -user op %[1]s                           the bridge user's shell
  %[2]s enter %[1]s clauster-ctl attach hello          the bridge's terminal, ctrl-] leaves
  %[2]s enter %[1]s journalctl -f -u clauster@hello    what it says
  %[2]s stop %[1]s                                     end it; nothing remains
`, name, tool)
}

func step(text string) { fmt.Printf("\n── %s\n", text) }
