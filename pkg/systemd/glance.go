package systemd

import (
	"context"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/godbus/dbus/v5"
)

// ControlGroup gives the manager's own control group below /sys/fs/cgroup,
// under which its slices lie: "" for PID 1 of a host or of a container that has
// a cgroup namespace, "/user.slice/user-1000.slice/user@1000.service" for a
// user's manager.
func (b *Bus) ControlGroup(ctx context.Context) (string, error) {
	return managerProperty[string](ctx, b, "ControlGroup")
}

// Glance is what a list needs of a service that is up: two Gets instead of the
// ten of Services. A list of a hundred bridges is mostly messages on the bus.
type Glance struct {
	StatusText string
	Restarts   int
}

var glanceProps = [...][2]string{{serviceIf, "StatusText"}, {serviceIf, "NRestarts"}}

// Glances reads services with many calls under way at once. Units that went
// away meanwhile are left out.
func (b *Bus) Glances(ctx context.Context, services []string) (map[string]Glance, error) {
	rows, err := b.readMany(ctx, services, glanceProps[:])
	if err != nil {
		return nil, err
	}
	out := make(map[string]Glance, len(rows))
	for unit, v := range rows {
		var g Glance
		g.StatusText, _ = v[0].(string)
		restarts, _ := v[1].(uint32)
		g.Restarts = int(restarts)
		out[unit] = g
	}
	return out, nil
}

// ActiveSince reads when units became active, such as when scopes were made.
func (b *Bus) ActiveSince(ctx context.Context, units []string) (map[string]time.Time, error) {
	rows, err := b.readMany(ctx, units, [][2]string{{unitIf, "ActiveEnterTimestamp"}})
	if err != nil {
		return nil, err
	}
	out := make(map[string]time.Time, len(rows))
	for unit, v := range rows {
		if at := microseconds(v[0]); !at.IsZero() {
			out[unit] = at
		}
	}
	return out, nil
}

// microseconds reads systemd's timestamps; 0 stands for never.
func microseconds(v any) time.Time {
	us, ok := v.(uint64)
	if !ok || us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(int64(us)).UTC()
}

// maxInFlight bounds the calls of one bulk read that wait for a reply:
// dbus-daemon refuses more than 128 per connection on the system bus
// (max_replies_per_connection), and others may use the connection meanwhile.
const maxInFlight = 96

// readMany reads the same properties of many units, with many calls under way
// at once: each costs no round trip of its own.
func (b *Bus) readMany(ctx context.Context, units []string, props [][2]string) (map[string][]any, error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	out := make(map[string][]any, len(units))
	window := max(1, maxInFlight/len(props)) // units under way
	calls := make([][]*dbus.Call, len(units))
	for i := range len(units) + window {
		if i < len(units) {
			object := b.conn.Object(busName, unitPath(units[i]))
			for _, p := range props {
				calls[i] = append(calls[i], object.GoWithContext(ctx, "org.freedesktop.DBus.Properties.Get", 0,
					make(chan *dbus.Call, 1), p[0], p[1]))
			}
		}
		done := i - window
		if done < 0 || done >= len(units) {
			continue
		}
		values, err := collect(calls[done])
		switch {
		case err == nil:
			out[units[done]] = values
		case IsNoSuchUnit(err):
		default:
			return nil, explain("cannot read the properties of "+units[done], err)
		}
	}
	return out, nil
}

// collect waits for the calls of one unit, all of them even when one failed,
// so that the window stays true.
func collect(calls []*dbus.Call) ([]any, error) {
	values := make([]any, len(calls))
	var failure error
	for i, c := range calls {
		<-c.Done
		var v dbus.Variant
		err := c.Err
		if err == nil {
			err = c.Store(&v)
		}
		if err != nil {
			failure = err
			continue
		}
		values[i] = v.Value()
	}
	return values, failure
}

// EnabledLinks gives the units of a template that are enabled, read from the
// .wants and .requires directories under the given unit directories
// (UnitDirs). It costs a few directory reads; asking the manager
// (ListUnitFilesByPatterns) makes it look at every unit file there is.
func EnabledLinks(dirs []string, prefix, suffix string) []string {
	var names []string
	for _, dir := range dirs {
		for _, kind := range [...]string{"*.wants", "*.requires"} {
			// Glob fails on a malformed pattern only.
			links, _ := filepath.Glob(filepath.Join(dir, kind, prefix+"*"+suffix))
			for _, l := range links {
				if name := filepath.Base(l); len(name) > len(prefix)+len(suffix) && !slices.Contains(names, name) {
					names = append(names, name)
				}
			}
		}
	}
	slices.Sort(names)
	return names
}

// UnitDirs are the directories in which `systemctl enable` makes links.
// configHome is the user's ~/.config in user mode.
func UnitDirs(m Manager, configHome, runtimeDir string) []string {
	if m == System {
		return []string{"/etc/systemd/system", "/run/systemd/system"}
	}
	dirs := []string{"/etc/systemd/user", "/run/systemd/user"}
	for _, own := range [...]string{configHome, runtimeDir} {
		if strings.HasPrefix(own, "/") {
			dirs = append(dirs, filepath.Join(own, "systemd/user"))
		}
	}
	return dirs
}
