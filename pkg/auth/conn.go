package auth

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// peer is what the kernel says of the other end of one connection. It is kept
// in the context of the connection's requests.
type peer struct {
	local  bool // a unix socket, and the credentials could be read
	uid    int
	groups []int // primary and supplementary, as at the peer's connect

	name func() string // of uid, or of the TCP peer's owner; looked up once

	// The owner of a TCP peer on this machine; see ownerOf.
	owner func() (int, ownership)
}

type connKey struct{}

// ConnContext asks the kernel who is at the other end of a connection: for
// http.Server.ConnContext of both doors. Without it nobody is admitted on the
// unix socket. It may wait for nothing, being called between two accepts: what
// has to be searched for is searched for when the first request needs it.
func ConnContext(ctx context.Context, c net.Conn) context.Context {
	p := &peer{uid: -1, name: func() string { return "" }}
	switch plain := unwrapped(c).(type) {
	case *net.UnixConn:
		p.readCredentials(plain)
		p.name = sync.OnceValue(func() string { return accountName(p.uid) })
	case *net.TCPConn:
		remote, ok1 := plain.RemoteAddr().(*net.TCPAddr)
		local, ok2 := plain.LocalAddr().(*net.TCPAddr)
		if ok1 && ok2 {
			r, l := plainAddr(remote.AddrPort()), plainAddr(local.AddrPort())
			p.owner = sync.OnceValues(func() (int, ownership) { return ownerOf(r, l, openProc) })
			p.name = sync.OnceValue(func() string {
				if uid, what := p.owner(); what == owned {
					return accountName(uid)
				}
				return ""
			})
		}
	}
	return context.WithValue(ctx, connKey{}, p)
}

// unwrapped gives the kernel's socket below TLS and counting listeners.
func unwrapped(c net.Conn) net.Conn {
	for {
		inner, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return c
		}
		c = inner.NetConn()
	}
}

func (p *peer) readCredentials(c *net.UnixConn) {
	raw, err := c.SyscallConn()
	if err != nil {
		return
	}
	var cred *unix.Ucred
	var groups []int
	var credErr, groupErr error
	err = raw.Control(func(fd uintptr) {
		cred, credErr = unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED)
		groups, groupErr = peerGroups(int(fd))
	})
	if err != nil || credErr != nil {
		return
	}
	p.local, p.uid = true, int(cred.Uid)
	if groupErr == nil {
		p.groups = groups
	}
	p.groups = append(p.groups, int(cred.Gid))
}

func (p *peer) in(gid int) bool { return gid >= 0 && slices.Contains(p.groups, gid) }

// peerOf is what ConnContext found out.
func peerOf(r *http.Request) *peer {
	if p, ok := r.Context().Value(connKey{}).(*peer); ok {
		return p
	}
	return &peer{uid: -1, name: func() string { return "" }}
}

// loopbackAddr reports whether a connection came in by a loopback address.
func loopbackAddr(a netip.AddrPort) bool { return a.Addr().Unmap().IsLoopback() }
