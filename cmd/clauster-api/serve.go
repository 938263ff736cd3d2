package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"os"
	"os/signal"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/auth"
	"clauster/pkg/client"
	"clauster/pkg/config"
	"clauster/pkg/door"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// Bounds of the service.
const (
	maxWebConnections = 512
	drainWait         = 20 * time.Second
)

// gcPercent halves the heap that Go keeps beside 2 MB that live, for a price
// that no request shows.
const gcPercent = 50

// memoryLimit is below the unit's MemoryMax=: Go collects more eagerly near it,
// instead of being killed for garbage.
const memoryLimit = 384 << 20

// serve is the service: it answers on the sockets that systemd passed until it
// is asked to stop, or has had nothing to do for api.idle_exit_seconds.
func serve(ctx context.Context, w world, _ []string) error {
	debug.SetGCPercent(gcPercent)
	debug.SetMemoryLimit(memoryLimit)
	signal.Ignore(unix.SIGPIPE) // of a journald that was restarted: nobody would read why we died of it
	d, err := newDaemon(w)
	if err != nil {
		return err
	}
	return d.run(ctx)
}

// daemon is the service with all its parts.
type daemon struct {
	world
	log      *slog.Logger
	host     string
	started  time.Time
	manager  systemd.Manager
	settings *settings
	notify   *systemd.Notifier
	certs    *certificates
	tlsFault atomic.Pointer[wire.Problem]

	unix, web []net.Listener
	wake      []*net.UnixConn

	*nouns
	doors *door.Doors
	parts sync.WaitGroup
	life  context.Context // of what lives beside the servers
	fail  context.CancelCauseFunc
}

// newDaemon takes over what systemd passed.
func newDaemon(w world) (*daemon, error) {
	d := &daemon{world: w, started: time.Now(), certs: &certificates{credentials: w.getenv("CREDENTIALS_DIRECTORY")}}
	level := new(slog.LevelVar)
	d.log = newLogger(w.stderr, level)
	d.settings = &settings{source: w.source(), log: d.log, changed: []func(*config.Config){func(c *config.Config) { level.Set(logLevel(c.LogLevel)) }}}
	d.settings.load() // a fault is told on every surface: health, web door, journal
	if w.userMode {
		d.manager = systemd.User
	}
	d.host, _ = os.Hostname()
	var err error
	if d.notify, err = systemd.NewNotifier(w.getenv); err != nil {
		return nil, err
	}
	if err := d.takeSockets(); err != nil {
		return nil, err
	}
	d.settings.changed = append(d.settings.changed, d.loadTLS)
	d.loadTLS(d.settings.config())
	d.settings.check = d.checkTLS
	return d, nil
}

// takeSockets tells the doors apart by the names their units give them.
func (d *daemon) takeSockets() error {
	for _, s := range systemd.Sockets(d.getenv) {
		switch s.Name {
		case "api", "web":
			l, err := s.Listener()
			if err != nil {
				return err
			}
			if s.Name == "api" {
				d.unix = append(d.unix, l)
			} else {
				d.web = append(d.web, l)
			}
		case "wake":
			c, err := s.Datagrams()
			if err != nil {
				return err
			}
			d.wake = append(d.wake, c)
		default:
			d.log.Warn("a socket of no known name was passed and is not used", "name", s.Name)
		}
	}
	if len(d.unix) == 0 {
		return &exitError{exitConfig, errors.New("cannot serve: systemd passed no socket named api"), "systemctl start clauster-api.socket"}
	}
	return nil
}

// loadTLS takes the certificates of a configuration that is in force.
func (d *daemon) loadTLS(cfg *config.Config) {
	pair, err := d.certs.read(cfg)
	if err != nil {
		d.log.Error(err.Error())
		d.tlsFault.Store(tlsProblem(err))
		return
	}
	d.certs.use(pair)
	d.tlsFault.Store(nil)
}

// checkTLS refuses a reload with certificates that cannot be used: those before
// it stay, as does the rest of what is in force. One that came after the door
// was opened without is no fault, but closes the door until a restart.
func (d *daemon) checkTLS(cfg *config.Config) *wire.Problem {
	_, err := d.certs.read(cfg)
	if e := (*certificateError)(nil); err == nil || errors.As(err, &e) && e.later {
		return nil
	}
	d.log.Error(err.Error())
	return tlsProblem(err)
}

func tlsProblem(err error) *wire.Problem {
	hint := ""
	if e := (*certificateError)(nil); errors.As(err, &e) {
		hint = e.Hint()
	}
	return wire.NewProblem(wire.DoorClosed, err.Error(), hint)
}

// webClosed is why the web door answers nobody, nil while it does. It is asked
// anew for each request: a reload may open or close it.
func (d *daemon) webClosed() *wire.Problem {
	if p := d.settings.faulty(); p != nil && !d.settings.good.Load() {
		return wire.NewProblem(wire.DoorClosed, p.Detail, p.Hint)
	}
	if p := d.tlsFault.Load(); p != nil {
		return p
	}
	for _, l := range d.web {
		if p := exposed(l.Addr().String(), d.settings.config()); p != nil {
			return p
		}
	}
	return nil
}

// run serves until ctx ends or the API is idle.
func (d *daemon) run(ctx context.Context) error {
	ctx, fail := context.WithCancelCause(ctx)
	defer fail(nil)
	d.fail = fail
	partsCtx, stopParts := context.WithCancel(context.WithoutCancel(ctx))
	defer stopParts()
	d.life = partsCtx
	n, err := d.makeNouns(partsCtx)
	if err != nil {
		return err
	}
	d.nouns = n
	d.begin(partsCtx, n)
	d.waitForTable(ctx)
	server := d.server()
	d.doors = door.Open(d.log,
		door.Door{Name: "api", Listeners: d.unix, Handler: server.Handler(auth.UnixDoor), Connected: auth.ConnContext, NoUse: lookAtMyself},
		door.Door{Name: "web", Listeners: d.web, Handler: server.Handler(auth.WebDoor), Connected: auth.ConnContext,
			Limit: maxWebConnections, TLS: d.certs.config()})
	for _, c := range d.wake {
		d.parts.Go(func() { door.Wake(c, d.woken) })
	}
	if interval := d.notify.Watchdog() / 2; interval > 0 {
		d.part(func() {
			door.Watchdog(partsCtx, d.log, interval, d.askMyself, func() error { return d.notify.Send("WATCHDOG=1") })
		})
	}
	if err := d.notify.Send("READY=1", "STATUS="+d.statusText()); err != nil {
		return err
	}
	reloaded := make(chan struct{}, 1)
	d.settings.tell(func() {
		_ = d.notify.Send("STATUS=" + d.statusText())
		select {
		case reloaded <- struct{}{}:
		default:
		}
	})
	d.wait(ctx, reloaded)
	return d.stop(ctx, stopParts)
}

// tableWait bounds how long the first look at all units delays the service;
// without systemd it says so in /health.
const tableWait = 5 * time.Second

// waitForTable lets the first answer be a true one: an empty list would say
// that nothing runs. Whoever has connected waits in the sockets.
func (d *daemon) waitForTable(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, tableWait)
	defer cancel()
	if err := d.table.Wait(ctx); err != nil {
		d.log.Warn(err.Error())
	}
}

// part runs something until the service ends.
func (d *daemon) part(f func()) { d.parts.Go(f) }

// wait returns when the service is to end.
func (d *daemon) wait(ctx context.Context, reloaded <-chan struct{}) {
	for ctx.Err() == nil && !d.idle(ctx, reloaded) {
	}
}

// idle waits until the service has had nothing to do for as long as the
// configuration says, and reports whether it is to end; a reload ends the wait.
func (d *daemon) idle(ctx context.Context, reloaded <-chan struct{}) bool {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		defer cancel()
		select {
		case <-reloaded:
		case <-ctx.Done():
		}
	}()
	after := time.Duration(d.settings.config().API.IdleExitSeconds) * time.Second
	if after <= 0 {
		<-ctx.Done()
		return false
	}
	for door.Idle(ctx, after, d.busy, d.lastUse) {
		if d.leave(ctx, after) {
			d.log.Info("nothing to do: the sockets start the service again when there is", "idle_seconds", after.Seconds())
			return true
		}
	}
	return false
}

// stop drains: what is being answered and delivered is finished, what connects
// or is told meanwhile waits for the next process.
func (d *daemon) stop(ctx context.Context, stopParts func()) error {
	_ = d.notify.Send("STOPPING=1", "STATUS=draining")
	drain, cancel := context.WithTimeout(context.Background(), drainWait)
	defer cancel()
	d.closeWake()
	err := d.doors.Drain(drain)
	if ctx.Err() == nil && d.busy() { // nobody wants us to end
		d.rouse()
	}
	stopParts()
	d.parts.Wait()
	d.nouns.close(drain)
	if cause := context.Cause(ctx); cause != nil && !errors.Is(cause, context.Canceled) {
		return cause
	}
	if err != nil {
		d.log.Warn("not everything in flight was finished", "error", err)
	}
	return nil
}

const livePath = "/health/live"

// askMyself is the watchdog's request, through the socket like anybody's.
func (d *daemon) askMyself(ctx context.Context) error {
	return client.New(d.unix[0].Addr().String()).Call(ctx, http.MethodGet, livePath, nil, nil)
}

// lookAtMyself tells that request from work: it comes every 15 s, and no
// api.idle_exit_seconds above that was ever reached.
func lookAtMyself(r *http.Request) bool { return r.URL.Path == livePath }

// statusText is what systemctl status shows.
func (d *daemon) statusText() string {
	if p := d.settings.faulty(); p != nil {
		return d.commands(wireText(p))
	}
	if len(d.web) > 0 {
		if p := d.webClosed(); p != nil {
			return d.commands(wireText(p))
		}
	}
	return fmt.Sprintf("serving on %d sockets", len(d.unix)+len(d.web))
}

func wireText(p *wire.Problem) string {
	if p.Hint == "" {
		return p.Detail
	}
	return p.Detail + " — " + p.Hint
}
