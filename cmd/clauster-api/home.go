package main

import (
	"context"
	"errors"
	"flag"
	"io"
	"log/slog"
	"os"

	"clauster/pkg/home"
)

// homeCommand answers what needs the bridge user's uid (clauster-home.service).
func homeCommand(ctx context.Context, w world, args []string) error {
	flags := flag.NewFlagSet("home", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	config := flags.String("config", "", "")
	if err := flags.Parse(args); err != nil || flags.NArg() > 0 {
		return &exitError{exitUsage, errors.New("cannot run clauster-api home: it takes only --config FILE"), "systemctl start clauster-home.socket"}
	}
	return home.Run(ctx, home.Params{ConfigPath: *config, Program: version, Getenv: w.getenv, Environ: os.Environ(),
		Log: newLogger(w.stderr, slog.LevelInfo)})
}
