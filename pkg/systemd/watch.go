package systemd

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// Reconnecting: the first pause, and the longest.
const (
	watchPause   = 100 * time.Millisecond
	watchLongest = 10 * time.Second
)

// Change is what signals said about a unit since the last time. Later values
// of a property replace earlier ones.
type Change struct {
	Unit  string
	New   bool           // systemd loaded it; its properties are to be read, if they matter
	Gone  bool           // systemd unloaded it, before anything else that is said here
	Props map[string]any // by D-Bus name: those that Apply and Active read
}

// Watcher follows the signals of a manager. Its functions are called from
// Run's goroutine, one at a time; an error of List or Changed ends the
// connection, and the next one begins with List again.
type Watcher struct {
	Manager Manager
	Ours    func(unit string) bool // whose changes are wanted; called for every unit's
	// List is called when what is known may not be true any more: at first, on
	// a new connection, when systemd was re-executed or has reloaded, when links
	// of unit files changed, when more changed than is kept. Changes that
	// happen meanwhile are delivered after it, so some may be in it already.
	// The connection ends with the call of Lost.
	List func(ctx context.Context, bus *Bus) error
	// Changed gets what changed.
	Changed func(ctx context.Context, bus *Bus, changes []Change) error
	// Lost is told that systemd cannot be heard; List follows when it can.
	Lost func(err error)
}

// Run watches until ctx ends. It connects again however often the connection
// is lost, with growing pauses.
func (w *Watcher) Run(ctx context.Context) {
	pause := watchPause
	for {
		began := time.Now()
		err := w.session(ctx)
		if ctx.Err() != nil {
			return
		}
		w.Lost(err)
		if time.Since(began) > watchLongest {
			pause = watchPause
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		pause = min(2*pause, watchLongest)
	}
}

// errWatchEnded is a connection that the bus, or the network, ended.
var errWatchEnded = errors.New("the connection to the bus ended")

// session is the life of one connection.
func (w *Watcher) session(ctx context.Context) error {
	m := newMailbox(w.Ours)
	conn, err := dial(w.Manager, dbus.WithSignalHandler(m))
	if err != nil {
		return fmt.Errorf("cannot connect to the %s bus: %w: %w", w.Manager, ErrUnreachable, err)
	}
	defer conn.Close()
	bus := &Bus{conn: conn}
	if err := bus.subscribe(ctx, m); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-conn.Context().Done():
			return fmt.Errorf("cannot hear systemd: %w: %w", ErrUnreachable, errWatchEnded)
		case <-m.wake:
		}
		changes, relist, owner := m.take()
		if owner { // a new systemd: the old one's subscriptions may be gone
			if err := bus.subscribe(ctx, m); err != nil {
				return err
			}
			continue
		}
		if relist {
			if err := w.List(ctx, bus); err != nil {
				return err
			}
		}
		if len(changes) > 0 {
			if err := w.Changed(ctx, bus, changes); err != nil {
				return err
			}
		}
	}
}

// subscribe asks the bus for the signals and systemd to send them, then learns
// which connection systemd has: any local account may send us a signal that
// looks like systemd's, and match rules do not stop one that is addressed to us.
func (b *Bus) subscribe(ctx context.Context, m *mailbox) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	if !m.matched {
		for _, rule := range watchRules() {
			if err := b.conn.AddMatchSignalContext(ctx, rule...); err != nil {
				return explain("cannot listen to systemd", err)
			}
		}
		m.matched = true
	}
	err := b.manager(ctx, "Subscribe").Err
	if err != nil && !hasName(err, busName+".AlreadySubscribed") {
		return explain("cannot subscribe to systemd", err)
	}
	owner, err := b.owner(ctx)
	if err != nil {
		return explain("cannot find systemd on the bus", err)
	}
	m.begin(owner)
	return nil
}

// owner is systemd's connection.
func (b *Bus) owner(ctx context.Context) (name string, err error) {
	err = b.conn.BusObject().CallWithContext(ctx, dbusName+".GetNameOwner", 0, busName).Store(&name)
	return name, err
}

// ownerRule tells when systemd has another connection.
func ownerRule() []dbus.MatchOption {
	return []dbus.MatchOption{dbus.WithMatchSender(dbusName), dbus.WithMatchInterface(dbusName),
		dbus.WithMatchMember("NameOwnerChanged"), dbus.WithMatchArg(0, busName)}
}

func watchRules() [][]dbus.MatchOption {
	manager := func(member string) []dbus.MatchOption {
		return []dbus.MatchOption{dbus.WithMatchSender(busName), dbus.WithMatchObjectPath(managerPath),
			dbus.WithMatchInterface(managerIf), dbus.WithMatchMember(member)}
	}
	// A path_namespace ends at a slash, so the changes of all units come: a few
	// a minute on a quiet host. One rule a unit would be over the bus's limit
	// of 512 rules with 300 bridges.
	unit := func(iface string) []dbus.MatchOption {
		return []dbus.MatchOption{dbus.WithMatchSender(busName), dbus.WithMatchPathNamespace(managerPath + "/unit"),
			dbus.WithMatchInterface(propertiesIf), dbus.WithMatchMember("PropertiesChanged"), dbus.WithMatchArg(0, iface)}
	}
	return [][]dbus.MatchOption{
		unit(unitIf), unit(serviceIf),
		manager("UnitNew"), manager("UnitRemoved"), manager("Reloading"), manager("UnitFilesChanged"),
		ownerRule(),
	}
}

// Apply sets what changed of a service.
func (c Change) Apply(s *ServiceProperties) {
	set(c.Props, "ActiveState", &s.ActiveState)
	set(c.Props, "SubState", &s.SubState)
	set(c.Props, "StatusText", &s.StatusText)
	set(c.Props, "Result", &s.Result)
	if id, ok := c.Props["InvocationID"].([]byte); ok {
		s.InvocationID = fmt.Sprintf("%x", id)
	}
	if pid, ok := c.Props["MainPID"].(uint32); ok {
		s.MainPID = int(pid)
	}
	if n, ok := c.Props["NRestarts"].(uint32); ok {
		s.Restarts = int(n)
	}
	// systemd sends both with every change of the service.
	code, ok1 := c.Props["ExecMainCode"].(int32)
	status, ok2 := c.Props["ExecMainStatus"].(int32)
	if ok1 && ok2 {
		s.ExitCode = exitCode(code, status)
	}
	if at := microseconds(c.Props["StateChangeTimestamp"]); !at.IsZero() {
		s.Since = at
	}
}

// Active gives the unit's new ActiveState, "" where that is not said.
func (c Change) Active() string {
	s, _ := c.Props["ActiveState"].(string)
	return s
}

// ActiveSince gives when the unit became active, zero where that is not said.
func (c Change) ActiveSince() time.Time { return microseconds(c.Props["ActiveEnterTimestamp"]) }

func set(from map[string]any, name string, to *string) {
	if s, ok := from[name].(string); ok {
		*to = s
	}
}
