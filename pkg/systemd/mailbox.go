package systemd

import (
	"slices"
	"strings"
	"sync"

	"github.com/godbus/dbus/v5"
)

const (
	propertiesIf = "org.freedesktop.DBus.Properties"
	dbusName     = "org.freedesktop.DBus"
)

// maxChanged bounds the units whose changes are kept at a time; beyond it all
// are forgotten, and there is a listing instead.
const maxChanged = 8192

// watched are the properties that are kept of a change.
var watched = [...]string{"ActiveState", "SubState", "StatusText", "Result", "InvocationID", "MainPID", "NRestarts",
	"ExecMainCode", "ExecMainStatus", "StateChangeTimestamp", "ActiveEnterTimestamp"}

// mailbox takes godbus' signals as they come and keeps what changed of each
// unit, the latest values only. Its size depends on the number of units, not on
// that of signals: a channel, which godbus offers otherwise, is either too small
// for a storm or gets its signals out of order.
type mailbox struct {
	ours    func(unit string) bool
	wake    chan struct{} // there is something to take
	matched bool          // of Run's goroutine

	mu      sync.Mutex
	owner   string // systemd's connection; signals of anybody else are not heard
	moved   bool   // it has another one now
	relist  bool
	changes map[string]*Change
	order   []string
}

func newMailbox(ours func(string) bool) *mailbox {
	return &mailbox{ours: ours, wake: make(chan struct{}, 1), changes: map[string]*Change{}}
}

// begin believes a connection from now on, and asks for a listing.
func (m *mailbox) begin(owner string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.owner, m.moved = owner, false
	m.all()
}

// take gives and forgets what was kept.
func (m *mailbox) take() (changes []Change, relist, moved bool) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, unit := range m.order {
		changes = append(changes, *m.changes[unit])
	}
	relist, moved = m.relist, m.moved
	m.relist, m.moved, m.order = false, false, nil
	clear(m.changes)
	return changes, relist, moved
}

// all makes a listing stand for whatever was kept.
func (m *mailbox) all() {
	m.relist, m.order = true, nil
	clear(m.changes)
	m.ring()
}

func (m *mailbox) ring() {
	select {
	case m.wake <- struct{}{}:
	default:
	}
}

// DeliverSignal is called by godbus for each signal, in order, from the
// goroutine that reads the connection: it must not wait.
func (m *mailbox) DeliverSignal(_, _ string, s *dbus.Signal) {
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case s.Name == dbusName+".NameOwnerChanged":
		// The bus itself sends it, under a name that it gives to nobody.
		if name, owner, ok := ownerChange(s); ok && s.Sender == dbusName && name == busName && owner != "" {
			m.owner, m.moved = owner, true
			m.ring()
		}
	case m.owner == "" || s.Sender != m.owner:
		// Not from systemd, or before the listing that will contain it.
	case s.Name == propertiesIf+".PropertiesChanged":
		if unit, ok := unitOfPath(s.Path); ok && m.ours(unit) && len(s.Body) >= 2 {
			if props, ok := s.Body[1].(map[string]dbus.Variant); ok {
				m.changed(unit, props)
			}
		}
	case s.Name == managerIf+".UnitNew":
		if unit, ok := firstString(s); ok && m.ours(unit) {
			m.of(unit).New = true
		}
	case s.Name == managerIf+".UnitRemoved":
		if unit, ok := firstString(s); ok && m.ours(unit) {
			*m.of(unit) = Change{Unit: unit, Gone: true}
		}
	case s.Name == managerIf+".Reloading":
		if active, ok := firstBool(s); ok && !active {
			m.all()
		}
	case s.Name == managerIf+".UnitFilesChanged":
		m.relist = true
		m.ring()
	}
}

func (m *mailbox) changed(unit string, props map[string]dbus.Variant) {
	c := m.of(unit)
	for name, v := range props {
		if slices.Contains(watched[:], name) {
			if c.Props == nil {
				c.Props = make(map[string]any, len(watched))
			}
			c.Props[name] = v.Value()
		}
	}
}

// of gives the kept change of a unit, to be added to.
func (m *mailbox) of(unit string) *Change {
	c := m.changes[unit]
	if c == nil {
		if len(m.changes) >= maxChanged {
			m.all()
		}
		c = &Change{Unit: unit}
		m.changes[unit] = c
		m.order = append(m.order, unit)
	}
	m.ring()
	return c
}

func ownerChange(s *dbus.Signal) (name, owner string, ok bool) {
	if len(s.Body) < 3 {
		return "", "", false
	}
	name, ok1 := s.Body[0].(string)
	owner, ok2 := s.Body[2].(string)
	return name, owner, ok1 && ok2
}

func firstString(s *dbus.Signal) (string, bool) {
	if len(s.Body) == 0 {
		return "", false
	}
	v, ok := s.Body[0].(string)
	return v, ok
}

func firstBool(s *dbus.Signal) (v, ok bool) {
	if len(s.Body) == 0 {
		return false, false
	}
	v, ok = s.Body[0].(bool)
	return v, ok
}

// unitOfPath undoes unitPath.
func unitOfPath(path dbus.ObjectPath) (string, bool) {
	label, ok := strings.CutPrefix(string(path), string(managerPath)+"/unit/")
	if !ok || label == "" || strings.Contains(label, "/") {
		return "", false
	}
	if !strings.Contains(label, "_") {
		return label, true
	}
	var b strings.Builder
	for i := 0; i < len(label); i++ {
		if label[i] != '_' {
			b.WriteByte(label[i])
			continue
		}
		if i+2 >= len(label) {
			return "", false
		}
		hi, ok1 := hexDigit(label[i+1])
		lo, ok2 := hexDigit(label[i+2])
		if !ok1 || !ok2 {
			return "", false
		}
		b.WriteByte(hi<<4 | lo)
		i += 2
	}
	return b.String(), true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case c >= '0' && c <= '9':
		return c - '0', true
	case c >= 'a' && c <= 'f':
		return c - 'a' + 10, true
	}
	return 0, false
}
