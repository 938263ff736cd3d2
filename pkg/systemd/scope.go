package systemd

import (
	"context"
	"errors"
	"strings"

	sdbus "github.com/coreos/go-systemd/v22/dbus"
	"github.com/godbus/dbus/v5"
)

// Scope describes a transient scope around processes that already live.
type Scope struct {
	Name        string
	PID         int // the process to move; its later children follow it
	Slice       string
	Description string
	Service     string // ordered Before= and PartOf= this service
	StopUSec    uint64 // TimeoutStopUSec
	Limits      []Property
}

// Property is one unit property by its D-Bus name and type (uint64, bool,
// string …; systemd refuses another type).
type Property struct {
	Name  string
	Value any
}

// StartScope makes the scope and waits for it. Limits that this systemd
// refuses (249 has no OOMPolicy on scopes) are left out and returned by name:
// a bridge without one limit is better than no bridge, and the caller says so.
func (b *Bus) StartScope(ctx context.Context, s Scope) (refused []string, err error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	err = b.startScope(ctx, s, s.Limits)
	if hasName(err, busName+".UnitExists") {
		// A scope of that name is left over in state failed, or is just
		// going away: clear it once and try again.
		if _, e := b.StopUnit(ctx, s.Name); e != nil && !IsNoSuchUnit(e) {
			return nil, e
		}
		_ = b.manager(ctx, "ResetFailedUnit", s.Name).Err
		err = b.startScope(ctx, s, s.Limits)
	}
	if isBadProperty(err) && len(s.Limits) > 0 {
		// systemd names the culprit in prose only. Make the scope bare, then
		// set the limits one by one while the gate is still closed.
		if err = b.startScope(ctx, s, nil); err == nil {
			return b.setEach(ctx, s.Name, s.Limits), nil
		}
	}
	return nil, explain("cannot make scope "+s.Name, err)
}

func (b *Bus) setEach(ctx context.Context, unit string, limits []Property) (refused []string) {
	for _, l := range limits {
		one := []sdbus.Property{{Name: l.Name, Value: dbus.MakeVariant(l.Value)}}
		if err := b.manager(ctx, "SetUnitProperties", unit, true, one).Err; err != nil {
			refused = append(refused, l.Name)
		}
	}
	return refused
}

// isBadProperty tells systemd's answers to a property that it does not know,
// does not take on a scope, or takes in another form. The latter comes as a bare
// errno, such as System.Error.ENXIO.
func isBadProperty(err error) bool {
	var e dbus.Error
	return hasName(err, "org.freedesktop.DBus.Error.PropertyReadOnly", "org.freedesktop.DBus.Error.UnknownProperty",
		"org.freedesktop.DBus.Error.InvalidArgs", "org.freedesktop.DBus.Error.InvalidSignature") ||
		errors.As(err, &e) && strings.HasPrefix(e.Name, "System.Error.")
}

type auxUnit struct {
	Name       string
	Properties []sdbus.Property
}

func (b *Bus) startScope(ctx context.Context, s Scope, limits []Property) error {
	props := []sdbus.Property{
		sdbus.PropDescription(s.Description),
		sdbus.PropSlice(s.Slice),
		sdbus.PropPids(uint32(s.PID)),
		{Name: "TimeoutStopUSec", Value: dbus.MakeVariant(s.StopUSec)},
		// Without Before= a shutdown kills the bridge before its keeper can
		// ask it nicely; without PartOf= a stop during the auto-restart wait
		// leaves an orphan. BindsTo= and StopPropagatedFrom= would kill the
		// bridge when the keeper crashes.
		sdbus.PropBefore(s.Service),
		{Name: "PartOf", Value: dbus.MakeVariant([]string{s.Service})},
		{Name: "CollectMode", Value: dbus.MakeVariant("inactive-or-failed")},
	}
	for _, l := range limits {
		props = append(props, sdbus.Property{Name: l.Name, Value: dbus.MakeVariant(l.Value)})
	}
	result, err := b.runJob(ctx, "StartTransientUnit", s.Name, "fail", props, []auxUnit{})
	if err != nil {
		return err
	}
	if result != "done" {
		return errors.New("its start job ended with " + result)
	}
	return nil
}

// ActiveState gives the ActiveState of one unit.
func (b *Bus) ActiveState(ctx context.Context, unit string) (string, error) {
	return property[string](ctx, b, unitPath(unit), unitIf, "ActiveState")
}

// Restarts gives NRestarts of a service: how often systemd itself started it
// again since the last start that someone asked for.
func (b *Bus) Restarts(ctx context.Context, unit string) (int, error) {
	n, err := property[uint32](ctx, b, unitPath(unit), serviceIf, "NRestarts")
	return int(n), err
}

// MainPID gives the main process of a service, 0 where it has none.
func (b *Bus) MainPID(ctx context.Context, unit string) (int, error) {
	n, err := property[uint32](ctx, b, unitPath(unit), serviceIf, "MainPID")
	return int(n), err
}
