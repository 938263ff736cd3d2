// Command clauster-ctl starts, stops and shows Claude Code bridges.
package main

import (
	"os"

	"clauster/pkg/ctl"
)

var version = "dev" // set by the linker

func main() { os.Exit(ctl.Main(version, os.Args[1:])) }
