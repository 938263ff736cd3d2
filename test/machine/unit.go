package machine

import (
	"fmt"
	"strings"
	"time"
)

// Show gives all properties of a unit by name, as systemctl show prints them.
func (m *Machine) Show(unit string, properties ...string) (map[string]string, error) {
	args := []string{"systemctl", "show", "--no-pager", unit}
	for _, p := range properties {
		args = append(args, "--property="+p)
	}
	r, err := m.Run(args...)
	if err == nil {
		err = r.check(Command{Args: args})
	}
	if err != nil {
		return nil, err
	}
	props := map[string]string{}
	for _, line := range strings.Split(r.Stdout, "\n") {
		if k, v, ok := strings.Cut(line, "="); ok {
			props[k] = v
		}
	}
	return props, nil
}

// MustShow gives one property of a unit.
func (m *Machine) MustShow(unit, property string) string {
	m.tb.Helper()
	props, err := m.Show(unit, property)
	if err != nil {
		m.tb.Fatalf("%v", err)
	}
	return props[property]
}

// WaitUnit waits until a unit's state is as wanted: an ActiveState ("active",
// "failed", "inactive", "activating" …) or ActiveState/SubState
// ("activating/auto-restart"). The error tells the last state seen.
func (m *Machine) WaitUnit(unit, state string, timeout time.Duration) error {
	active, sub, withSub := strings.Cut(state, "/")
	var got map[string]string
	var err error
	reached := waitFor(timeout, func() bool {
		got, err = m.Show(unit, "ActiveState", "SubState", "Result")
		return err == nil && got["ActiveState"] == active && (!withSub || got["SubState"] == sub)
	})
	if reached {
		return nil
	}
	return fmt.Errorf("cannot see %s %s in %v: it is %s/%s, result %s (%v)",
		unit, state, timeout, got["ActiveState"], got["SubState"], got["Result"], err)
}

// MustWaitUnit is WaitUnit in a test.
func (m *Machine) MustWaitUnit(unit, state string, timeout time.Duration) {
	m.tb.Helper()
	if err := m.WaitUnit(unit, state, timeout); err != nil {
		m.tb.Fatalf("%v", err)
	}
}

// WaitFor waits until cond holds, asking it again after 2 to 100 ms. The error
// names what was waited for.
func (m *Machine) WaitFor(what string, timeout time.Duration, cond func() bool) error {
	if waitFor(timeout, cond) {
		return nil
	}
	return fmt.Errorf("cannot see %s in %v", what, timeout)
}

// MustWaitFor is WaitFor in a test.
func (m *Machine) MustWaitFor(what string, timeout time.Duration, cond func() bool) {
	m.tb.Helper()
	if err := m.WaitFor(what, timeout, cond); err != nil {
		m.tb.Fatalf("%v", err)
	}
}
