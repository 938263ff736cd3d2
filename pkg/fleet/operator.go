package fleet

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"sync"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/config"
	"clauster/pkg/systemd"
	"clauster/pkg/terminal"
	"clauster/pkg/wire"
)

// Manager is what an Operator needs of systemd. Begin makes a job; wait gives
// its result, "done" for success. Errors as of Systemd.
type Manager interface {
	Systemd
	MainPID(ctx context.Context, unit string) (int, error)
	Begin(ctx context.Context, v systemd.Verb, unit string) (wait func(context.Context) (string, error), err error)
	ResetFailed(ctx context.Context, unit string) error
	Close()
}

// Operator changes bridges for the API, as clauster-ctl does for people: a
// requested event into the journal, the launch request, a job of systemd's,
// and its result with the reason. What it refuses is a *wire.Problem. Its
// methods may be called from several goroutines.
type Operator struct {
	Table   *Table
	Place   *Place
	Connect func(ctx context.Context) (Manager, error)
	Config  func() *config.Config
	// HasProject reports whether a project is there; an error leaves that to
	// the keeper, as does nil.
	HasProject func(ctx context.Context, project string) (bool, error)
	// Last gives an end that has just been written, for the reason of a job
	// that failed: the journal's, which is ahead of the store's.
	Last LastFunc
	// Program and UID are this process's, for requested events.
	Program string
	UID     int
	// RuntimeDir holds the keepers' control sockets: /run/clauster.
	RuntimeDir string
	Version    string // told to keepers
	Log        *slog.Logger

	mu    sync.Mutex
	link  *link
	locks map[bridge.Instance]*lock

	limited sync.Mutex // held from counting bridges to one more, where max_bridges is set
}

// Start starts an instance and waits until it serves or failed. created is
// false where it was running, or being started, already. With again a start
// under way is joined whatever was chosen: it may be this request's own, of
// which an earlier process did not live to see the end.
func (o *Operator) Start(ctx context.Context, by string, i bridge.Instance, r bridge.Request, again bool) (b Bridge, created bool, err error) {
	if err := o.checkRequest(ctx, i, r); err != nil {
		return Bridge{}, false, err
	}
	b, err = o.with(ctx, i, func(c *change) error {
		began := time.Now()
		wait, made, err := o.beginStart(c, by, r, again)
		created = made
		if err != nil || wait == nil {
			return err
		}
		return o.await(c, systemd.Start, wait, began)
	})
	return b, created, err
}

// beginStart holds the instance's lock until the job is made, so that of two
// starts at once one makes the job and the other sees it.
func (o *Operator) beginStart(c *change, by string, r bridge.Request, again bool) (wait waiter, made bool, err error) {
	defer o.hold(c.i)()
	s, err := o.look(c)
	if err != nil {
		return nil, false, err
	}
	if s.service == "active" || s.service == "reloading" {
		return nil, false, nil
	}
	leave, err := o.enterRoom(c)
	if err != nil {
		return nil, false, err
	}
	defer leave()
	if s.service == "activating" || starts(s.job) {
		if chosen(r) && !again {
			return nil, false, refuse(wire.Conflict, "clauster-ctl status "+c.i.String(),
				"cannot start %s with these options: it is being started already", c.i)
		}
		// The start that is under way is joined, and its request is not
		// touched, unless its keeper only waits to be started again.
		if s.sub == "auto-restart" && s.job == "" {
			if err := o.leaveRequest(r); err != nil {
				return nil, false, err
			}
		}
		wait, err := o.begin(c, by, systemd.Start, c.i.Unit())
		return wait, false, err
	}
	if err := o.leaveRequest(r); err != nil {
		return nil, false, err
	}
	wait, err = o.begin(c, by, systemd.Start, c.i.Unit())
	return wait, err == nil, err
}

// Restart stops an instance, starts it again with the choices it had, as far
// as r does not choose anew, and waits like Start.
func (o *Operator) Restart(ctx context.Context, by string, i bridge.Instance, r bridge.Request) (Bridge, error) {
	if err := o.checkRequest(ctx, i, r); err != nil {
		return Bridge{}, err
	}
	return o.with(ctx, i, func(c *change) error {
		began := time.Now()
		wait, err := func() (waiter, error) {
			defer o.hold(i)()
			r, err := o.again(i, r)
			if err != nil {
				return nil, err
			}
			leave, err := o.enterRoom(c) // one that is down is started
			if err != nil {
				return nil, err
			}
			defer leave()
			if err := o.leaveRequest(r); err != nil {
				return nil, err
			}
			return o.begin(c, by, systemd.Restart, i.Unit())
		}()
		if err != nil {
			return err
		}
		return o.await(c, systemd.Restart, wait, began)
	})
}

// again is what a restart launches. A recorded bypass that root has forbidden
// since is refused while the bridge still runs.
func (o *Operator) again(i bridge.Instance, r bridge.Request) (bridge.Request, error) {
	r, err := o.Place.Again(i, r)
	if err != nil {
		return r, refuse(wire.Conflict, fmt.Sprintf("clauster-ctl stop %s && clauster-ctl start %s", i, i), "cannot restart %s: %s", i, terminal.Clean(err.Error()))
	}
	return r, o.checkCeiling(i, r)
}

// Stop stops an instance and waits until it is gone; stopped is false where it
// was down already.
func (o *Operator) Stop(ctx context.Context, by string, i bridge.Instance) (b Bridge, stopped bool, err error) {
	b, err = o.with(ctx, i, func(c *change) error {
		s, err := o.look(c)
		if err != nil {
			return err
		}
		unit := i.Unit()
		switch {
		case up(s.service) || starts(s.job):
		case up(s.scope) && !o.Place.Origin.User: // polkit lets the API at keepers alone
			return refuse(wire.Conflict, "clauster-ctl keepers --stop "+i.String(), "cannot stop %s: its keeper is gone, and the bridge is left without one", i)
		case up(s.scope): // an orphan: its keeper is gone
			unit = i.Scope()
		default:
			return nil
		}
		began := time.Now()
		wait, err := o.begin(c, by, systemd.Stop, unit)
		if err != nil {
			return err
		}
		stopped = true
		return o.await(c, systemd.Stop, wait, began)
	})
	return b, stopped && err == nil, err
}

// Forget drops what is kept of an instance that is down.
func (o *Operator) Forget(ctx context.Context, by string, i bridge.Instance) error {
	_, err := o.with(ctx, i, func(c *change) error {
		defer o.hold(i)()
		s, err := o.look(c)
		if err != nil {
			return err
		}
		if up(s.service) || up(s.scope) || s.job != "" {
			return refuse(wire.Conflict, "clauster-ctl stop "+i.String(), "cannot forget %s: it lives", i)
		}
		o.say(c, by, Forget)
		if err := o.Place.Records.Remove(i); err != nil {
			return o.problem(err)
		}
		if s.service == "failed" { // systemd would go on listing it
			return o.problem(c.link.bus.ResetFailed(ctx, i.Unit()))
		}
		return nil
	})
	return err
}

// checkRequest refuses what root's configuration does not allow before
// anything is asked of anybody.
func (o *Operator) checkRequest(ctx context.Context, i bridge.Instance, r bridge.Request) error {
	if err := r.Validate(); err != nil {
		return refuse(wire.Invalid, "", "%s", err)
	}
	if err := o.checkCeiling(i, r); err != nil {
		return err
	}
	if o.HasProject == nil {
		return nil
	}
	if there, err := o.HasProject(ctx, i.Project); err == nil && !there {
		return refuse(wire.NotFound, "choose one: clauster-ctl projects", "there is no project %s", i.Project)
	}
	return nil
}

func (o *Operator) checkCeiling(i bridge.Instance, r bridge.Request) error {
	cfg := o.Config()
	if r.PermissionMode != bridge.PermBypass || cfg.ForProject(i.Project).AllowBypassPermissions {
		return nil
	}
	return refuse(wire.Forbidden, "choose another permission mode, or allow it: "+bridge.AllowBypass(cfg.Path, i.Project, o.Place.Origin.User),
		"cannot start %s with bypassPermissions: the configuration does not allow it for project %s", i, i.Project)
}

func (o *Operator) leaveRequest(r bridge.Request) error {
	if o.Place.Origin.User { // nobody else makes it there
		if err := os.MkdirAll(o.Place.Records.Path, 0o700); err != nil {
			return o.problem(fmt.Errorf("cannot make the directory of launch records: %w", err))
		}
	}
	err := o.Place.LeaveRequest(r, time.Now())
	if errors.Is(err, fs.ErrNotExist) {
		return refuse(wire.Unavailable, "systemd-tmpfiles --create clauster.conf", "%s", err)
	}
	return o.problem(err)
}

// chosen reports whether anything was asked for that a start by itself would
// not do.
func chosen(r bridge.Request) bool {
	return r.Options != (bridge.Options{}) || r.Resume || r.Fork != "" || r.Trust
}
