package keeper

import (
	"errors"
	"fmt"
	"net"
	"os"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/systemd"
)

// Bounds of the control server.
const (
	maxConns     = 64
	maxViewers   = 16
	personRecent = 15 * time.Second // a person whose last key is older did not end the bridge
)

// server answers on the control socket. Who may connect at all is decided by
// the socket's directory and mode (root and group clauster).
type server struct {
	l        *loop
	listener *control.Listener

	mu      sync.Mutex
	conns   map[*control.Conn]bool
	viewers map[*viewer]bool
	lastKey time.Time
	ended   *control.Ended
}

func newServer(l *loop) (*server, error) {
	f, err := dupFile(l.fds[fdListen], "listen")
	if err != nil {
		return nil, err
	}
	listener, err := control.Adopt(f)
	if err != nil {
		f.Close()
		return nil, err
	}
	return &server{l: l, listener: listener, conns: map[*control.Conn]bool{}, viewers: map[*viewer]bool{}}, nil
}

// accept serves until the listener is closed.
func (s *server) accept() {
	for {
		c, err := s.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil {
			time.Sleep(100 * time.Millisecond) // out of descriptors: not at full speed
			continue
		}
		s.mu.Lock()
		full := len(s.conns) >= maxConns
		if !full {
			s.conns[c] = true
		}
		s.mu.Unlock()
		if full {
			_ = c.Close()
			continue
		}
		go s.serve(c)
	}
}

func (s *server) serve(c *control.Conn) {
	defer func() {
		s.mu.Lock()
		delete(s.conns, c)
		s.mu.Unlock()
		_ = c.Close()
	}()
	hello := control.Hello{Program: s.l.params.Version, Instance: s.l.inst.String()}
	if err := c.Greet(hello); err != nil {
		return
	}
	for {
		f, err := c.Read()
		if err != nil {
			return
		}
		if err := s.answer(c, f); err != nil {
			return
		}
	}
}

func (s *server) answer(c *control.Conn, f control.Frame) error {
	switch f.Type {
	case control.TypeStateRequest:
		return c.Send(control.TypeState, s.state())
	case control.TypeLinkRequest:
		return s.answerLink(c)
	case control.TypeAttach:
		var a control.Attach
		if err := f.Decode(&a); err != nil {
			return c.Refuse(control.RefusedProtocol, "cannot read the request to attach", "")
		}
		return s.view(c, a)
	case control.TypeWatch:
		return s.watch(c)
	case control.TypeReloadRequest:
		return s.answerReload(c)
	}
	return c.Refuse(control.RefusedProtocol, fmt.Sprintf("a frame of type %d makes no sense here", f.Type), "")
}

// state completes the loop's snapshot with what is counted elsewhere.
func (s *server) state() control.State {
	st := *s.l.snapshot.Load()
	s.mu.Lock()
	st.Viewers = len(s.viewers)
	s.mu.Unlock()
	return st
}

func (s *server) answerLink(c *control.Conn) error {
	st := s.l.snapshot.Load()
	if len(st.Links) == 0 {
		return c.Refuse(control.RefusedNotReady, "the link of "+s.l.inst.String()+" is not known", "clauster-ctl status "+s.l.inst.String())
	}
	return c.Send(control.TypeLink, control.Link{URL: st.Links[0]})
}

// answerReload has the loop replace the image; on success the new image
// answers on this connection.
func (s *server) answerReload(c *control.Conn) error {
	if c.Peer.UID != 0 && (s.l.manager == systemd.System || int(c.Peer.UID) != os.Geteuid()) {
		return c.Refuse(control.RefusedDenied, "only root may replace a keeper", "sudo systemctl reload "+s.l.inst.Unit())
	}
	done := make(chan error, 1)
	s.l.calls <- func() { done <- s.l.replace(c) }
	err := <-done
	return c.Send(control.TypeReloaded, control.Reloaded{Version: s.l.params.Version, PID: os.Getpid(), Kept: true, Reason: err.Error()})
}

// replace re-executes the keeper with everything at rest, or goes on. A new
// program that hangs in its test holds up nothing but the loop.
func (l *loop) replace(c *control.Conn) error {
	// A SIGTERM that is still being checked is no reason: the new image checks
	// again (reattach), and an agent that sends them without end must not keep
	// an old keeper in place.
	if l.ladder != nil || l.st.Run.Asked {
		return errors.New("cannot reload: the bridge is being stopped")
	}
	exe, err := l.checkNew()
	if err == nil && l.reaperGone() {
		err = errors.New("cannot reload: the bridge has just ended")
	}
	if err != nil {
		l.event(bridge.EventReloaded, err.Error(), fields{bridge.FieldReason: err.Error()})
		return err
	}
	l.stopReaders()
	err = l.reload(exe, c)
	l.event(bridge.EventReloaded, err.Error(), fields{bridge.FieldReason: err.Error()})
	l.chronicle.spool.Close()
	if again := l.startReaders(); again != nil {
		l.say(journalErr, again.Error())
		l.broken = true
	}
	return err
}

// publish makes the state that clients see.
func (l *loop) publish() {
	r := l.st.Run
	st := control.State{Instance: l.inst.String(), Run: r.ID, Status: l.status(), Health: r.Health, Reason: r.Why,
		Mode: r.Record.Mode, SpawnMode: r.Record.SpawnMode, PermissionMode: r.Record.PermissionMode, Label: r.Record.Label,
		BridgePID: r.ClaudePID, ReaperPID: r.ReaperPID, KeeperPID: os.Getpid(), KeeperVersion: l.params.Version,
		ClaudeVersion: r.ClaudeVersion, Launched: r.Launched, ReadySince: r.Ready, Crashes: l.st.Crashes, Reattaches: r.Reattaches,
		LinesSent: l.chronicle.sent.Load(), LinesDropped: l.chronicle.dropped.Load(), ConfigHash: r.Settings.ConfigHash}
	if r.Ready.IsZero() {
		st.Health = ""
	}
	if r.Link != "" {
		st.Links = []string{r.Link}
	}
	st.SessionRef = l.sessionRef()
	l.snapshot.Store(&st)
}

// personWrites reports whether someone at a writing terminal typed just now.
func (s *server) personWrites() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return !s.lastKey.IsZero() && time.Since(s.lastKey) < personRecent
}

// close tells every viewer how it ended, and gives them a moment to read it.
func (s *server) close(v bridge.Verdict) {
	_ = s.listener.Close()
	s.mu.Lock()
	s.ended = &control.Ended{Status: v.Status, Reason: v.Reason, Hint: v.Hint}
	waiting := make([]chan struct{}, 0, len(s.viewers))
	for w := range s.viewers {
		waiting = append(waiting, w.done)
	}
	s.mu.Unlock()
	s.l.pump.wake(true)
	limit := time.After(time.Second)
	for _, done := range waiting {
		select {
		case <-done:
		case <-limit:
			return
		}
	}
}

// resize sets the terminal's size; claude gets SIGWINCH. The same size again
// would not make a full-screen program redraw, so it is changed twice then.
func (s *server) resize(size control.Size) {
	if !size.Valid() {
		return
	}
	l := s.l
	rows, cols := uint16(size.Rows), uint16(size.Cols)
	if r, c := l.ring.Screen(); r == rows && c == cols {
		_ = l.setSize(rows, cols-1)
	}
	if l.setSize(rows, cols) == nil {
		l.ring.SetScreen(rows, cols)
		l.pump.columns.Store(int32(cols))
	}
}

// setSize goes by the bare descriptor: pty.Setsize would put the terminal into
// blocking mode under the pump.
func (l *loop) setSize(rows, cols uint16) error {
	raw, err := l.pty.SyscallConn()
	if err != nil {
		return err
	}
	var setErr error
	err = raw.Control(func(fd uintptr) {
		setErr = unix.IoctlSetWinsize(int(fd), unix.TIOCSWINSZ, &unix.Winsize{Row: rows, Col: cols})
	})
	return errors.Join(err, setErr)
}
