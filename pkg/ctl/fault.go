package ctl

import (
	"errors"
	"fmt"
	"io"
	"io/fs"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/journal"
	"clauster/pkg/systemd"

	"golang.org/x/sys/unix"
)

// Exit codes of clauster-ctl; scripts rely on them.
const (
	ExitDone        = 0
	ExitFailed      = 1 // it was tried, or the bridge is not well
	ExitUsage       = 2 // the command line is wrong
	ExitNoInstance  = 3 // no such instance or project
	ExitUnreachable = 4 // systemd, journal or keeper cannot be reached, or may not be asked
)

// fault is an error that knows its exit code and what repairs it.
type fault struct {
	code int
	err  error
	hint string // the next command, arguments filled in; "" where there is none
}

func (f *fault) Error() string { return f.err.Error() }
func (f *fault) Unwrap() error { return f.err }

func failed(hint, format string, args ...any) error {
	return &fault{ExitFailed, fmt.Errorf(format, args...), hint}
}

func usage(hint, format string, args ...any) error {
	return &fault{ExitUsage, fmt.Errorf(format, args...), hint}
}

func noInstance(hint, format string, args ...any) error {
	return &fault{ExitNoInstance, fmt.Errorf(format, args...), hint}
}

func unreachable(hint, format string, args ...any) error {
	return &fault{ExitUnreachable, fmt.Errorf(format, args...), hint}
}

// quiet ends the program with a code after everything has been said.
type quiet struct{ code int }

func (q quiet) Error() string { return fmt.Sprintf("exit code %d", q.code) }

// faults are several errors, each printed on its own.
type faults []error

func (f faults) Error() string { return fmt.Sprintf("%d errors, the first: %v", len(f), f[0]) }

// together gives nil, the one error, or all of them.
func together(errs []error) error {
	switch len(errs) {
	case 0:
		return nil
	case 1:
		return errs[0]
	}
	return faults(errs)
}

// exitCode is the program's exit code for an error.
func exitCode(err error) int {
	var f *fault
	var q quiet
	var many faults
	switch {
	case err == nil:
		return ExitDone
	case errors.As(err, &many):
		worst := 0
		for _, e := range many {
			worst = max(worst, exitCode(e))
		}
		return worst
	case errors.As(err, &q):
		return q.code
	case errors.As(err, &f):
		return f.code
	case errors.Is(err, systemd.ErrUnreachable), errors.Is(err, systemd.ErrDenied),
		errors.Is(err, journal.ErrNoJournal), errors.Is(err, control.ErrPeer),
		errors.Is(err, fs.ErrPermission), errors.Is(err, unix.ECONNREFUSED):
		return ExitUnreachable
	}
	return ExitFailed
}

// printError says what went wrong and what to do, the one way everything of
// ours does.
func printError(w io.Writer, err error, style style, commands func(string) string) {
	var q quiet
	if err == nil || errors.As(err, &q) {
		return
	}
	if many, ok := err.(faults); ok {
		for _, e := range many {
			printError(w, e, style, commands)
		}
		return
	}
	fmt.Fprintf(w, "%s %s\n", style.bad("error:"), clean(err.Error()))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(w, "%s %s\n", style.dim("hint:"), clean(commands(hint)))
	}
}

// commands makes the commands in a text those of the manager that is meant.
func (a *App) commands(text string) string {
	if a.userMode {
		return bridge.ForUser(text)
	}
	return text
}

// hintOf finds the repair an error carries.
func hintOf(err error) string {
	var f *fault
	if errors.As(err, &f) && f.hint != "" {
		return f.hint
	}
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	var refused *control.Error
	if errors.As(err, &refused) {
		return refused.Hint
	}
	return ""
}
