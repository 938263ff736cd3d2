// Command machine builds, boots, enters and stops the throwaway systemd
// machines of package machine by hand and from scripts (make demo).
//
//	machine root                     build the cached Debian root, print its path
//	machine image                    build the cached VM image, print its path
//	machine boot [flags] NAME        boot a container that stays up, detached
//	machine install NAME FILE.deb    install a package with apt
//	machine copy NAME FROM TO [USER] copy a file of the host into the machine
//	machine run [-user U] NAME CMD…  run a command, with its exit code
//	machine enter [-user U] NAME     a shell in the machine
//	machine kill NAME PID SIGNAL     send a signal, by number, to a PID of the machine
//	machine list                     the machines that are up
//	machine stop NAME…               stop machines; one that is not up is no error
//	machine sweep                    remove what killed owners left
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"strconv"
	"strings"
	"syscall"
	"time"

	"clauster/test/machine"
)

func main() {
	code, err := run(os.Args[1:])
	if err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		code = 1
	}
	os.Exit(code)
}

var errUsage = errors.New("usage: machine root|image|boot|install|copy|run|enter|kill|list|stop|sweep …; see test/machine/cmd/machine/main.go")

func run(args []string) (int, error) {
	if len(args) == 0 {
		return 0, errUsage
	}
	verb, args := args[0], args[1:]
	switch verb {
	case "root":
		return 0, build(machine.BuildRoot)
	case "image":
		return 0, build(machine.BuildImage)
	case "boot":
		return 0, boot(args)
	case "hold":
		return 0, hold(args)
	case "run", "enter":
		return runIn(verb, args)
	case "list":
		names, err := machine.List()
		for _, n := range names {
			fmt.Println(n)
		}
		return 0, err
	case "stop":
		var errs error
		for _, n := range args {
			errs = errors.Join(errs, machine.StopNamed(n))
		}
		return 0, errs
	case "sweep":
		return 0, machine.Sweep()
	}
	return 0, runOn(verb, args)
}

// runOn does the verbs whose first argument is a machine that is up.
func runOn(verb string, args []string) error {
	if len(args) == 0 {
		return errUsage
	}
	m, err := machine.Attach(args[0])
	if err != nil {
		return err
	}
	switch {
	case verb == "install" && len(args) == 2:
		return m.Install(args[1])
	case verb == "copy" && len(args) == 3:
		return m.CopyIn(args[1], args[2], "")
	case verb == "copy" && len(args) == 4:
		return m.CopyIn(args[1], args[2], args[3])
	case verb == "kill" && len(args) == 3:
		pid, err := strconv.Atoi(args[1])
		sig, err2 := strconv.Atoi(args[2])
		if err := errors.Join(err, err2); err != nil {
			return err
		}
		return m.Kill(pid, syscall.Signal(sig))
	}
	return errUsage
}

func build(what func(context.Context, bool) (string, error)) error {
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	path, err := what(ctx, true)
	if err == nil {
		fmt.Println(path)
	}
	return err
}

// runIn runs a command in a machine, or a login shell on this terminal.
func runIn(verb string, args []string) (int, error) {
	flags := flag.NewFlagSet(verb, flag.ContinueOnError)
	user := flags.String("user", "", "run as this user of the machine")
	if err := flags.Parse(args); err != nil {
		return 0, err
	}
	args = flags.Args()
	if len(args) == 0 || verb == "run" && len(args) < 2 {
		return 0, errUsage
	}
	m, err := machine.Attach(args[0])
	if err != nil {
		return 0, err
	}
	cmd := machine.Command{Args: args[1:], User: *user}
	if len(cmd.Args) == 0 {
		cmd.Args = []string{"bash", "--login"}
	}
	if term := os.Getenv("TERM"); term != "" {
		cmd.Env = map[string]string{"TERM": term}
	}
	return 0, m.Enter(cmd)
}

const bootTimeout = 20 * time.Minute // with a root still to build

// boot starts "machine hold" as a daemon of its own and waits for its word.
func boot(args []string) error {
	r, w, err := os.Pipe()
	if err != nil {
		return err
	}
	cmd := exec.Command("/proc/self/exe", append([]string{"hold"}, args...)...)
	cmd.ExtraFiles = []*os.File{w}
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if err := cmd.Start(); err != nil {
		return err
	}
	w.Close()
	if err := r.SetReadDeadline(time.Now().Add(bootTimeout)); err != nil {
		return err
	}
	word, err := io.ReadAll(r)
	if err != nil {
		return errors.Join(err, cmd.Process.Kill())
	}
	if string(word) != "up\n" {
		_ = cmd.Wait()
		return errors.New(strings.TrimSpace(string(word)))
	}
	return cmd.Process.Release()
}

// hold boots a machine, tells the process that started it (descriptor 3) and
// owns the machine until SIGTERM or the machine's own end.
func hold(args []string) error {
	syscall.CloseOnExec(3) // or the machine would hold the pipe open, and its starter wait for ever
	tell := os.NewFile(3, "starter")
	defer tell.Close()
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	m, err := bootNamed(ctx, args)
	if err != nil {
		fmt.Fprintln(tell, err)
		return nil // said once, by the starter
	}
	// A starter that is gone does not want the machine any more.
	if _, err := fmt.Fprintln(tell, "up"); err != nil {
		return errors.Join(err, m.Stop())
	}
	tell.Close()
	closeStderr()
	select {
	case <-ctx.Done():
	case <-m.Done():
	}
	return m.Stop()
}

func bootNamed(ctx context.Context, args []string) (*machine.Machine, error) {
	flags := flag.NewFlagSet("boot", flag.ContinueOnError)
	users := flags.Bool("users", true, "make the users op (lingering) and admin (sudo)")
	network := flags.Bool("network", false, "let the machine use this host's network")
	if err := flags.Parse(args); err != nil {
		return nil, err
	}
	if flags.NArg() != 1 {
		return nil, errUsage
	}
	o := machine.Options{Name: flags.Arg(0), Network: *network, Verbose: true}
	if *users {
		o.Users = []machine.User{machine.Op(), machine.Admin()}
	}
	m, err := machine.Boot(ctx, o)
	if err != nil {
		return nil, err
	}
	if err := m.Publish(); err != nil {
		return nil, errors.Join(err, m.Stop())
	}
	return m, nil
}

// closeStderr lets go of the starter's terminal or pipe: "make demo | tee log"
// must end although the machine stays up.
func closeStderr() {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return
	}
	defer null.Close()
	_ = syscall.Dup3(int(null.Fd()), 2, 0)
}
