package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"time"

	"clauster/test/machine"
)

const unit = "clauster@hello"

// show is the part in the machine: install, start, look, kill, look again.
func (d *demo) show(ctx context.Context) error {
	if err := d.install(); err != nil {
		return err
	}
	if err := d.project(); err != nil {
		return err
	}
	step("start a bridge")
	started := d.say(ctx, "systemctl", "start", unit)
	err := errors.Join(
		d.say(ctx, "systemctl", "status", "--no-pager", "--lines=0", unit),
		d.say(ctx, "journalctl", "--no-pager", "-u", unit, "-o", "cat"),
		d.say(ctx, "clauster-ctl", "list"),
	)
	if started != nil && d.claude != "" {
		fmt.Printf("\nA real claude must be logged in, in the machine:\n  %[1]s enter -user op %[2]s claude auth login\n"+
			"  %[1]s enter %[2]s systemctl start %[3]s\n", tool, name, unit)
		return nil
	}
	if started != nil || err != nil {
		return errors.Join(started, err)
	}
	if d.claude != "" {
		return nil // it prints no numbers
	}
	return d.kill(ctx)
}

// install is apt's work, as on any Debian.
func (d *demo) install() error {
	debs, _ := filepath.Glob(filepath.Join(d.repo, "build/packages/clauster_*.deb")) // the pattern is well-formed
	if len(debs) == 0 {
		return errors.New("cannot find build/packages/clauster_*.deb\nhint: make packages")
	}
	deb := newest(debs)
	step("apt install ./" + filepath.Base(deb))
	return d.m.Install(deb)
}

func newest(files []string) string {
	best, when := "", time.Time{}
	for _, f := range files {
		if info, err := os.Stat(f); err == nil && !info.ModTime().Before(when) {
			best, when = f, info.ModTime()
		}
	}
	return best
}

// project gives the bridge user a claude and a sample project.
func (d *demo) project() error {
	claude := filepath.Join(d.repo, "build/bin/fakeclaude")
	what := "the stand-in claude"
	if d.claude != "" {
		claude, what = d.claude, d.claude
	}
	step("user op with " + what + ", project ~op/projects/hello, user = \"op\" in clauster.toml")
	files := map[string]string{
		"/home/op/projects/hello/README.md": "# hello\n\nA sample project.\n",
		// The stand-in counts on its terminal: a lost line would show.
		"/home/op/.fakeclaude": "scale=0.1\ntrust=yes\nconsent=yes\ncount=10\n",
	}
	for path, text := range files {
		if err := d.m.WriteFile(path, []byte(text), 0o644, "op"); err != nil {
			return err
		}
	}
	if err := d.m.CopyIn(claude, "/home/op/.local/bin/claude", "op"); err != nil {
		return err
	}
	// First in the file, so before any table; in place, for its owner and mode.
	r, err := d.m.Sh(`t=$(printf 'user = "op"\n'; cat "$1"); printf '%s\n' "$t" > "$1"`, "/etc/clauster/clauster.toml")
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("cannot configure clauster: %s", r.Stderr)
	}
	return err
}

// kill ends the keeper by SIGKILL while a person watches the bridge's terminal.
func (d *demo) kill(ctx context.Context) error {
	step("watch the bridge's terminal (clauster-ctl attach --read-only hello) and kill its keeper")
	watch, err := d.m.StartContext(ctx, machine.Command{
		Args: []string{"clauster-ctl", "attach", "--read-only", "hello"}, Terminal: true, Timeout: time.Minute})
	if err != nil {
		return err
	}
	before, err := d.facts()
	if err != nil {
		return err
	}
	const lines = 5
	if err := watch.WaitOutput(20*time.Second, func(s string) bool { return len(numbers(s)) >= lines }); err != nil {
		return err
	}
	fmt.Printf("\n$ kill -KILL %d        # the keeper\n\n", before.keeper)
	if err := d.m.Kill(before.keeper, syscall.SIGKILL); err != nil {
		return err
	}
	seen := len(numbers(watch.Stdout()))
	if err := d.m.WaitFor("a new keeper", 20*time.Second, func() bool {
		now, err := d.facts()
		return err == nil && now.keeper != before.keeper && now.state == "active"
	}); err != nil {
		return err
	}
	if err := watch.WaitOutput(20*time.Second, func(s string) bool { return len(numbers(s)) >= seen+2*lines }); err != nil {
		return err
	}
	after, err := d.facts()
	if err != nil {
		return err
	}
	all := numbers(watch.Stdout())
	_ = watch.Signal(syscall.SIGTERM) // it has shown enough
	_, _ = watch.Wait()
	if err := tell(before, after, all, seen); err != nil {
		return err
	}
	return errors.Join(d.say(ctx, "clauster-ctl", "list"), d.say(ctx, "clauster-ctl", "logs", "--events", "hello"))
}

// facts are what must change, and what must not, when the keeper is killed.
type facts struct {
	keeper int
	bridge string // PIDs in the scope
	state  string
}

func (d *demo) facts() (facts, error) {
	props, err := d.m.Show(unit+".service", "MainPID", "ActiveState")
	if err != nil {
		return facts{}, err
	}
	f := facts{state: props["ActiveState"]}
	if f.keeper, err = strconv.Atoi(props["MainPID"]); err != nil {
		return f, err
	}
	r, err := d.m.Run("cat", "/sys/fs/cgroup/clauster.slice/clauster-bridge-hello.scope/cgroup.procs")
	f.bridge = strings.Join(strings.Fields(r.Stdout), " ")
	return f, err
}

// tell prints before and after, and fails when the bridge did not survive.
func tell(before, after facts, all []int, seen int) error {
	fmt.Printf("%-18s %-14s %s\n", "", "before", "after")
	fmt.Printf("%-18s %-14d %-14d replaced\n", "keeper", before.keeper, after.keeper)
	fmt.Printf("%-18s %-14s %-14s", "bridge processes", before.bridge, after.bridge)
	if before.bridge != after.bridge || before.bridge == "" {
		fmt.Println()
		return errors.New("the bridge did not survive")
	}
	fmt.Printf(" the same\n\noutput   ")
	for i := max(0, seen-3); i < min(len(all), seen+5); i++ {
		if i == seen {
			fmt.Print(" ✂ killed here ✂ ")
		}
		fmt.Printf(" #%d", all[i])
	}
	fmt.Println(" …")
	for i, n := range all {
		if n != all[0]+i {
			return fmt.Errorf("the numbered output has a gap or a repeat at %d", n)
		}
	}
	fmt.Printf("%d numbered lines, %d to %d: none missing, none twice.\n", len(all), all[0], all[len(all)-1])
	return nil
}

var numbered = regexp.MustCompile(`#(\d{8})\r?\n`)

// numbers finds the stand-in's numbered lines in what a terminal showed.
func numbers(screen string) []int {
	var all []int
	for _, m := range numbered.FindAllStringSubmatch(screen, -1) {
		n, _ := strconv.Atoi(m[1]) // eight digits
		all = append(all, n)
	}
	return all
}

// say shows a command of the machine and what it prints.
func (d *demo) say(ctx context.Context, args ...string) error {
	fmt.Printf("\n$ %s\n", strings.Join(args, " "))
	r, err := d.m.RunContext(ctx, machine.Command{Args: args, Env: map[string]string{"COLUMNS": "110"}})
	fmt.Print(r.Stdout, r.Stderr)
	if err == nil && r.Code != 0 {
		err = fmt.Errorf("%s: exit code %d", strings.Join(args, " "), r.Code)
	}
	return err
}
