package e2e

import (
	"encoding/json"
	"sort"
	"strings"
	"testing"
	"time"

	"clauster/test/machine"
)

// settle is how long a machine on two busy cores may take for what takes
// milliseconds on an idle one.
const settle = 30 * time.Second

// bed is one test's view of a furnished machine.
type bed struct {
	*machine.Machine
	t testing.TB
}

// onShared gives a view of the machine that all tests share.
func onShared(t testing.TB) *bed {
	t.Helper()
	return &bed{shared.With(t), t}
}

// newMachine boots and furnishes a machine for one test alone.
func newMachine(t testing.TB) *bed {
	t.Helper()
	return furnished(t, machine.Start(t, options()))
}

func furnished(t testing.TB, m *machine.Machine) *bed {
	t.Helper()
	if err := furnish(m); err != nil {
		t.Fatalf("%v", err)
	}
	return &bed{m, t}
}

// newProject makes a project directory of the bridge user whose stand-in
// claude behaves as the keys say (test/fakeclaude/README.md). The test's end
// stops its bridge and forgets a failure.
func (b *bed) newProject(name string, keys map[string]string) {
	b.t.Helper()
	var lines []string
	for k, v := range keys {
		lines = append(lines, k+"="+v+"\n")
	}
	sort.Strings(lines)
	b.MustWriteFile("/home/op/projects/"+name+"/.fakeclaude", strings.Join(lines, ""), 0o644, "op")
	b.t.Cleanup(func() {
		unit := "clauster@" + name + ".service"
		if _, err := b.Run("systemctl", "stop", unit); err != nil {
			b.t.Errorf("%v", err)
		}
		_, _ = b.Run("systemctl", "reset-failed", unit) // not loaded any more is the rule
	})
}

// start starts an instance as an administrator would and tells how that went.
func (b *bed) start(instance string) machine.Result {
	b.t.Helper()
	return b.result("systemctl", "start", "clauster@"+instance)
}

// mustStart starts an instance that must become ready.
func (b *bed) mustStart(instance string) {
	b.t.Helper()
	if r := b.start(instance); r.Code != 0 {
		status := b.result("systemctl", "status", "--no-pager", "--full", "clauster@"+instance)
		b.t.Fatalf("cannot start %s: exit code %d\n%s%s", instance, r.Code, r.Stderr, status.Stdout)
	}
}

// stop stops an instance and fails the test when systemd cannot.
func (b *bed) stop(instance string) {
	b.t.Helper()
	b.MustRun("systemctl", "stop", "clauster@"+instance)
}

func (b *bed) result(args ...string) machine.Result {
	b.t.Helper()
	r, err := b.Run(args...)
	if err != nil {
		b.t.Fatalf("%v", err)
	}
	return r
}

// status is what clauster-ctl status --json prints.
type status struct {
	Host           string  `json:"host"`
	Instance       string  `json:"instance"`
	Project        string  `json:"project"`
	Label          string  `json:"label"`
	Mode           string  `json:"mode"`
	Status         string  `json:"status"`
	Health         string  `json:"health"`
	Reason         string  `json:"reason"`
	PID            int     `json:"pid"`
	Since          string  `json:"since"`
	Restarts       int     `json:"restarts"`
	Run            string  `json:"run"`
	Unit           string  `json:"unit"`
	Scope          string  `json:"scope"`
	PermissionMode string  `json:"permission_mode"`
	MemoryBytes    uint64  `json:"memory_bytes"`
	CPUSeconds     float64 `json:"cpu_seconds"`
}

// status asks clauster-ctl, as root.
func (b *bed) status(instance string) status {
	b.t.Helper()
	text := b.MustRun("clauster-ctl", "status", instance, "--json")
	var s status
	if err := json.Unmarshal([]byte(text), &s); err != nil {
		b.t.Fatalf("cannot read status of %s: %v\n%s", instance, err, text)
	}
	return s
}

// events gives the lifecycle events of an instance in the journal, oldest
// first.
func (b *bed) events(instance string) []machine.Entry {
	b.t.Helper()
	var events []machine.Entry
	for _, e := range b.MustJournal("CLAUSTER_INSTANCE=" + instance) {
		if e.Get("CLAUSTER_EVENT") != "" {
			events = append(events, e)
		}
	}
	return events
}

// eventNames is events in one line, "spawn ready stop".
func (b *bed) eventNames(instance string) string {
	b.t.Helper()
	var names []string
	for _, e := range b.events(instance) {
		names = append(names, e.Get("CLAUSTER_EVENT"))
	}
	return strings.Join(names, " ")
}

// waitEvents waits until the instance's events, in one line, are as wanted:
// the journal gets them a moment after the unit has changed its state.
func (b *bed) waitEvents(instance, want string) {
	b.t.Helper()
	err := b.WaitFor("events of "+instance, settle, func() bool { return b.eventNames(instance) == want })
	if err != nil {
		b.t.Errorf("events of %s: %q, want %q", instance, b.eventNames(instance), want)
	}
}

// bridgePIDs are the processes in the instance's scope, none without one.
func (b *bed) bridgePIDs(instance string) []string {
	b.t.Helper()
	const script = `cat "/sys/fs/cgroup$(systemctl show -P ControlGroup "$1")/cgroup.procs" 2>/dev/null || true`
	scope := "clauster-bridge-" + instance + ".scope"
	if b.MustShow(scope, "ActiveState") != "active" {
		return nil
	}
	return strings.Fields(b.MustSh(script, scope))
}
