package main

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"sync"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/bridge"
	"clauster/pkg/config"
	"clauster/pkg/delivery"
	"clauster/pkg/door"
	"clauster/pkg/event"
	"clauster/pkg/fleet"
	"clauster/pkg/home"
	"clauster/pkg/journal"
	"clauster/pkg/metrics"
	"clauster/pkg/store"
	"clauster/pkg/systemd"
	"clauster/pkg/tail"
	"clauster/pkg/wire"
)

// nouns are what the API is about.
type nouns struct {
	store   *store.Store // nil while refused
	refused *wire.Problem
	full    bool // why it is refused: the disk
	gate    *auth.Gate
	link    *systemd.Link
	table   *fleet.Table
	operate *fleet.Operator
	tails   *tail.Tails
	home    *home.Client
	traffic *metrics.Traffic
	sources *metrics.Sources
	board   *metrics.Board

	// Only with a store.
	hub      *event.Hub
	ingester *event.Ingester
	courier  *delivery.Courier

	bell door.Bell // of the wake sockets
}

// makeNouns opens the store and makes what lives beside the servers. A store
// that is refused does not keep the API from telling what runs.
func (d *daemon) makeNouns(ctx context.Context) (*nouns, error) {
	n := &nouns{link: &systemd.Link{Manager: d.manager}, traffic: metrics.NewTraffic()}
	if err := d.openStore(ctx, n); err != nil {
		return nil, err
	}
	n.gate = auth.New(d.gateOptions(n))
	place := d.place()
	last := func(ctx context.Context, i []bridge.Instance) (map[bridge.Instance]fleet.Last, error) {
		return fleet.LastInJournal(ctx, place.Origin, i)
	}
	known := last
	if n.store != nil {
		known = fleet.LastOr(fleet.LastInStore(n.store.LastLifeEvents), last)
	}
	n.table = fleet.NewTable(fleet.Options{Place: place, Manager: d.manager, Log: d.log, Hash: d.settings.config().BridgeHash, Last: known})
	n.operate = &fleet.Operator{Table: n.table, Place: place, Config: d.settings.config, Last: last, HasProject: d.hasProject,
		Connect: func(ctx context.Context) (fleet.Manager, error) { return systemd.Connect(ctx, d.manager) },
		Program: "clauster-api", UID: os.Geteuid(), RuntimeDir: d.runtimeDir(), Version: version, Log: d.log}
	n.tails = tail.New(place.Origin, tail.Source{Read: journal.Read, Follow: journal.Follow, Watch: n.operate.Watch})
	n.home = home.NewClient(filepath.Join(d.runtimeDir(), "home.sock"), version)
	if n.store != nil {
		if err := d.makeDeliveries(ctx, n, place.Origin); err != nil {
			return nil, err
		}
	}
	d.makeFigures(ctx, n, place)
	return n, nil
}

// openStore opens the database, or says why it is not used.
func (d *daemon) openStore(ctx context.Context, n *nouns) error {
	path, err := d.databasePath()
	if err != nil {
		return err
	}
	opened, err := store.Open(ctx, path)
	var refused *store.RefusedError
	switch {
	case errors.As(err, &refused):
		n.refused, n.full = refusal(refused), refused.Reason == store.Full
		d.log.Error(err.Error(), "hint", d.commands(refused.Hint()))
	case err != nil:
		return err
	default:
		opened.Host = d.host
		n.store = opened
	}
	return nil
}

// makeDeliveries connects journal, store, streams and outbox.
func (d *daemon) makeDeliveries(ctx context.Context, n *nouns, origin journal.Origin) (err error) {
	if n.hub, err = event.NewHub(ctx, n.store); err != nil {
		return err
	}
	// Some notification services use it: they would wait for ever, and take a page
	// that a redirect leads to for their own yes.
	http.DefaultClient.Timeout = delivery.NotifyTimeout
	http.DefaultClient.CheckRedirect = func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }
	cfg := d.settings.config()
	if !d.settings.good.Load() {
		cfg = nil
	}
	n.courier = delivery.New(delivery.Options{Config: cfg, Outbox: n.store, Version: version, Log: d.log})
	n.ingester = event.New(event.Options{Store: n.store, Hub: n.hub, Origin: origin, Log: d.log, Retention: retention(d.settings.config),
		OnStored: func(ctx context.Context, tx *sql.Tx, e event.Event) error {
			if !e.Live {
				return nil
			}
			return n.courier.Queue(ctx, tx, e.Event)
		},
		OnCommit: func(events []event.Event) {
			n.courier.Wake()
			for _, e := range events {
				n.table.Observe(e.Event)
			}
		}})
	return nil
}

// begin starts what lives beside the servers.
func (d *daemon) begin(ctx context.Context, n *nouns) {
	d.part(func() { n.table.Run(ctx) })
	d.settings.changed = append(d.settings.changed, func(cfg *config.Config) { n.table.Reconfigure(cfg.BridgeHash) })
	if n.full {
		d.part(func() { d.awaitRoom(ctx) })
	}
	if n.store == nil {
		return
	}
	follow := sync.OnceFunc(func() { d.part(func() { d.ingest(ctx, n) }) })
	d.settings.changed = append(d.settings.changed, n.courier.Reload, func(*config.Config) { follow() })
	if d.settings.good.Load() {
		follow()
	} // else events wait in the journal: stored now, they would be for no target
}

// ingest runs the ingester until the service ends. A store that it gives up on
// shows as refused; it goes on once that is over, which damage never is.
func (d *daemon) ingest(ctx context.Context, n *nouns) {
	for {
		err := n.ingester.Run(ctx)
		if ctx.Err() != nil || err == nil {
			return
		}
		d.log.Error("cannot store events any longer", "error", err)
		var refused *store.RefusedError
		switch errors.As(err, &refused); {
		case n.storeRefused() == nil:
			d.fail(fmt.Errorf("cannot store events any longer: %w", err))
			return
		case refused != nil && refused.Reason == store.Damaged:
			return
		}
		again := time.NewTimer(ingestPause)
		select {
		case <-ctx.Done():
		case <-again.C:
		}
		again.Stop()
	}
}

// ingestPause is how long the ingester leaves a refused store alone.
const ingestPause = time.Minute

// close ends what begin has not started, after it.
func (n *nouns) close(ctx context.Context) {
	n.board.Close()
	n.home.Close()
	n.link.Close()
	if n.store == nil {
		return
	}
	_ = n.courier.Close(ctx) // what was broken off stays in the outbox
	_ = n.store.Close()
}

// storeRefused is why the database is not used, from the start or since it
// showed damage.
func (n *nouns) storeRefused() *wire.Problem {
	var refused *store.RefusedError
	if n.store != nil && errors.As(n.store.Refused(), &refused) {
		return refusal(refused)
	}
	return n.refused
}

func refusal(r *store.RefusedError) *wire.Problem {
	return wire.NewProblem(wire.StoreRefused, r.Error(), r.Hint())
}

// busy reports whether something is under way that an idle exit would end. In
// this order: a request may cause an event, and an event a delivery.
func (d *daemon) busy() bool {
	return d.doors.InFlight() > 0 || d.ingester != nil && d.ingester.Busy() || d.courier != nil && d.courier.Busy()
}

// lastUse is when somebody asked for something, or a keeper told of an event.
func (d *daemon) lastUse() time.Time {
	asked, told := d.doors.LastUse(), d.bell.LastUse()
	if told.After(asked) {
		return told
	}
	return asked
}

// woken is called when keepers have told of an event: journald tells those who
// follow it a quarter of a second later only.
func (d *daemon) woken(take func()) {
	d.bell.Ring(take, func() {
		if d.ingester != nil {
			d.ingester.Nudge()
		}
	})
}

// lookWait bounds the last look into the journal before an idle exit.
const lookWait = 10 * time.Second

// leave looks a last time, and stops listening to keepers if there is nothing
// to do. A crash that came as the time was over was once taken off the wake
// socket and then left: so from the look to the end no datagram is taken, and
// one that comes starts the next process.
func (d *daemon) leave(ctx context.Context, after time.Duration) (left bool) {
	ctx, cancel := context.WithTimeout(ctx, lookWait)
	defer cancel()
	d.bell.Still(func() {
		if d.look(ctx) && !d.busy() && time.Since(d.lastUse()) >= after {
			d.closeWake()
			left = true
		}
	})
	if !left {
		d.bell.Touch() // the next look is after as long again
	}
	return left
}

// look reports whether the journal was read to its end, or need not be.
func (d *daemon) look(ctx context.Context) bool {
	return d.ingester == nil || d.ingester.Look(ctx) == nil
}

func (d *daemon) closeWake() {
	for _, c := range d.wake {
		c.Close()
	}
}

// rouse has systemd start the next process, for what came while an idle one
// drained: the last answer may have put something into the outbox.
func (d *daemon) rouse() {
	for _, c := range d.wake {
		if err := door.Rouse(c); err != nil {
			d.log.Warn("cannot send to the own wake socket: what waits is delivered at the next start", "error", err)
		}
	}
}
