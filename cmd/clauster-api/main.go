// Command clauster-api serves the HTTP API (serve) and does what needs its
// database or another uid (the other words). clauster-ctl executes the latter
// for people; systemd the former.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"

	"clauster/pkg/bridge"

	"golang.org/x/sys/unix"
)

var version = "dev" // set by the linker

// Exit codes, those of clauster-ctl.
const (
	exitDone        = 0
	exitFailed      = 1
	exitUsage       = 2
	exitNotFound    = 3
	exitUnreachable = 4
	exitTemporary   = 75 // of serve: systemd starts it again
	exitConfig      = 78 // of serve: systemd must not start it again (RestartPreventExitStatus=)
)

// world is what a subcommand touches.
type world struct {
	stdin          io.Reader
	stdout, stderr io.Writer
	getenv         func(string) string
	userMode       bool   // --user: the bridges of the calling user's own manager
	configPath     string // -c FILE, "" for the default one
}

// commands maps each word to what it does.
func commands() map[string]func(ctx context.Context, w world, args []string) error {
	return map[string]func(context.Context, world, []string) error{
		"serve":              serve,
		"home":               homeCommand,
		"reload":             reload,
		"check-exposure":     checkExposure,
		"token":              tokenWord,
		"store":              storeWord,
		"hash-password":      hashPassword,
		"hash-metrics-token": hashMetricsToken,
		"version": func(_ context.Context, w world, _ []string) error {
			_, err := fmt.Fprintln(w.stdout, "clauster-api", version)
			return err
		},
	}
}

func main() {
	w := world{stdin: os.Stdin, stdout: os.Stdout, stderr: os.Stderr, getenv: os.Getenv}
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	err := dispatch(ctx, w, os.Args[1:])
	stop()
	os.Exit(report(w.stderr, err))
}

// dispatch runs a command line: [--user] [-c FILE] WORD [ARGUMENT…].
func dispatch(ctx context.Context, w world, args []string) error {
	flags := flag.NewFlagSet("clauster-api", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	flags.BoolVar(&w.userMode, "user", false, "")
	flags.StringVar(&w.configPath, "c", "", "")
	flags.StringVar(&w.configPath, "config", "", "")
	if err := flags.Parse(args); err != nil {
		return &exitError{exitUsage, fmt.Errorf("cannot understand the command line: %w", err), "man clauster-api"}
	}
	args = flags.Args()
	all := commands()
	if len(args) > 0 {
		if f, ok := all[args[0]]; ok {
			err := f(ctx, w, args[1:])
			if err != nil && w.userMode {
				return userError{err}
			}
			return err
		}
	}
	var words []string
	for word := range all {
		words = append(words, word)
	}
	slices.Sort(words)
	return &exitError{exitUsage, fmt.Errorf("cannot run clauster-api: it wants one of %v", words), "man clauster-api"}
}

// exitError carries an exit code, and what to do about it.
type exitError struct {
	code int
	err  error
	hint string
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// Hint is the next command.
func (e *exitError) Hint() string { return e.hint }

// userError names the commands of the user's own manager.
type userError struct{ error }

func (e userError) Unwrap() error { return e.error }

// Hint is the next command.
func (e userError) Hint() string { return bridge.ForUser(hintOf(e.error)) }

// report prints an error with its hint and gives the exit code.
func report(to io.Writer, err error) int {
	if err == nil {
		return exitDone
	}
	fmt.Fprintln(to, "error:", err)
	if hint := hintOf(err); hint != "" {
		fmt.Fprintln(to, "hint:", hint)
	}
	var exit *exitError
	if errors.As(err, &exit) {
		return exit.code
	}
	return exitFailed
}
