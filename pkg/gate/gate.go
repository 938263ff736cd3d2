package gate

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
)

// Descriptors the keeper passes to a gate; 0, 1 and 2 are the terminal.
const (
	OrderFD  = 3 // pipe: the order, or end of file
	StatusFD = 4 // socket: reports
)

// Main is the life of a gate: wait for the order, look around, start claude,
// wait for its end. It returns when there is nothing left to do; its exit
// code means nothing, the story does.
func Main() error {
	// First of all: Go leaves TERM, INT and HUP deadly until Notify.
	signals := make(chan os.Signal, 16)
	signal.Notify(signals, unix.SIGINT, unix.SIGTERM, unix.SIGHUP)
	unix.CloseOnExec(OrderFD)
	unix.CloseOnExec(StatusFD)
	g := &gate{status: os.NewFile(StatusFD, "status")}
	order, err := readOrder(os.NewFile(OrderFD, "order"))
	if err != nil {
		return err
	}
	p, cause := prepare(order, g.warn)
	if cause != nil {
		return g.report(Report{Refused: cause})
	}
	process, cause := start(p)
	if cause != nil {
		return g.report(Report{Refused: cause})
	}
	if err := leaveTerminal(); err != nil {
		g.warn(err.Error())
	}
	err = g.report(Report{Started: &Started{PID: process.Pid, Version: p.version, Dir: p.dir, ConfigDir: p.dirs.ConfigDir}})
	if err != nil {
		return err
	}
	go forward(signals, process)
	exit := reap(process)
	lookAtMemory(&exit)
	return g.report(Report{Ended: &exit})
}

type gate struct{ status *os.File }

func (g *gate) warn(text string) { _ = g.report(Report{Warning: text}) }

// report writes one line in one write, so that a death in between leaves no
// half line before a whole one.
func (g *gate) report(r Report) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("cannot encode a report: %w", err)
	}
	if _, err := g.status.Write(append(line, '\n')); err != nil {
		return fmt.Errorf("cannot report to the keeper: %w", err)
	}
	return nil
}

var errNoOrder = errors.New("cannot read the order: the keeper ended before it was complete")

// readOrder blocks until the keeper opens the gate. The order ends with a
// newline: end of file before it means that the keeper died.
func readOrder(f *os.File) (Order, error) {
	defer f.Close()
	line, err := bufio.NewReader(io.LimitReader(f, maxOrder)).ReadBytes('\n')
	if err != nil {
		return Order{}, errNoOrder
	}
	var o Order
	if err := json.Unmarshal(line, &o); err != nil {
		return Order{}, fmt.Errorf("cannot read the order: %w", err)
	}
	if o.Version != OrderVersion || o.Kind != bridge.KindBridge || o.Transport != bridge.TransportTerminal {
		return Order{}, fmt.Errorf("cannot follow an order of version %d, kind %q, transport %q", o.Version, o.Kind, o.Transport)
	}
	return o, nil
}

// leaveTerminal gives up the gate's own use of the terminal, so that it holds
// the slave open no longer than claude does; it stays the session's leader.
func leaveTerminal() error {
	null, err := unix.Open("/dev/null", unix.O_RDWR|unix.O_CLOEXEC, 0)
	if err != nil {
		return fmt.Errorf("cannot open /dev/null: %w", err)
	}
	defer unix.Close(null)
	for fd := range 3 {
		if err := unix.Dup3(null, fd, 0); err != nil {
			return fmt.Errorf("cannot leave the terminal: %w", err)
		}
	}
	return nil
}

// forward hands the keeper's requests to claude. os.Process holds a pidfd, so
// no other process can be hit.
func forward(signals <-chan os.Signal, claude *os.Process) {
	for s := range signals {
		_ = claude.Signal(s)
	}
}

// reap waits for claude's end.
func reap(claude *os.Process) bridge.Exit {
	state, err := claude.Wait()
	if err != nil {
		return bridge.Exit{}
	}
	ws, ok := state.Sys().(syscall.WaitStatus)
	switch {
	case !ok:
		return bridge.Exit{}
	case ws.Signaled():
		return bridge.Exit{Known: true, Code: -1, Signal: unix.SignalName(ws.Signal())}
	}
	return bridge.Exit{Known: true, Code: ws.ExitStatus()}
}
