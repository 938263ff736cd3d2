// Command clauster-keeper looks after one bridge. systemd calls it from
// clauster@INSTANCE.service; a person has no reason to.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/gate"
	"clauster/pkg/keeper"
)

// version is set by the linker.
var version = "devel"

const usage = `usage: clauster-keeper COMMAND INSTANCE

  run        look after a bridge (ExecStart=)
  reload     re-execute a running keeper in place (ExecReload=)
  cleanup    empty the bridge's scope after the keeper's end (ExecStopPost=)
  selfcheck  test this program on a running keeper's state
  gate       hold, start and reap claude (called by run)
  version    print the version

Bridges are started with: systemctl start clauster@INSTANCE, or clauster-ctl.
`

func main() { os.Exit(dispatch(os.Args[1:], os.Stdout, os.Stderr)) }

// exitUsage is not 2: in this program 2 means a panic.
const exitUsage = 64

const reloadWait = 60 * time.Second

func dispatch(args []string, out, talk io.Writer) int {
	flags := flag.NewFlagSet("clauster-keeper", flag.ContinueOnError)
	flags.SetOutput(io.Discard)
	config := flags.String("config", "", "")
	flags.StringVar(config, "c", "", "")
	command := ""
	if len(args) > 0 {
		command, args = args[0], args[1:]
	}
	switch command {
	case "version", "--version":
		fmt.Fprintln(out, "clauster-keeper", version)
		return 0
	case "help", "--help", "-h":
		fmt.Fprint(out, usage)
		return 0
	}
	if err := flags.Parse(args); err != nil || flags.NArg() != 1 {
		fmt.Fprint(talk, usage)
		return exitUsage
	}
	instance := flags.Arg(0)
	switch command {
	case "run":
		return keeper.Run(keeper.Params{Instance: instance, ConfigPath: *config, Version: version})
	case "gate":
		return report(gate.Main(), talk)
	case "reload":
		ctx, cancel := context.WithTimeout(context.Background(), reloadWait)
		defer cancel()
		return report(keeper.Reload(ctx, instance, version, out), talk)
	case "cleanup":
		return report(keeper.Cleanup(instance, os.Getenv), talk)
	case "selfcheck":
		return report(keeper.Selfcheck(instance), talk)
	}
	fmt.Fprint(talk, usage)
	return exitUsage
}

// report prints an error and gives the exit code for it.
func report(err error, talk io.Writer) int {
	if err == nil {
		return 0
	}
	fmt.Fprintln(talk, "error:", err)
	var name *bridge.NameError
	if errors.As(err, &name) {
		return bridge.ExitConfig
	}
	return 1
}
