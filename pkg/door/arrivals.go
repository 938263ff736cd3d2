package door

import (
	"context"
	"net"
	"net/http"
	"sync"
	"time"
)

// arrivalWait bounds how long a drain waits for connections that were accepted
// and have not asked anything yet: whoever connects asks at once, and a client
// that dribbles its header must not delay a restart.
const arrivalWait = time.Second

// arrivals are the connections whose next request has begun to arrive and is
// not with a handler yet. net/http drops such a request at Shutdown without an
// answer (net/http.(*conn).serve looks at shuttingDown after it has read one),
// and a fresh connection's client does not ask twice: one met EOF when the
// service was restarted. So a drain waits for them before Shutdown.
//
// The zero value is ready; all methods may be called at once.
type arrivals struct {
	mu      sync.Mutex
	waiting map[net.Conn]struct{}
	none    chan struct{} // closed when waiting becomes empty, while somebody waits
}

// state is told what each connection does.
func (a *arrivals) state(c net.Conn, s http.ConnState) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if s == http.StateNew || s == http.StateActive {
		if a.waiting == nil {
			a.waiting = map[net.Conn]struct{}{}
		}
		a.waiting[c] = struct{}{}
		return
	}
	a.remove(c)
}

// begun is told of each request that a handler has, by its connection.
func (a *arrivals) begun(c net.Conn) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.remove(c)
}

func (a *arrivals) remove(c net.Conn) {
	delete(a.waiting, c)
	if len(a.waiting) == 0 && a.none != nil {
		close(a.none)
		a.none = nil
	}
}

// wait returns when nobody is waiting, or after arrivalWait, or when ctx ends.
func (a *arrivals) wait(ctx context.Context) {
	a.mu.Lock()
	if len(a.waiting) == 0 {
		a.mu.Unlock()
		return
	}
	none := make(chan struct{})
	a.none = none
	a.mu.Unlock()
	ctx, cancel := context.WithTimeout(ctx, arrivalWait)
	defer cancel()
	select {
	case <-none:
	case <-ctx.Done():
	}
}
