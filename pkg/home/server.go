package home

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/project"
)

// Bounds of the server.
const (
	// callLimit bounds one call. A program of claude's may have to wait for
	// the other one; directories may lie on a file system that hangs.
	claudeLimit = versionLimit + authLimit + time.Second
	lookLimit   = 5 * time.Second

	frameLimit = 2 * time.Second // reading a request, and writing an answer
	maxPeers   = 16              // served at once; the socket queues more
	idleLimit  = 60 * time.Second
	lifeLimit  = 5 * time.Minute // then the configuration is read again, by the next process
	// refusedLife is lifeLimit where the configuration has a fault: whoever has
	// mended it must not wait.
	refusedLife = time.Second
)

// Facts is what a Server answers with; *User is the real one.
type Facts interface {
	Claude(ctx context.Context) (Claude, error)
	Auth(ctx context.Context) (Auth, error)
	Projects(ctx context.Context) (Projects, error)
	// Project refuses an unknown name with an *Error of RefusedNotFound.
	Project(ctx context.Context, name string) (project.Facts, error)
}

// Server answers one request per connection.
type Server struct {
	Facts   Facts
	Refused *Error // answered to everything where there are no Facts
	UIDs    []int  // who may ask
	Program string // release
	Log     *slog.Logger

	// Alive is called while the loop makes progress, every Watchdog; neither
	// where Watchdog is 0.
	Alive    func()
	Watchdog time.Duration
	// Leave, where it can be received from, ends the server as idleness does.
	Leave <-chan struct{}

	idle, life time.Duration // idleLimit, lifeLimit; others in tests
}

// Serve answers the connections in first and those of l, until ctx ends, until
// nobody has asked for a minute, or until a call hangs in the kernel: then a
// fresh process is better. It waits for every connection, and closes l.
func (s *Server) Serve(ctx context.Context, l *net.UnixListener, first []*net.UnixConn) error {
	accepted, failed := make(chan *net.UnixConn), make(chan error, 1)
	stop, late := make(chan struct{}), make(chan *net.UnixConn, 1)
	go func() {
		for {
			c, err := l.AcceptUnix()
			if err != nil {
				failed <- err
				return
			}
			select {
			case accepted <- c:
			case <-stop:
				late <- c // the last one: l is closed
			}
		}
	}()
	done := make(chan bool)
	open, hung := 0, false
	serve := func(c *net.UnixConn) {
		open++
		go func() { done <- s.connection(ctx, c) }()
	}
	for _, c := range first {
		serve(c)
	}
	idle, life := time.NewTimer(cmp.Or(s.idle, idleLimit)), time.NewTimer(s.lifetime())
	defer idle.Stop()
	defer life.Stop()
	old := false
	alive := s.ticks()
	if alive != nil {
		defer alive.Stop()
	}
	var err error
loop:
	for {
		in, ended := accepted, s.Leave
		if open >= maxPeers {
			in = nil
		}
		if open > 0 {
			ended = nil
		}
		select {
		case c := <-in:
			serve(c)
		case h := <-done:
			open--
			hung = hung || h
			if (hung || old) && open == 0 {
				break loop
			}
			idle.Reset(cmp.Or(s.idle, idleLimit))
		case <-idle.C:
			if open == 0 {
				break loop
			}
			idle.Reset(cmp.Or(s.idle, idleLimit))
		case <-life.C:
			if old = true; open == 0 {
				break loop
			}
		case <-ended:
			break loop
		case <-tick(alive):
			s.Alive()
		case err = <-failed:
			failed <- err // for the wait below
			break loop
		case <-ctx.Done():
			break loop
		}
	}
	l.Close()
	close(stop)
	<-failed
	select {
	case c := <-late: // it came while we were leaving
		serve(c)
	default:
	}
	for ; open > 0; open-- {
		<-done
	}
	if err != nil {
		return fmt.Errorf("cannot accept connections: %w", err)
	}
	return nil
}

// lifetime is how long this process goes on with the configuration it has read.
func (s *Server) lifetime() time.Duration {
	if s.Refused != nil {
		return refusedLife
	}
	return cmp.Or(s.life, lifeLimit)
}

func (s *Server) ticks() *time.Ticker {
	if s.Watchdog <= 0 {
		return nil
	}
	return time.NewTicker(s.Watchdog)
}

func tick(t *time.Ticker) <-chan time.Time {
	if t == nil {
		return nil
	}
	return t.C
}

// connection serves one peer and closes it. hung: the call did not end in time.
func (s *Server) connection(ctx context.Context, c *net.UnixConn) (hung bool) {
	defer c.Close()
	var a Answer
	uid, err := peerUID(c)
	switch {
	case err != nil:
		a.Error = refusal(err)
	case !s.may(uid):
		s.Log.Warn("refused a connection", "uid", uid)
		a.Error = &Error{RefusedDenied, "only the API and root may ask", ""}
	default:
		var r Request
		_ = c.SetReadDeadline(time.Now().Add(frameLimit))
		if err := ReadFrame(c, &r, MaxRequest); err != nil {
			a.Error = &Error{RefusedRequest, err.Error(), ""}
			break
		}
		a, hung = s.bounded(ctx, r)
	}
	a.Version, a.MinVersion, a.Program = Version, MinVersion, s.Program
	_ = c.SetWriteDeadline(time.Now().Add(frameLimit))
	if err := WriteFrame(c, a, MaxAnswer); errors.Is(err, errTooLarge) {
		a = Answer{Version: Version, MinVersion: MinVersion, Program: s.Program, Error: refusal(err)}
		_ = WriteFrame(c, a, MaxAnswer)
	}
	return hung
}

func (s *Server) may(uid int) bool {
	for _, u := range s.UIDs {
		if u == uid {
			return true
		}
	}
	return false
}

// bounded answers within the call's limit. A goroutine that hangs in a system
// call cannot be ended: it is left behind, and the process ends soon.
func (s *Server) bounded(ctx context.Context, r Request) (a Answer, hung bool) {
	limit := lookLimit
	if r.Call == CallClaude || r.Call == CallAuth {
		limit = claudeLimit
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	answer := make(chan Answer, 1)
	go func() { answer <- s.answer(ctx, r) }()
	const grace = 2 * time.Second // a call that watches ctx ends by itself
	last := time.NewTimer(limit + grace)
	defer last.Stop()
	select {
	case a = <-answer:
		return a, false
	case <-last.C:
		s.Log.Warn("a call hangs: this process ends, the next question starts another", "call", string(r.Call), "project", r.Project)
		return Answer{Error: timeout(r.Call, limit)}, true
	}
}

func timeout(c Call, limit time.Duration) *Error {
	return &Error{RefusedTimeout, fmt.Sprintf("cannot answer %s within %s", c, limit), "journalctl -u clauster-home"}
}

func (s *Server) answer(ctx context.Context, r Request) (a Answer) {
	if err := compatible(r.Version, r.MinVersion); err != nil {
		return Answer{Error: refusal(err)}
	}
	if s.Facts == nil {
		return Answer{Error: s.Refused}
	}
	var err error
	switch r.Call {
	case CallClaude:
		a.Claude, err = pointer(s.Facts.Claude(ctx))
	case CallAuth:
		a.Auth, err = pointer(s.Facts.Auth(ctx))
	case CallProjects:
		a.Projects, err = pointer(s.Facts.Projects(ctx))
	case CallProject:
		a.Project, err = pointer(s.Facts.Project(ctx, r.Project))
	default:
		err = &Error{RefusedRequest, fmt.Sprintf("there is no call %.40q", string(r.Call)), ""}
	}
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		limit := lookLimit
		if r.Call == CallClaude || r.Call == CallAuth {
			limit = claudeLimit
		}
		return Answer{Error: timeout(r.Call, limit)}
	case err != nil:
		return Answer{Error: refusal(err)}
	}
	return a
}

func pointer[T any](v T, err error) (*T, error) { return &v, err }

// peerUID is the uid that called connect(), as the kernel says.
func peerUID(c *net.UnixConn) (int, error) {
	raw, err := c.SyscallConn()
	if err != nil {
		return -1, fmt.Errorf("cannot read peer credentials: %w", err)
	}
	var cred *unix.Ucred
	var credErr error
	err = raw.Control(func(fd uintptr) { cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED) })
	if err = errors.Join(err, credErr); err != nil {
		return -1, fmt.Errorf("cannot read peer credentials: %w", err)
	}
	return int(cred.Uid), nil
}
