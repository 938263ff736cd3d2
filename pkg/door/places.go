package door

import (
	"container/list"
	"io"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// restGrace is how long a connection may ask nothing before another one that
// waits may have its place: a phone's round trip, and what TLS needs of them.
const restGrace = 500 * time.Millisecond

// places is a listener with at most so many connections open. One more waits
// for a place. It gets that of whoever has asked nothing for longest: any local
// user could hold all of them by headers and bodies that dribble (slow loris),
// or by a request now and then, and kept others out for 10 and for 90 s.
// Where a request is at work in every place, it waits for one to end.
type places struct {
	net.Listener
	limit int
	// changed is told when a place is given back or its holder begins to rest.
	// One waits: http.Server accepts one after the other.
	changed chan struct{}
	closed  chan struct{}
	once    sync.Once

	mu      sync.Mutex
	taken   int
	resting list.List // of *placed, who rests longest first
}

func newPlaces(l net.Listener, n int) *places {
	return &places{Listener: l, limit: n, changed: make(chan struct{}, 1), closed: make(chan struct{})}
}

// Accept accepts first and then waits for a place: nobody loses his own unless
// there is somebody for it. A Close in between lets the one who waits in, or
// he would be cut off unanswered.
func (p *places) Accept() (net.Conn, error) {
	c, err := p.Listener.Accept()
	if err != nil {
		return nil, err
	}
	for wait, ok := p.take(); !ok; wait, ok = p.take() {
		again := time.NewTimer(wait)
		select {
		case <-p.changed:
		case <-again.C:
		case <-p.closed:
			p.widen()
		}
		again.Stop()
	}
	held := &placed{Conn: c, of: p}
	held.rest()
	return held, nil
}

// take takes a place, that of who rests longest if there is no other. Where it
// says no, it says when to look again.
func (p *places) take() (wait time.Duration, ok bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.taken >= p.limit {
		held, later := p.longest()
		if held == nil {
			return later, false
		}
		held.leave()
		defer held.Conn.Close()
	}
	p.taken++
	return 0, true
}

// longest finds who has rested longest, for long enough; else it says when one
// may have. p.mu is held.
func (p *places) longest() (held *placed, wait time.Duration) {
	for e := p.resting.Front(); e != nil; e = e.Next() {
		held = e.Value.(*placed)
		if wait = restGrace - time.Since(held.since); wait > 0 {
			return nil, wait
		}
		if held.reading.Load() {
			return held, 0
		}
	}
	return nil, restGrace
}

// widen makes a place more.
func (p *places) widen() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.limit++
}

func (p *places) tell() {
	select {
	case p.changed <- struct{}{}:
	default:
	}
}

// Close wakes an Accept that waits for a place, too.
func (p *places) Close() error {
	p.once.Do(func() { close(p.closed) })
	return p.Listener.Close()
}

// placed is a connection that has a place until it is closed.
type placed struct {
	net.Conn
	of *places
	// reading is whether it waits for more. What has come and is not looked at
	// yet, on a machine that is busy, is no rest.
	reading atomic.Bool

	// Guarded by of.mu.
	since time.Time     // when it began to rest
	at    *list.Element // in of.resting; nil while a request is at work
	gone  bool
}

// Read reads on.
func (c *placed) Read(p []byte) (int, error) {
	c.reading.Store(true)
	defer c.reading.Store(false)
	return c.Conn.Read(p)
}

// rest is told when nothing is asked any more.
func (c *placed) rest() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	if c.at == nil && !c.gone {
		c.since = time.Now()
		c.at = c.of.resting.PushBack(c)
		c.of.tell()
	}
}

// work is told when a whole request has come.
func (c *placed) work() {
	c.of.mu.Lock()
	defer c.of.mu.Unlock()
	c.rise()
}

// rise takes it off the resting ones. of.mu is held.
func (c *placed) rise() {
	if c.at != nil {
		c.of.resting.Remove(c.at)
		c.at = nil
	}
}

// leave gives the place back once. of.mu is held.
func (c *placed) leave() {
	if !c.gone {
		c.gone = true
		c.of.taken--
		c.rise()
		c.of.tell()
	}
}

// Close gives the place back.
func (c *placed) Close() error {
	c.of.mu.Lock()
	c.leave()
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// NetConn gives the connection itself, whose peer the kernel can be asked about.
func (c *placed) NetConn() net.Conn { return c.Conn }

// placeOf finds the place of a connection, below TLS; nil without a limit.
func placeOf(c net.Conn) *placed {
	for {
		if held, ok := c.(*placed); ok {
			return held
		}
		inner, ok := c.(interface{ NetConn() net.Conn })
		if !ok {
			return nil
		}
		c = inner.NetConn()
	}
}

// begun is told of each request that a handler has. One whose body is still on
// its way is at work only when the handler has read it.
func (c *placed) begun(r *http.Request) {
	if r.Body == http.NoBody {
		c.work()
		return
	}
	r.Body = &body{r.Body, c.work}
}

// body tells when it has been read to its end.
type body struct {
	io.ReadCloser
	whole func()
}

// Read reads on.
func (b *body) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF {
		b.whole()
	}
	return n, err
}
