// Command recorder watches the numbered output of one bridge (count=RATE of the
// stand-in claude) through its keeper's control socket, as a viewer that redials
// whenever a keeper dies and goes on at its offset. It checks every number once:
// a lost byte is a gap or a broken line, a doubled one a number out of order.
//
//	recorder INSTANCE [UNTIL]
//
// It prints what happens as lines ("at N" each second, "redial", "run ID",
// "fault …") and at the end one line "end last=N lines=N redials=N faults=N".
// The end is UNTIL (a number of the sequence), the bridge's end, or SIGTERM. Its
// exit code is 1 if there was any fault.
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"strconv"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/control"
)

func main() { os.Exit(run(os.Args[1:], os.Stdout)) }

func run(args []string, out io.Writer) int {
	if len(args) < 1 {
		fmt.Fprintln(os.Stderr, "usage: recorder INSTANCE [UNTIL]")
		return 64
	}
	r := &recorder{instance: args[0], out: out}
	if len(args) > 1 {
		r.until, _ = strconv.ParseUint(args[1], 10, 64) // 0 for what is no number: until the end
	}
	ctx, cancel := signal.NotifyContext(context.Background(), unix.SIGTERM)
	defer cancel()
	for ctx.Err() == nil && !r.over {
		if err := r.watch(ctx); err != nil && ctx.Err() == nil && !r.over {
			r.say("redial: %v", err)
			r.redials++
		}
	}
	r.say("end last=%d lines=%d redials=%d faults=%d", r.last, r.lines, r.redials, r.faults)
	if r.faults > 0 {
		return 1
	}
	return 0
}

// recorder is what was seen so far.
type recorder struct {
	instance string
	out      io.Writer
	until    uint64

	run     string
	offset  uint64
	seen    sequence
	last    uint64
	lines   uint64
	redials int
	faults  int
	over    bool
	told    time.Time
}

func (r *recorder) say(format string, args ...any) { fmt.Fprintf(r.out, format+"\n", args...) }

func (r *recorder) fault(format string, args ...any) {
	r.faults++
	r.say("fault: "+format, args...)
}

// patience bounds one connection attempt; a dead keeper's backlog is answered
// by its successor.
const (
	patience = 20 * time.Second
	between  = 20 * time.Millisecond
)

// watch is one connection.
func (r *recorder) watch(ctx context.Context) error {
	dialled, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	path := "/run/clauster/bridges/" + r.instance + "/" + control.SocketName
	conn, err := control.Dial(dialled, path, control.Hello{Role: "recorder", Instance: r.instance}, nil)
	if err != nil {
		select {
		case <-time.After(between):
		case <-ctx.Done():
		}
		return err
	}
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	ask := control.Attach{ReadOnly: true, Replay: true, Run: r.run, From: r.offset}
	var at control.Attached
	if err := conn.Ask(dialled, control.TypeAttach, ask, control.TypeAttached, &at); err != nil {
		return err
	}
	r.begin(at)
	for !r.over {
		f, err := conn.Read()
		if err != nil {
			return err
		}
		switch f.Type {
		case control.TypeOutput:
			r.offset += uint64(len(f.Payload))
			r.seen.feed(f.Payload, r.number, func(line string) { r.fault("broken line %q after %d", line, r.last) })
		case control.TypeEnded:
			r.over = true
		}
	}
	return nil
}

// begin takes up a stream where the last connection left it.
func (r *recorder) begin(at control.Attached) {
	switch {
	case at.Run != r.run:
		r.say("run %s from %d", at.Run, at.Offset)
		if at.Offset != 0 {
			r.fault("the ring of run %s begins at %d", at.Run, at.Offset)
		}
		r.run, r.last, r.seen = at.Run, 0, sequence{}
	case at.Offset != r.offset:
		r.fault("asked for offset %d, got %d", r.offset, at.Offset)
	}
	r.offset = at.Offset
}

func (r *recorder) number(n uint64) {
	if n != r.last+1 {
		r.fault("%d follows %d", n, r.last)
	}
	r.last = n
	r.lines++
	if now := time.Now(); now.Sub(r.told) > time.Second {
		r.told = now
		r.say("at %d", n)
	}
	if r.until > 0 && n >= r.until {
		r.over = true
	}
}

// sequence finds the numbered lines in a terminal's output: "#", eight digits
// or more, end of line. Other lines are the bridge's panes.
type sequence struct {
	line []byte
}

// longest bounds a line; panes are shorter.
const longest = 4096

var errNoNumber = errors.New("not a number")

func (s *sequence) feed(data []byte, number func(uint64), broken func(string)) {
	for _, c := range data {
		if c != '\n' {
			if len(s.line) < longest {
				s.line = append(s.line, c)
			}
			continue
		}
		if n, err := numberOf(s.line); err == nil {
			number(n)
		} else if !errors.Is(err, errNoNumber) {
			broken(string(s.line))
		}
		s.line = s.line[:0]
	}
}

// numberOf reads one line. A line with a digit sequence of eight that is not
// exactly a number is broken: something was lost or doubled in or before it.
func numberOf(line []byte) (uint64, error) {
	for len(line) > 0 && line[len(line)-1] == '\r' {
		line = line[:len(line)-1]
	}
	if len(line) == 0 || line[0] != '#' || len(line) > 4 && string(line[:4]) == "#end" {
		return 0, errNoNumber
	}
	if len(line) < 9 {
		return 0, fmt.Errorf("cannot read %q: too short", line)
	}
	return strconv.ParseUint(string(line[1:]), 10, 64)
}
