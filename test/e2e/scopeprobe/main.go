// Command scopeprobe makes a scope with properties that systemd does not know,
// the way a keeper does on a systemd that is too old for some. Every property
// of today's keeper is known to the systemd of the test machine.
//
//	scopeprobe NAME.scope
//
// It prints the names of the refused properties and leaves the scope to the
// process it put there, which ends with standard input.
package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"time"

	"clauster/pkg/systemd"
)

func main() {
	if err := run(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

func run(name string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	tenant := exec.Command("cat")
	tenant.Stdin = os.Stdin
	if err := tenant.Start(); err != nil {
		return err
	}
	bus, err := systemd.Connect(ctx, systemd.System)
	if err != nil {
		return err
	}
	defer bus.Close()
	refused, err := bus.StartScope(ctx, systemd.Scope{Name: name, PID: tenant.Process.Pid, Slice: "system.slice", Service: "dbus.service",
		Description: "scope with unknown properties", StopUSec: 1_000_000, Limits: []systemd.Property{
			{Name: "MemoryMax", Value: uint64(64 << 20)}, {Name: "NotOfThisVersion", Value: "continue"},
			{Name: "TasksMax", Value: uint64(9)}, {Name: "LoadCredential", Value: "x"}}})
	if err != nil {
		return err
	}
	fmt.Println("refused", refused)
	return tenant.Wait()
}
