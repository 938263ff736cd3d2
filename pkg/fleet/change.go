package fleet

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"sync"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
	"clauster/pkg/terminal"
	"clauster/pkg/wire"
)

// change is one thing that is done to one instance.
type change struct {
	ctx  context.Context
	i    bridge.Instance
	link *link
}

type waiter = func(context.Context) (string, error)

// afterwards bounds the look at an instance once its job is over.
const afterwards = 5 * time.Second

// with runs f with a connection and gives what came of the instance.
func (o *Operator) with(ctx context.Context, i bridge.Instance, f func(*change) error) (Bridge, error) {
	l, err := o.connect(ctx)
	if err != nil {
		return Bridge{}, o.problem(err)
	}
	defer o.release(l)
	err = f(&change{ctx, i, l})
	if err == nil || isKind(err, wire.Failed) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), afterwards)
		defer cancel()
		// Signals and inotify may be behind the job's result.
		o.Table.reloadRecord(i)
		if e := o.Table.refresh(ctx, l.bus, i); e != nil {
			o.Log.Warn("cannot look at an instance", "instance", i.String(), "error", e)
		}
	}
	b, _ := o.Table.Get(i)
	return b, err
}

// state is how an instance's units are at this moment.
type state struct{ service, sub, scope, job string }

func (o *Operator) look(c *change) (state, error) {
	units, err := c.link.bus.ListUnits(c.ctx, c.i.Unit(), c.i.Scope())
	if err != nil {
		return state{}, o.problem(err)
	}
	var s state
	for _, u := range units {
		switch u.Name {
		case c.i.Scope():
			s.scope = u.Active
		case c.i.Unit():
			s.service, s.sub, s.job = u.Active, u.Sub, u.Job
		}
	}
	return s, nil
}

// begin says who asks, then asks.
func (o *Operator) begin(c *change, by string, v systemd.Verb, unit string) (waiter, error) {
	o.say(c, by, v)
	wait, err := c.link.bus.Begin(c.ctx, v, unit)
	return wait, o.problem(err)
}

// say tells the journal who asks.
func (o *Operator) say(c *change, by string, v systemd.Verb) {
	if err := o.Place.SayRequested(c.ctx, Actor{o.Program, o.UID, by, by}, c.i, v); err != nil {
		o.Log.Warn("cannot tell the journal who asked", "instance", c.i.String(), "verb", string(v), "by", by, "error", err)
	}
}

// await waits for a job and says why it failed.
func (o *Operator) await(c *change, v systemd.Verb, wait waiter, began time.Time) error {
	result, err := wait(c.ctx)
	switch {
	case err != nil && c.ctx.Err() != nil:
		return refuse(wire.Unavailable, "GET the instance to see what came of it", "the %s of %s goes on; nobody waits for it any more", v, c.i)
	case err != nil:
		return o.problem(err)
	case result == "canceled":
		return refuse(wire.Conflict, "clauster-ctl status "+c.i.String(), "cannot %s %s: another request came in between", v, c.i)
	case result != "done":
		return o.explain(c, v, result, began)
	}
	return nil
}

// explain says why a job failed: by the event that its keeper wrote since, else
// by the state it left.
func (o *Operator) explain(c *change, v systemd.Verb, result string, began time.Time) error {
	reason, hint := fmt.Sprintf("the job ended with %q", result), "clauster-ctl logs "+c.i.String()
	if err := o.Table.refresh(c.ctx, c.link.bus, c.i); err == nil {
		if b, ok := o.Table.Get(c.i); ok && b.Reason != "" {
			reason = b.Reason
		}
	}
	if o.Last != nil {
		ctx, cancel := context.WithTimeout(c.ctx, lastPatience)
		defer cancel()
		last, err := o.Last(ctx, []bridge.Instance{c.i})
		if l := last[c.i]; err == nil && l.Event.Ends() && !l.At.Before(began) && l.Reason != "" {
			reason, hint = terminal.Clean(l.Reason), cmp.Or(terminal.Clean(l.Hint), hint)
		}
	}
	if _, is := o.Table.ServiceUp(c.i); is {
		hint = "it is tried again by itself: clauster-ctl status " + c.i.String()
	}
	if o.Place.Origin.User {
		reason, hint = bridge.ForUser(reason), bridge.ForUser(hint)
	}
	return refuse(wire.Failed, hint, "cannot %s %s: %s", v, c.i, reason)
}

func refuse(k wire.Kind, hint, format string, args ...any) error {
	return wire.NewProblem(k, fmt.Sprintf(format, args...), hint)
}

func isKind(err error, k wire.Kind) bool {
	var p *wire.Problem
	return errors.As(err, &p) && p.Kind == k
}

// problem turns an error of the seams into a refusal; nil stays nil.
func (o *Operator) problem(err error) error {
	var p *wire.Problem
	switch {
	case err == nil:
		return nil
	case errors.As(err, &p):
		return p
	case errors.Is(err, systemd.ErrDenied):
		return refuse(wire.Forbidden, "ls /usr/share/polkit-1/rules.d/*clauster* && systemctl status polkit", "%s", terminal.Clean(err.Error()))
	case errors.Is(err, systemd.ErrUnreachable):
		o.drop()
		return refuse(wire.Unavailable, "systemctl status dbus.service", "%s", terminal.Clean(err.Error()))
	case errors.Is(err, fs.ErrPermission), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return refuse(wire.Unavailable, "journalctl -u clauster-api", "%s", terminal.Clean(err.Error()))
	}
	return refuse(wire.Failed, "journalctl -u clauster-api", "%s", terminal.Clean(err.Error()))
}

// link is a connection to systemd that several changes share: the bus allows
// 256 per uid, and a start may wait for minutes. It is opened by the first and
// closed by the last.
type link struct {
	bus   Manager
	users int
}

func (o *Operator) connect(ctx context.Context) (*link, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.link == nil {
		bus, err := o.Connect(ctx)
		if err != nil {
			return nil, err
		}
		o.link = &link{bus: bus}
	}
	o.link.users++
	return o.link, nil
}

// drop makes the next change connect anew: this connection may have ended.
func (o *Operator) drop() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.link = nil // its last user closes it
}

// release gives the connection back.
func (o *Operator) release(l *link) {
	o.mu.Lock()
	defer o.mu.Unlock()
	l.users--
	if l.users > 0 {
		return
	}
	l.bus.Close()
	if o.link == l {
		o.link = nil
	}
}

// lock is held by whoever decides about one instance.
type lock struct {
	sync.Mutex
	users int
}

func (o *Operator) hold(i bridge.Instance) (free func()) {
	o.mu.Lock()
	l := o.locks[i]
	if l == nil {
		l = new(lock)
		if o.locks == nil {
			o.locks = map[bridge.Instance]*lock{}
		}
		o.locks[i] = l
	}
	l.users++
	o.mu.Unlock()
	l.Lock()
	return func() {
		l.Unlock()
		o.mu.Lock()
		defer o.mu.Unlock()
		if l.users--; l.users == 0 {
			delete(o.locks, i)
		}
	}
}
