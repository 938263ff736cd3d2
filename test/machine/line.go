package machine

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"

	"clauster/test/machine/wire"
)

const portName = wire.PortName

// line is the host's end of the conversation with a VM's agent. It lasts for
// one power-on, which is one boot.
type line struct {
	conn net.Conn
	out  *wire.Writer

	greet sync.Once
	up    chan struct{} // closed when the agent has said hello

	mu      sync.Mutex
	next    int
	running map[int]*remote
	closed  bool
}

// errGone is why a command has no exit code: its machine went down under it.
var errGone = errors.New("the machine went down")

// newLine starts reading; close ends it.
func newLine(conn net.Conn) *line {
	l := &line{conn: conn, up: make(chan struct{}), running: map[int]*remote{}}
	l.out = wire.NewWriter(deadlineWriter{conn})
	go func() {
		_ = wire.Receive(conn, l.handle) // ends with the connection
		l.dropAll()
	}()
	return l
}

// deadlineWriter keeps a guest that does not read from blocking a test.
type deadlineWriter struct{ net.Conn }

func (d deadlineWriter) Write(p []byte) (int, error) {
	if err := d.SetWriteDeadline(time.Now().Add(lineGrace)); err != nil {
		return 0, err
	}
	return d.Conn.Write(p)
}

func (l *line) close() { l.conn.Close() }

func (l *line) handle(m wire.Message) {
	if m.Kind == wire.Hello {
		_ = l.out.Send(wire.Message{Kind: wire.Ack}) // else it says hello again
		l.greet.Do(func() { close(l.up) })
		return
	}
	l.mu.Lock()
	r := l.running[m.ID]
	if m.Kind == wire.Exit {
		delete(l.running, m.ID)
	}
	l.mu.Unlock()
	if r == nil {
		return
	}
	switch m.Kind {
	case wire.Stdout:
		_, _ = r.out.Write(m.Data) // a buffer never fails
	case wire.Stderr:
		_, _ = r.err.Write(m.Data)
	case wire.Exit:
		var err error
		if m.Error != "" {
			err = errors.New(m.Error)
		}
		r.end(m.Code, err)
	}
}

func (l *line) dropAll() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	for id, r := range l.running {
		r.end(-1, errGone)
		delete(l.running, id)
	}
}

// awaitBoot waits for the agent's first word.
func (l *line) awaitBoot(ctx context.Context, exited <-chan struct{}) error {
	select {
	case <-l.up:
		return nil
	case <-exited:
		return errors.New("qemu has ended")
	case <-ctx.Done():
		return fmt.Errorf("the agent does not answer: %w", ctx.Err())
	}
}

// start runs a command in the guest.
func (l *line) start(ctx context.Context, c command) (proc, error) {
	r := &remote{line: l, ctx: ctx, done: make(chan struct{})}
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return nil, errGone
	}
	l.next++
	r.id = l.next
	l.running[r.id] = r
	l.mu.Unlock()
	err := l.out.Send(wire.Message{Kind: wire.Start, ID: r.id, Args: c.Args, Env: c.env, Dir: c.Dir, User: c.account.name})
	if err != nil {
		return nil, err
	}
	if c.In != nil {
		go func() {
			_, _ = io.Copy(r, c.In) // a command need not read its input
			_ = r.Close()
		}()
	} else {
		r.open = true
	}
	return r, nil
}

// remote is a command in a VM, and the writer of its input.
type remote struct {
	line     *line
	id       int
	ctx      context.Context
	open     bool
	out, err buffer

	once sync.Once
	done chan struct{}
	code int
	fail error
}

func (r *remote) end(code int, err error) {
	r.once.Do(func() {
		r.code, r.fail = code, err
		close(r.done)
	})
}

func (r *remote) wait() (int, error) {
	select {
	case <-r.done:
		return r.code, r.fail
	case <-r.ctx.Done():
	}
	if err := r.signal(syscall.SIGKILL); err != nil {
		return -1, err
	}
	select {
	case <-r.done:
		return r.code, r.fail
	case <-time.After(lineGrace):
		return -1, errors.New("the machine does not answer")
	}
}

func (r *remote) stdout() string { return r.out.String() }
func (r *remote) stderr() string { return r.err.String() }

func (r *remote) stdin() io.WriteCloser {
	if !r.open {
		return nil
	}
	return r
}

func (r *remote) signal(sig syscall.Signal) error {
	return r.line.out.Send(wire.Message{Kind: wire.Signal, ID: r.id, Code: int(sig)})
}

func (r *remote) resize(int, int) error { return errors.New("a VM has no terminal for commands") }

// Write sends input to the command.
func (r *remote) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		n := min(len(rest), wire.MaxData)
		if err := r.line.out.Send(wire.Message{Kind: wire.Stdin, ID: r.id, Data: rest[:n]}); err != nil {
			return len(p) - len(rest), err
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// Close ends the command's input.
func (r *remote) Close() error {
	return r.line.out.Send(wire.Message{Kind: wire.Stdin, ID: r.id})
}
