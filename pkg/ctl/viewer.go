package ctl

import (
	"context"
	"errors"
	"os"
	"sync"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/control"

	"golang.org/x/term"
)

// viewer is one attachment: a terminal, or only an output, at a bridge.
type viewer struct {
	app      *App
	bus      Systemd
	instance bridge.Instance
	readOnly bool
	keys     *detacher
	tty      *os.File // nil where there is no terminal

	mu   sync.Mutex
	conn *control.Conn // nil while the keeper is away

	streamRun string // of the bytes below
	offset    uint64 // of the next byte of the stream
}

// errDetached ends a viewer because the operator left.
var errDetached = errors.New("detached")

// dialFor is the first connection of a viewer, already attached.
func (a *App) dialFor(ctx context.Context, v *viewer, w *world) (*control.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, attachPatience)
	defer cancel()
	conn, err := a.dialOrSay(ctx, v.bus, w, v.instance, "attach")
	if err != nil {
		return nil, err
	}
	if err := v.join(conn); err != nil {
		conn.Close()
		return nil, err
	}
	return conn, nil
}

// join asks for the terminal, from where this viewer has it.
func (v *viewer) join(c *control.Conn) error {
	return c.Send(control.TypeAttach, control.Attach{Size: v.size(), ReadOnly: v.readOnly, Replay: true,
		Run: v.streamRun, From: v.offset})
}

// size is the terminal's size; the bridge's own where there is none.
func (v *viewer) size() control.Size {
	if v.tty == nil {
		return control.Size{}
	}
	cols, rows, err := term.GetSize(int(v.tty.Fd()))
	if err != nil {
		return control.Size{}
	}
	return control.Size{Rows: min(rows, control.MaxRows), Cols: min(cols, control.MaxCols)}
}

// run shows the terminal until the operator leaves or the bridge ends.
func (v *viewer) run(ctx context.Context, conn *control.Conn) error {
	restore, err := v.raw()
	if err != nil {
		conn.Close()
		return err
	}
	ctx, cancel := context.WithCancelCause(ctx)
	v.set(conn)
	var wg sync.WaitGroup
	if v.tty != nil {
		wg.Go(func() { v.typing(ctx, cancel) })
		wg.Go(func() { v.resizing(ctx) })
	}
	// Whatever ends the viewer wakes the reading below.
	stop := context.AfterFunc(ctx, func() { v.set(nil) })
	ended, err := v.show(ctx)
	stop()
	cause := context.Cause(ctx)
	cancel(nil)
	wg.Wait()
	v.set(nil)
	restore()
	switch {
	case errors.Is(cause, errDetached):
		v.app.talk("detached from %s; it goes on", v.instance)
		return nil
	case cause != nil: // a signal
		return nil
	case err != nil:
		return err
	}
	return v.sayEnded(ended)
}

// set replaces the connection and closes the former one.
func (v *viewer) set(c *control.Conn) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.conn != nil {
		v.conn.Close()
	}
	v.conn = c
}

func (v *viewer) current() *control.Conn {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.conn
}

// show copies output until the bridge ends, redialling a keeper that is
// replaced meanwhile.
func (v *viewer) show(ctx context.Context) (*control.Ended, error) {
	for {
		conn := v.current()
		if conn == nil {
			return nil, ctx.Err()
		}
		ended, err := v.copy(conn)
		var refused *control.Error
		var local *outputError
		switch {
		case ended != nil:
			return ended, nil
		case ctx.Err() != nil:
			return nil, ctx.Err()
		case errors.As(err, &refused), errors.As(err, &local):
			return nil, err
		}
		again, ended, err := v.redial(ctx)
		if again == nil {
			return ended, err
		}
		v.set(again)
		if ctx.Err() != nil { // it ended before set, whose undoing missed this one
			v.set(nil)
		}
	}
}

// outputError is a failure of our own output, which no redial mends.
type outputError struct{ err error }

func (e *outputError) Error() string { return "cannot write to the terminal: " + e.err.Error() }
func (e *outputError) Unwrap() error { return e.err }

// copy writes the output of one connection. It gives the end of the bridge, a
// refusal, or the error of the connection.
//
// Once attached, a refusal concerns something that was typed (a bridge that
// does not read its terminal) and ends nothing.
func (v *viewer) copy(c *control.Conn) (*control.Ended, error) {
	attached := false
	for {
		f, err := c.Read()
		if err != nil {
			return nil, err
		}
		switch f.Type {
		case control.TypeAttached:
			var at control.Attached
			if err := f.Decode(&at); err != nil {
				return nil, err
			}
			v.streamRun, v.offset = at.Run, at.Offset
			attached = true
		case control.TypeOutput:
			v.offset += uint64(len(f.Payload))
			if _, err := v.app.Stdout.Write(f.Payload); err != nil {
				return nil, &outputError{err}
			}
		case control.TypeEnded:
			var e control.Ended
			if err := f.Decode(&e); err != nil {
				return nil, err
			}
			return &e, nil
		case control.TypeError:
			e := new(control.Error)
			if err := f.Decode(e); err != nil {
				return nil, err
			}
			if !attached {
				return nil, e
			}
		}
	}
}

// redialEvery is the pause between attempts to reach a new keeper.
const redialEvery = 200 * time.Millisecond

// redial reaches the keeper that replaces one that went away. Without a
// connection it gives the end of the bridge, or an error.
func (v *viewer) redial(ctx context.Context) (*control.Conn, *control.Ended, error) {
	v.set(nil)
	ctx, cancel := context.WithTimeout(ctx, redialPatience)
	defer cancel()
	tick := time.NewTicker(redialEvery)
	defer tick.Stop()
	for {
		w, err := v.app.look(ctx, v.bus)
		if err == nil && !w.Live(v.instance) {
			return nil, v.end(ctx, w), nil
		}
		if err == nil {
			if c, err := v.app.dial(ctx, v.bus, v.instance); err == nil {
				if v.join(c) == nil {
					return c, nil, nil
				}
				c.Close()
			}
		}
		select {
		case <-ctx.Done():
			return nil, nil, unreachable("systemctl status "+v.instance.Unit(), "the keeper of %s went away and did not come back", v.instance)
		case <-tick.C:
		}
	}
}

// end tells how a bridge ended whose keeper could not say so any more.
func (v *viewer) end(ctx context.Context, w *world) *control.Ended {
	views, err := w.views(ctx, v.bus, []bridge.Instance{v.instance})
	if err != nil {
		return &control.Ended{Status: bridge.Stopped}
	}
	return &control.Ended{Status: views[0].Status, Reason: views[0].Reason, Hint: views[0].Hint}
}

func (v *viewer) sayEnded(e *control.Ended) error {
	if e == nil {
		return nil
	}
	if e.Status == bridge.Stopped || e.Status == "" {
		v.app.talk("%s ended: %s", v.instance, clean(e.Reason))
		return nil
	}
	return failed(e.Hint, "%s ended (%s): %s", v.instance, e.Status, e.Reason)
}
