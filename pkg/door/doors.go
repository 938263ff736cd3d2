package door

import (
	"context"
	"crypto/tls"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"
)

// Bounds of every connection. Nothing that is asked of the API needs more, and
// a client that dribbles its header (slow loris) loses its place soon.
const (
	headerWait = 5 * time.Second
	bodyWait   = 20 * time.Second
	keepAlive  = 90 * time.Second
	maxHeader  = 16 << 10
	// drainGrace is what requests in flight have to finish by themselves; then
	// those that wait for something (a bridge that starts) learn that nobody will.
	drainGrace = 2 * time.Second
)

// Door is one kind of socket with who answers on it.
type Door struct {
	Name      string
	Listeners []net.Listener
	Handler   http.Handler
	// Limit bounds the connections open at once (see places). 0 is no limit.
	Limit int
	// TLS, where set, gives the certificate for each connection; nil serves
	// plain HTTP.
	TLS *tls.Config
	// NoUse tells requests that are no use of the service: its own look at itself
	// must not keep it from leaving when it is idle. nil is none.
	NoUse func(r *http.Request) bool
	// Connected adds what is known of a connection to its requests' context.
	Connected func(ctx context.Context, c net.Conn) context.Context
}

// Doors are running servers.
type Doors struct {
	servers   []*http.Server
	listeners []net.Listener
	draining  atomic.Bool
	arrivals  arrivals
	group     sync.WaitGroup
	base      context.CancelFunc // ends every request's context
	streams   context.Context    // ends when a drain begins
	end       context.CancelFunc // of streams
	inFlight  atomic.Int64
	last      atomic.Int64 // Unix nanoseconds of the last request's begin or end
	log       *slog.Logger
}

// Open starts serving. Drain ends it.
func Open(log *slog.Logger, doors ...Door) *Doors {
	base, cancel := context.WithCancel(context.Background())
	d := &Doors{base: cancel, log: log}
	d.streams, d.end = context.WithCancel(base)
	d.touch()
	for _, door := range doors {
		s := &http.Server{
			Handler:           d.counted(door),
			ReadHeaderTimeout: headerWait,
			IdleTimeout:       keepAlive,
			MaxHeaderBytes:    maxHeader,
			TLSConfig:         door.TLS,
			// «OPTIONS *» is for the handler to judge, as everything is.
			DisableGeneralOptionsHandler: true,
			ErrorLog:                     slog.NewLogLogger(log.With("door", door.Name).Handler(), slog.LevelDebug),
			BaseContext:                  func(net.Listener) context.Context { return base },
			ConnContext:                  d.connected(door.Connected),
			ConnState:                    d.state,
		}
		d.servers = append(d.servers, s)
		for _, l := range door.Listeners {
			if door.Limit > 0 {
				l = newPlaces(l, door.Limit)
			}
			d.listeners = append(d.listeners, l)
			d.group.Go(func() { d.serve(s, l, door) })
		}
	}
	return d
}

func (d *Doors) serve(s *http.Server, l net.Listener, door Door) {
	var err error
	if door.TLS != nil {
		err = s.ServeTLS(l, "", "")
	} else {
		err = s.Serve(l)
	}
	if !d.draining.Load() {
		d.log.Error("cannot serve any longer", "door", door.Name, "error", err)
	}
}

// connected lets a request know its connection, and streams the drain.
func (d *Doors) connected(next func(context.Context, net.Conn) context.Context) func(context.Context, net.Conn) context.Context {
	return func(ctx context.Context, c net.Conn) context.Context {
		if next != nil {
			ctx = next(ctx, c)
		}
		return context.WithValue(context.WithValue(ctx, streamsKey{}, d.streams), connKey{}, c)
	}
}

type connKey struct{}

// state is told what each connection does.
func (d *Doors) state(c net.Conn, s http.ConnState) {
	d.arrivals.state(c, s)
	if s == http.StateIdle {
		if held := placeOf(c); held != nil {
			held.rest()
		}
	}
}

// counted counts the requests in flight, streams and WebSockets included: their
// handlers return when they end.
func (d *Doors) counted(door Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if c, ok := r.Context().Value(connKey{}).(net.Conn); ok {
			d.arrivals.begun(c)
			if held := placeOf(c); held != nil {
				held.begun(r)
			}
		}
		if door.NoUse == nil || !door.NoUse(r) {
			d.inFlight.Add(1)
			d.touch()
			defer func() {
				d.touch()
				d.inFlight.Add(-1)
			}()
		}
		// A body that dribbles. Where there is none, net/http is reading already,
		// for the client's leaving: a deadline would look like that, and broke off
		// every stream and every wait for a job after 20 s.
		if r.Body != http.NoBody {
			_ = http.NewResponseController(w).SetReadDeadline(time.Now().Add(bodyWait))
		}
		door.Handler.ServeHTTP(w, r)
	})
}

type streamsKey struct{}

// Stream gives a request a context that ends when a drain begins, too: for
// answers that last as long as their reader likes. Others are let finish.
func Stream(r *http.Request) (*http.Request, context.CancelFunc) {
	ctx, cancel := context.WithCancel(r.Context())
	if streams, ok := ctx.Value(streamsKey{}).(context.Context); ok {
		context.AfterFunc(streams, cancel)
	}
	return r.WithContext(ctx), cancel
}

func (d *Doors) touch() { d.last.Store(time.Now().UnixNano()) }

// InFlight is how many requests are being answered.
func (d *Doors) InFlight() int { return int(d.inFlight.Load()) }

// LastUse is when a request last began or ended.
func (d *Doors) LastUse() time.Time { return time.Unix(0, d.last.Load()) }

// Drain stops accepting, ends the streams (see Stream) and waits for the other
// requests until ctx ends, those of connections included that have been accepted and
// have not asked yet. What connects from now on waits in systemd's sockets.
func (d *Doors) Drain(ctx context.Context) error {
	d.draining.Store(true)
	for _, s := range d.servers {
		s.SetKeepAlivesEnabled(false) // closes the idle ones; every answer from now on says so
	}
	for _, l := range d.listeners {
		l.Close()
	}
	d.group.Wait()
	d.arrivals.wait(ctx)
	d.end()
	defer time.AfterFunc(drainGrace, d.base).Stop()
	var errs []error
	for _, s := range d.servers {
		if err := s.Shutdown(ctx); err != nil {
			errs = append(errs, err, s.Close())
		}
	}
	return errors.Join(errs...)
}
