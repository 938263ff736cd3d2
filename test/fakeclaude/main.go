package main

import (
	"fmt"
	"os"
	"time"
)

func main() {
	end := start(os.Args, time.Now())
	if end.signal != 0 {
		dieBy(end.signal)
	}
	os.Exit(end.code)
}

// outcome is how the process ends: with an exit code, or killed by a signal
// it sends to itself.
type outcome struct {
	code   int
	signal sysSignal
}

// start builds the invocation and runs it.
func start(argv []string, begun time.Time) outcome {
	// The descriptors are listed before anything else: opening the first file
	// makes Go's own epoll descriptors, which would look like a leak.
	fds := openDescriptors()
	if spec := os.Getenv(childVariable); spec != "" {
		return runChild(argv, spec)
	}
	if len(argv) == 3 && argv[1] == "__write-placeholder" {
		return writePlaceholder(argv[2])
	}
	home := homeDirectory()
	cwd, err := os.Getwd()
	if err != nil {
		cwd = "/"
	}
	set, err := loadSettings(os.Environ(), home, cwd)
	if err != nil {
		fmt.Fprintln(os.Stderr, "fakeclaude:", err)
		return outcome{code: 64}
	}
	c := &cli{argv: argv, set: set, begun: begun, places: findPlaces(home, cwd), fds: fds}
	return c.run()
}
