package home

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/project"
)

// How old an answer may be. A changed binary is noticed by the server, which
// looks at the file each time.
const (
	ClaudeAge   = 10 * time.Second
	AuthAge     = 30 * time.Second
	ProjectsAge = 5 * time.Second
)

// maxNames bounds how many projects are kept each for itself.
const maxNames = 256

// Client asks the server of one socket and keeps its answers for a while. It
// may be used by several goroutines, and connects only when asked.
type Client struct {
	socket, program string

	claude   cell[Claude]
	auth     cell[Auth]
	projects cell[Projects]

	mu     sync.Mutex
	named  map[string]*cell[project.Facts]
	closed bool
	life   context.Context
	end    context.CancelFunc
	flying sync.WaitGroup
}

// NewClient makes a client; Close ends it. program is the release, for the
// other side.
func NewClient(socket, program string) *Client {
	c := &Client{socket: socket, program: program, named: map[string]*cell[project.Facts]{}}
	c.life, c.end = context.WithCancel(context.Background())
	c.claude = cell[Claude]{fresh: ClaudeAge, fetch: asking(c, Request{Call: CallClaude}, claudeLimit, func(a Answer) *Claude { return a.Claude })}
	c.auth = cell[Auth]{fresh: AuthAge, fetch: asking(c, Request{Call: CallAuth}, claudeLimit, func(a Answer) *Auth { return a.Auth })}
	c.projects = cell[Projects]{fresh: ProjectsAge, fetch: asking(c, Request{Call: CallProjects}, lookLimit, func(a Answer) *Projects { return a.Projects })}
	return c
}

// Close ends the questions under way and waits for them.
func (c *Client) Close() {
	c.mu.Lock()
	c.closed = true
	c.mu.Unlock()
	c.end()
	c.flying.Wait()
}

// start runs f beside the caller, unless the client is closed.
func (c *Client) start(f func()) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.closed {
		return false
	}
	c.flying.Add(1)
	go func() {
		defer c.flying.Done()
		f()
	}()
	return true
}

// ClaudeVersion tells which claude is installed. The error is an *Error or an
// *UnreachableError.
func (c *Client) ClaudeVersion(ctx context.Context) (Claude, Age, error) {
	return c.claude.get(ctx, c.life, c.start)
}

// AuthStatus tells whether claude is logged in. Errors as of ClaudeVersion.
func (c *Client) AuthStatus(ctx context.Context) (Auth, Age, error) {
	return c.auth.get(ctx, c.life, c.start)
}

// Projects gives every project. Errors as of ClaudeVersion.
func (c *Client) Projects(ctx context.Context) (Projects, Age, error) {
	return c.projects.get(ctx, c.life, c.start)
}

// Project gives the facts of one project; an *Error of RefusedNotFound where
// there is none, a *bridge.NameError for what can be no project.
func (c *Client) Project(ctx context.Context, name string) (project.Facts, Age, error) {
	if err := bridge.CheckProject(name); err != nil {
		return project.Facts{}, Age{}, err
	}
	return c.cellOf(name).get(ctx, c.life, c.start)
}

// cellOf finds a project's cell. With too many of them all are forgotten: they
// are seconds old.
func (c *Client) cellOf(name string) *cell[project.Facts] {
	c.mu.Lock()
	defer c.mu.Unlock()
	if one, ok := c.named[name]; ok {
		return one
	}
	if len(c.named) >= maxNames {
		clear(c.named)
	}
	one := &cell[project.Facts]{fresh: ProjectsAge,
		fetch: asking(c, Request{Call: CallProject, Project: name}, lookLimit, func(a Answer) *project.Facts { return a.Project })}
	c.named[name] = one
	return one
}

// asking makes a question whose answer is one part of the frame.
func asking[T any](c *Client, r Request, limit time.Duration, part func(Answer) *T) func(context.Context) (T, error) {
	return func(ctx context.Context) (T, error) {
		var none T
		// The server's own limit, its grace, and the start of a process.
		ctx, cancel := context.WithTimeout(ctx, limit+4*time.Second)
		defer cancel()
		a, err := c.ask(ctx, r)
		if err != nil {
			return none, err
		}
		if p := part(a); p != nil {
			return *p, nil
		}
		return none, &UnreachableError{c.socket, errors.New("its answer is empty")}
	}
}

// UnreachableError means that nothing, or nothing that makes sense, answers.
type UnreachableError struct {
	Socket string
	Err    error
}

// Error says which socket.
func (e *UnreachableError) Error() string {
	return fmt.Sprintf("cannot reach clauster-home at %s: %v", e.Socket, e.Err)
}

// Unwrap gives the cause.
func (e *UnreachableError) Unwrap() error { return e.Err }

// Hint is the next command.
func (e *UnreachableError) Hint() string {
	return "systemctl start clauster-home.socket, then: journalctl -u clauster-home"
}

// ask asks once.
func (c *Client) ask(ctx context.Context, r Request) (Answer, error) {
	var a Answer
	unreachable := func(err error) (Answer, error) { return Answer{}, &UnreachableError{c.socket, err} }
	conn, err := new(net.Dialer).DialContext(ctx, "unix", c.socket)
	if err != nil {
		return unreachable(err)
	}
	defer conn.Close()
	// The deadline wakes a blocked read; so does the end of the client.
	over := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) })
	defer over()
	r.Version, r.MinVersion, r.Program = Version, MinVersion, c.program
	if err := WriteFrame(conn, r, MaxRequest); err != nil {
		return unreachable(err)
	}
	if err := ReadFrame(conn, &a, MaxAnswer); err != nil {
		if ctx.Err() != nil {
			err = ctx.Err()
		}
		return unreachable(err)
	}
	if err := compatible(a.Version, a.MinVersion); err != nil {
		return Answer{}, err
	}
	if a.Error != nil {
		return Answer{}, a.Error
	}
	return a, nil
}
