package keeper

import (
	"errors"
	"time"

	"clauster/pkg/control"
)

// errDetached ends a connection whose client said goodbye.
var errDetached = errors.New("detached")

// viewer is one attached terminal. It reads the ring at its own pace: a slow
// one loses output, never holds the bridge.
type viewer struct {
	conn   *control.Conn
	writes bool
	stop   chan struct{} // the client is gone
	done   chan struct{} // nothing more is sent
}

// view turns the connection into a viewer until either side ends.
func (s *server) view(c *control.Conn, a control.Attach) error {
	v := &viewer{conn: c, writes: !a.ReadOnly, stop: make(chan struct{}), done: make(chan struct{})}
	s.mu.Lock()
	full := len(s.viewers) >= maxViewers
	if !full {
		s.viewers[v] = true
	}
	count := len(s.viewers)
	s.mu.Unlock()
	if full {
		return c.Refuse(control.RefusedBusy, "there are 16 viewers already", "")
	}
	defer func() {
		s.mu.Lock()
		delete(s.viewers, v)
		writers := 0
		for other := range s.viewers {
			if other.writes {
				writers++
			}
		}
		s.mu.Unlock()
		if v.writes && writers == 0 {
			s.resize(control.Size{Rows: defaultRows, Cols: defaultCols}) // a narrow terminal wraps claude's link
		}
	}()
	from, replay := s.replayFrom(a)
	rows, cols := s.l.ring.Screen()
	err := c.Send(control.TypeAttached, control.Attached{Size: control.Size{Rows: int(rows), Cols: int(cols)},
		Run: s.l.snapshot.Load().Run, Offset: from, Replay: replay, Viewers: count})
	if err != nil {
		return err
	}
	if !a.ReadOnly {
		s.resize(a.Size)
	}
	go s.send(v, from)
	err = s.receive(v, a.ReadOnly)
	close(v.stop)
	<-v.done
	return err
}

// replayFrom is where a viewer's output begins: where it left off, the oldest
// byte kept, or now.
func (s *server) replayFrom(a control.Attach) (offset uint64, replay int) {
	ring := s.l.ring
	head := ring.Head()
	switch {
	case a.Run != "" && a.Run == s.l.snapshot.Load().Run && a.From <= head:
		offset = max(a.From, ring.Oldest())
	case a.Replay:
		offset = ring.Oldest()
	default:
		offset = head
	}
	return offset, int(head - offset)
}

// send follows the ring.
func (s *server) send(v *viewer, at uint64) {
	defer close(v.done)
	buf := make([]byte, 16<<10)
	for {
		n, lost := s.l.ring.ReadAt(buf, at)
		if n > 0 {
			if err := s.sendPart(v, at, lost, buf[:n]); err != nil {
				_ = v.conn.Close() // wakes receive
				return
			}
			at += lost + uint64(n)
			continue
		}
		changed, over := s.l.pump.more(at)
		if over && s.sayEnded(v) {
			return
		}
		select {
		case <-changed:
		case <-v.stop:
			return
		}
	}
}

// sendPart sends output. A viewer that missed some because it was slow is told
// where it is now, or it would go on at a wrong offset after a redial.
func (s *server) sendPart(v *viewer, at, lost uint64, part []byte) error {
	if lost > 0 {
		rows, cols := s.l.ring.Screen()
		err := v.conn.Send(control.TypeAttached, control.Attached{Size: control.Size{Rows: int(rows), Cols: int(cols)},
			Run: s.l.snapshot.Load().Run, Offset: at + lost})
		if err != nil {
			return err
		}
	}
	return v.conn.SendBytes(control.TypeOutput, part)
}

// sayEnded tells the viewer that the bridge is gone, once that is known.
func (s *server) sayEnded(v *viewer) bool {
	s.mu.Lock()
	ended := s.ended
	s.mu.Unlock()
	if ended == nil {
		return false
	}
	_ = v.conn.Send(control.TypeEnded, ended)
	return true
}

// inputWait bounds a write to a terminal whose program does not read.
const inputWait = 5 * time.Second

// receive takes keys and sizes until the client leaves. The terminal is in
// non-blocking mode, so a write waits for room without holding a thread.
func (s *server) receive(v *viewer, readOnly bool) error {
	for {
		f, err := v.conn.Read()
		if err != nil {
			return err
		}
		switch f.Type {
		case control.TypeDetach:
			return errDetached
		case control.TypeInput:
			if readOnly {
				_ = v.conn.Refuse(control.RefusedDenied, "this viewer is read-only", "clauster-ctl attach without --read-only")
				continue
			}
			s.mu.Lock()
			s.lastKey = time.Now()
			s.mu.Unlock()
			_ = s.l.pty.SetWriteDeadline(time.Now().Add(inputWait))
			if _, err := s.l.pty.Write(f.Payload); err != nil {
				_ = v.conn.Refuse(control.RefusedFailed, "the bridge does not read its terminal", "")
			}
		case control.TypeResize:
			var size control.Size
			if !readOnly && f.Decode(&size) == nil {
				s.resize(size)
			}
		case control.TypeStateRequest, control.TypeLinkRequest:
			if err := s.answer(v.conn, f); err != nil {
				return err
			}
		}
	}
}
