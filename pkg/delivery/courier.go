package delivery

import (
	"context"
	"database/sql"
	"log/slog"
	"sync"
	"sync/atomic"
	"time"

	"clauster/pkg/config"
	"clauster/pkg/journal"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// Outbox is where deliveries are kept; *store.Store is the real one.
type Outbox interface {
	QueueDelivery(ctx context.Context, tx *sql.Tx, d store.Outgoing) error
	DueDeliveries(ctx context.Context, channel, target string, now time.Time, limit int) ([]store.Outgoing, time.Time, error)
	WaitingTargets(ctx context.Context) ([]wire.Target, error)
	EndAttempts(ctx context.Context, channel, target string, at time.Time, attempts []store.Attempt) error
	AbandonDeliveries(ctx context.Context, channel, target string, now time.Time, reason string) (time.Time, error)
	DeliveriesWait(ctx context.Context) (bool, error)
	Targets(ctx context.Context) ([]wire.Target, error)
}

// Options are what a Courier needs.
type Options struct {
	// Config is what is in force, nil where none is known that has no fault:
	// nothing is tried or given up then until Reload brings one. A service that
	// was started on a faulty file buried what waited for its targets.
	Config   *config.Config
	Outbox   Outbox
	Version  string   // for User-Agent
	Resolver Resolver // nil: the system's
	Log      *slog.Logger

	deliver func(url, title, text string) error // instead of shoutrrr, in tests
}

// Courier delivers what is in the outbox. Its methods may be called from
// several goroutines.
type Courier struct {
	options Options
	plan    atomic.Pointer[plan]
	running atomic.Int64 // tries under way
	wake    chan struct{}

	begin           func()             // dispatching, once
	stop, abort     context.CancelFunc // no new tries; end the running ones
	loops, attempts context.Context
	routines, calls sync.WaitGroup

	mu      sync.Mutex
	workers map[key]*worker
}

// New makes a Courier and, if it has a configuration, starts it: what waits in
// the outbox is delivered from now on.
func New(o Options) *Courier {
	c := &Courier{options: o, wake: make(chan struct{}, 1), workers: map[key]*worker{}}
	c.attempts, c.abort = context.WithCancel(context.Background())
	c.loops, c.stop = context.WithCancel(c.attempts)
	c.begin = sync.OnceFunc(func() { c.routines.Go(c.dispatch) })
	if o.Config == nil {
		c.plan.Store(c.newPlan(&config.Config{}))
		return c
	}
	c.plan.Store(c.newPlan(o.Config))
	c.Wake()
	c.begin()
	return c
}

// Queue puts an event into the outbox for every target that wants it, within
// the transaction that stores the event. Wake after the commit.
func (c *Courier) Queue(ctx context.Context, tx *sql.Tx, e wire.Event) error {
	p := c.plan.Load()
	webhook, notification, err := p.bodies(e)
	if err != nil {
		return err
	}
	now := wire.Time{Time: time.Now()}
	for _, k := range p.order {
		body := webhook
		if k.channel == Notification {
			body = notification
		}
		if body == "" {
			continue
		}
		d := store.Outgoing{Body: body, Delivery: wire.Delivery{ID: journal.NewID(now.Time), EventID: e.ID, Event: e.Kind, Instance: e.Instance,
			Channel: k.channel, Target: k.target, Created: now, Next: now}}
		if err := c.options.Outbox.QueueDelivery(ctx, tx, d); err != nil {
			return err
		}
	}
	return nil
}

// Wake says that the outbox may hold something new. It never blocks.
func (c *Courier) Wake() {
	select {
	case c.wake <- struct{}{}:
	default:
	}
}

// Reload goes on with another configuration. What runs is finished; what waits
// for a target that is gone becomes dead when it is due.
func (c *Courier) Reload(cfg *config.Config) {
	old := c.plan.Swap(c.newPlan(cfg))
	old.close()
	c.begin()
	c.Wake()
}

// Busy reports whether a delivery waits or is under way: the reason not to
// leave for want of work. Where the outbox cannot be read, it is busy.
func (c *Courier) Busy() bool {
	if c.running.Load() > 0 {
		return true
	}
	wait, err := c.options.Outbox.DeliveriesWait(c.loops)
	return wait || err != nil
}

// Close starts nothing any more and waits for what runs; when ctx ends, that
// is broken off and stays in the outbox as it was.
func (c *Courier) Close(ctx context.Context) error {
	c.stop()
	defer c.abort()
	done := make(chan struct{})
	go func() {
		c.routines.Wait()
		close(done)
	}()
	select {
	case <-done:
	case <-ctx.Done():
		c.abort()
		<-done
	}
	c.plan.Load().close()
	return ctx.Err()
}

// dispatch wakes the workers of targets for which something waits, and makes
// those that are missing.
func (c *Courier) dispatch() {
	for {
		select {
		case <-c.loops.Done():
			return
		case <-c.wake:
		}
		targets, err := c.options.Outbox.WaitingTargets(c.loops)
		if err != nil && c.loops.Err() == nil {
			c.options.Log.Error("cannot look for deliveries", "error", err)
			time.AfterFunc(storePause, c.Wake)
		}
		for _, t := range targets {
			c.worker(key{t.Channel, t.Target}).poke()
		}
	}
}

// worker gives the worker of a target. It stays for good, also when the target
// is no longer configured: it then gives up what comes due.
func (c *Courier) worker(k key) *worker {
	c.mu.Lock()
	defer c.mu.Unlock()
	w := c.workers[k]
	if w == nil {
		w = &worker{courier: c, key: k, wake: make(chan struct{}, 1)}
		c.workers[k] = w
		c.routines.Go(w.run)
	}
	return w
}

// Targets gives the health of the configured targets, and of those that are
// not but for which something waits.
func (c *Courier) Targets(ctx context.Context) ([]wire.Target, error) {
	known, err := c.options.Outbox.Targets(ctx)
	if err != nil {
		return nil, err
	}
	p := c.plan.Load()
	all := []wire.Target{}
	seen := map[key]bool{}
	for _, t := range known {
		k := key{t.Channel, t.Target}
		if p.lines[k] != nil || t.Waiting > 0 {
			all, seen[k] = append(all, t), true
		}
	}
	for _, k := range p.order {
		if !seen[k] {
			all = append(all, wire.Target{Channel: k.channel, Target: k.target, Healthy: true})
		}
	}
	return all, nil
}

// Test sends a message to every notification target, all at once, and tells
// how each went.
func (c *Courier) Test(ctx context.Context) []wire.NotifyResult {
	p := c.plan.Load()
	title := p.host + ": a test message"
	text := "Clauster on " + p.host + " can reach you. You asked for this: clauster-ctl notify test."
	all := []wire.NotifyResult{}
	for _, k := range p.order {
		if k.channel == Notification {
			all = append(all, wire.NotifyResult{Target: k.target})
		}
	}
	c.running.Add(1)
	defer c.running.Add(-1)
	var tests sync.WaitGroup
	for i := range all {
		tests.Go(func() {
			r := p.testers[key{Notification, all[i].Target}].send(ctx, title, text)
			all[i].OK, all[i].Error = r.err == "", r.err
		})
	}
	tests.Wait()
	return all
}
