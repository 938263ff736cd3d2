package systemd

import (
	"fmt"
	"strings"
	"testing"

	"github.com/godbus/dbus/v5"
)

func isOurs(unit string) bool { return strings.HasPrefix(unit, "clauster") }

func propertiesChanged(sender, unit string, values map[string]any) *dbus.Signal {
	body := map[string]dbus.Variant{}
	for k, v := range values {
		body[k] = dbus.MakeVariant(v)
	}
	return &dbus.Signal{Sender: sender, Path: unitPath(unit), Name: propertiesIf + ".PropertiesChanged",
		Body: []any{serviceIf, body, []string{}}}
}

func managerSignal(name string, body ...any) *dbus.Signal {
	return &dbus.Signal{Sender: ":1.1", Path: managerPath, Name: managerIf + "." + name, Body: body}
}

func TestMailboxKeepsTheLatest(t *testing.T) {
	m := newMailbox(isOurs)
	m.begin(":1.1")
	if _, relist, _ := m.take(); !relist {
		t.Error("the first thing is no listing")
	}
	say := func(s *dbus.Signal) { m.DeliverSignal("", "", s) }
	say(propertiesChanged(":1.1", "clauster@a.service", map[string]any{"ActiveState": "activating", "StatusText": "starting: x", "Slice": "s"}))
	say(propertiesChanged(":1.1", "ssh.service", map[string]any{"ActiveState": "active"}))
	say(propertiesChanged(":1.1", "clauster@a.service", map[string]any{"ActiveState": "active", "NRestarts": uint32(3),
		"ExecMainCode": int32(1), "ExecMainStatus": int32(70), "InvocationID": []byte{0xab}}))
	changes, relist, _ := m.take()
	if len(changes) != 1 || relist {
		t.Fatalf("%+v", changes)
	}
	var s ServiceProperties
	changes[0].Apply(&s)
	if s.ActiveState != "active" || s.StatusText != "starting: x" || s.Restarts != 3 || s.ExitCode != 70 || s.InvocationID != "ab" {
		t.Errorf("%+v", s)
	}
	if len(changes[0].Props) != 6 {
		t.Errorf("kept %v", changes[0].Props)
	}
	say(propertiesChanged(":1.1", "clauster@a.service", map[string]any{"ActiveState": "inactive"}))
	say(managerSignal("UnitRemoved", "clauster@a.service", unitPath("clauster@a.service")))
	say(managerSignal("UnitNew", "clauster@b.service", unitPath("clauster@b.service")))
	changes, _, _ = m.take()
	if len(changes) != 2 || !changes[0].Gone || changes[0].Active() != "" || !changes[1].New {
		t.Errorf("%+v", changes)
	}
}

// Any local account may send a signal that looks like systemd's to our
// connection, past every match rule.
func TestMailboxBelievesSystemdAlone(t *testing.T) {
	m := newMailbox(isOurs)
	forged := propertiesChanged(":1.666", "clauster@a.service", map[string]any{"ActiveState": "failed"})
	m.DeliverSignal("", "", forged)
	m.begin(":1.1")
	m.take()
	m.DeliverSignal("", "", forged)
	moved := &dbus.Signal{Sender: ":1.666", Path: "/org/freedesktop/DBus", Name: dbusName + ".NameOwnerChanged", Body: []any{busName, ":1.1", ":1.666"}}
	m.DeliverSignal("", "", moved)
	if changes, relist, away := m.take(); len(changes) > 0 || relist || away {
		t.Errorf("%v %v %v", changes, relist, away)
	}
	moved.Sender, moved.Body[2] = dbusName, ":1.2"
	m.DeliverSignal("", "", moved)
	if _, _, away := m.take(); !away {
		t.Error("a re-executed systemd was not noticed")
	}
}

func TestMailboxAsksForAListing(t *testing.T) {
	for name, s := range map[string]*dbus.Signal{
		"reloaded": managerSignal("Reloading", false), "enabled": managerSignal("UnitFilesChanged"),
	} {
		m := newMailbox(isOurs)
		m.begin(":1.1")
		m.take()
		m.DeliverSignal("", "", s)
		if _, relist, _ := m.take(); !relist {
			t.Error(name)
		}
	}
	m := newMailbox(isOurs)
	m.begin(":1.1")
	m.take()
	for n := range maxChanged + 1 {
		m.DeliverSignal("", "", managerSignal("UnitNew", fmt.Sprintf("clauster@%d.service", n)))
	}
	if changes, relist, _ := m.take(); !relist || len(changes) > 1 {
		t.Errorf("a storm: %d changes, %v", len(changes), relist)
	}
}

func TestMailboxTakesAnyShape(t *testing.T) {
	m := newMailbox(isOurs)
	m.begin(":1.1")
	for _, s := range []*dbus.Signal{
		managerSignal("UnitNew"), managerSignal("UnitNew", 3), managerSignal("Reloading", "x"), managerSignal("Reloading"),
		{Sender: ":1.1", Name: propertiesIf + ".PropertiesChanged", Path: unitPath("clauster@a.service"), Body: []any{"x", "y"}},
		{Sender: ":1.1", Name: propertiesIf + ".PropertiesChanged", Path: "/x"},
		{Sender: dbusName, Name: dbusName + ".NameOwnerChanged", Body: []any{1}},
	} {
		m.DeliverSignal("", "", s)
	}
	var s ServiceProperties
	Change{Props: map[string]any{"ActiveState": 3, "InvocationID": "x", "MainPID": "y", "ExecMainCode": 1}}.Apply(&s)
	if s != (ServiceProperties{}) {
		t.Errorf("%+v", s)
	}
}

func FuzzUnitOfPath(f *testing.F) {
	f.Add("clauster@a:b-c.service")
	f.Fuzz(func(t *testing.T, unit string) {
		if back, ok := unitOfPath(unitPath(unit)); unit != "" && (!ok || back != unit) {
			t.Errorf("%q became %q", unit, back)
		}
		_, _ = unitOfPath(dbus.ObjectPath(string(managerPath) + "/unit/" + unit))
	})
}
