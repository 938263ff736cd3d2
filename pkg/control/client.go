package control

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"
)

// ErrPeer is what a peer check wraps when the socket's listener is not the
// process it should be. Dial tries again for a while on it, because a keeper
// that has just been started again shows its predecessor's PID until it has
// called listen() itself.
var ErrPeer = errors.New("the listener is not the unit's main process")

// Redial pacing: how long Dial goes on after ErrPeer, and how often it tries.
const (
	redialFor   = 3 * time.Second
	redialEvery = 25 * time.Millisecond
)

// PeerCheck decides whether the process that listens may be believed. It is
// called once per attempt, so that it can look the unit's MainPID up afresh,
// and returns an error that wraps ErrPeer to have the attempt repeated.
type PeerCheck func(pid int, uid uint32) error

// Dial connects to the keeper socket at path, has check judge the listener,
// and shakes hands as ours. The context bounds all of it and nothing after.
// Errors of note: fs.ErrNotExist and ECONNREFUSED (no keeper), fs.ErrPermission,
// ErrPeer, *Error (the keeper's refusal), the context's.
func Dial(ctx context.Context, path string, ours Hello, check PeerCheck) (*Conn, error) {
	tryUntil := time.Now().Add(redialFor)
	for {
		c, err := dialOnce(ctx, path, ours, check)
		if err == nil {
			return c, nil
		}
		if !errors.Is(err, ErrPeer) || time.Now().After(tryUntil) {
			return nil, fmt.Errorf("cannot reach the keeper at %s: %w", path, err)
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("cannot reach the keeper at %s: %w", path, errors.Join(err, ctx.Err()))
		case <-time.After(redialEvery):
		}
	}
}

func dialOnce(ctx context.Context, path string, ours Hello, check PeerCheck) (*Conn, error) {
	// The directory's descriptor keeps the address within 108 bytes.
	dirFD, err := unix.Open(filepath.Dir(path), unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(dirFD)
	var d net.Dialer
	nc, err := d.DialContext(ctx, "unix", viaProc(dirFD, filepath.Base(path)))
	if err != nil {
		return nil, err
	}
	c, err := newConn(nc.(*net.UnixConn)) // a "unix" dial gives nothing else
	if err != nil {
		nc.Close()
		return nil, err
	}
	if err := c.meet(ctx, ours, check); err != nil {
		c.Close()
		return nil, err
	}
	return c, nil
}

// meet judges the listener before a byte is exchanged, then greets it.
func (c *Conn) meet(ctx context.Context, ours Hello, check PeerCheck) error {
	if check != nil {
		if err := check(c.Peer.PID, c.Peer.UID); err != nil {
			return err
		}
	}
	defer c.bind(ctx)()
	err := c.sayHello(ours)
	if err == nil {
		err = c.hearHello()
	}
	if err != nil {
		if ctx.Err() != nil {
			return errors.Join(ctx.Err(), err)
		}
		return err
	}
	return nil
}

// bind makes reads fail once the context ends; the connection is then of no
// further use. The function it returns undoes that.
func (c *Conn) bind(ctx context.Context) (release func() bool) {
	return context.AfterFunc(ctx, func() { _ = c.SetReadDeadline(time.Unix(1, 0)) })
}

// Ask sends a request and waits for the answer of type want, decoded into
// into. Frames of other types in between are dropped. The error is the
// keeper's *Error, the context's, or that of the connection.
//
// A keeper that is older than the request skips it and never answers: give the
// context a deadline.
func (c *Conn) Ask(ctx context.Context, request Type, body any, want Type, into any) error {
	defer c.bind(ctx)()
	if err := c.Send(request, body); err != nil {
		return err
	}
	for {
		f, err := c.Read()
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
		switch f.Type {
		case want:
			return f.Decode(into)
		case TypeError:
			return refusal(f)
		}
	}
}

// State asks for the bridge's state.
func (c *Conn) State(ctx context.Context) (State, error) {
	var s State
	err := c.Ask(ctx, TypeStateRequest, nil, TypeState, &s)
	return s, err
}

// Link asks for the bridge's address on claude.ai.
func (c *Conn) Link(ctx context.Context) (string, error) {
	var l Link
	err := c.Ask(ctx, TypeLinkRequest, nil, TypeLink, &l)
	return l.URL, err
}

// Reload asks the keeper to re-execute itself and waits for the answer of
// whichever image goes on.
func (c *Conn) Reload(ctx context.Context) (Reloaded, error) {
	var r Reloaded
	err := c.Ask(ctx, TypeReloadRequest, nil, TypeReloaded, &r)
	return r, err
}
