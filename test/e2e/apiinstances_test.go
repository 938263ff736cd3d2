package e2e

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// sameList waits until the API's list is what clauster-ctl, which asks systemd
// afresh, prints; figures aside.
func (b *bed) sameList(what string) {
	b.t.Helper()
	read := func(text string) (list []map[string]any) {
		if err := json.Unmarshal([]byte(text), &list); err != nil {
			b.t.Fatalf("%s: %v\n%s", what, err, text)
		}
		for _, i := range list {
			delete(i, "memory_bytes")
			delete(i, "cpu_seconds")
		}
		return list
	}
	var ours, theirs []map[string]any
	b.MustWaitFor("one list after "+what, settle, func() bool {
		ours = read(b.must("GET", "/api/v1/instances", "").Body)
		theirs = read(b.MustRun("clauster-ctl", "list", "--json"))
		return reflect.DeepEqual(ours, theirs)
	})
}

// TestAPITableFollows: whatever happens to bridges behind the API's back, its
// list follows, without asking.
func TestAPITableFollows(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	for _, name := range []string{"one", "two", "three"} {
		b.newProject(name, nil)
		b.must("POST", "/api/v1/instances", fmt.Sprintf(`{"project":%q}`, name))
	}
	b.sameList("three starts")
	b.MustRun("systemctl", "stop", "clauster@one")
	b.sameList("a stop")
	b.MustRun("systemctl", "kill", "-s", "KILL", "--kill-whom=main", "clauster@two")
	b.sameList("a keeper's death")
	b.MustKill(b.status("two").PID, syscall.SIGKILL)
	b.sameList("a crash")
	b.MustRun("systemctl", "enable", "clauster@one")
	b.sameList("enabling")
	b.MustRun("systemctl", "daemon-reexec")
	b.MustRun("systemctl", "stop", "clauster@three")
	b.sameList("a stop after daemon-reexec")
	b.MustRun("systemctl", "restart", "dbus")
	b.mustStart("three")
	b.sameList("a start after a restart of dbus")
	b.MustRun("systemctl", "restart", "systemd-journald")
	b.MustRun("clauster-ctl", "stop", "three")
	b.sameList("a stop after a restart of journald")
	b.MustRun("clauster-ctl", "forget", "three")
	b.sameList("forgetting")
	// It crashed; a launch that meets a daemon-reexec fails and is tried again.
	b.MustWaitUnit("clauster@two.service", "active", settle)
	b.MustRun("systemctl", "freeze", "clauster-bridge-two.scope")
	b.sameList("a freeze")
	b.MustRun("systemctl", "thaw", "clauster-bridge-two.scope")
	b.sameList("a thaw")
}

// TestAPIChangesAtOnce: whoever asks is answered, however many ask the same of
// one bridge at once: systemd gives them one job, and one of them had no answer.
func TestAPIChangesAtOnce(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("crowded", nil)
	for range soak(2, 20) {
		for _, ask := range [][]string{{"POST", "/api/v1/instances", `{"project":"crowded"}`}, {"POST", "/api/v1/instances/crowded/restart", ""}, {"DELETE", "/api/v1/instances/crowded", ""}} {
			var wg sync.WaitGroup
			all := make([]answer, 6)
			for n := range all {
				wg.Go(func() { all[n] = b.ask("root", ask[0], ask[1], ask[2]) })
			}
			wg.Wait()
			for _, a := range all {
				// Whose job another's replaced is told so.
				if a.Status != 200 && a.Status != 201 && a.Status != 409 {
					t.Errorf("%v: %d %s", ask, a.Status, a.Body)
				}
			}
		}
	}
	if now := b.status("crowded"); now.Status != "stopped" {
		t.Errorf("in the end: %+v", now)
	}
}

// TestAPIOneStartPerKey: a start that is sent many times at once, and again
// after the API was killed, is one start.
func TestAPIOneStartPerKey(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("keyed", nil)
	post := func() answer {
		return b.ask("root", "POST", "/api/v1/instances", `{"project":"keyed"}`, "Idempotency-Key: k-1")
	}
	var wg sync.WaitGroup
	all := make([]answer, 5)
	for n := range all {
		wg.Go(func() { all[n] = post() })
	}
	wg.Wait()
	for _, a := range all {
		if a.Status != 201 || a.Body != all[0].Body {
			t.Errorf("%d %s", a.Status, a.Body)
		}
	}
	b.must("DELETE", "/api/v1/instances/keyed", "")
	b.MustRun("systemctl", "kill", "-s", "KILL", "clauster-api")
	if a := post(); a.Status != 201 || a.Header.Get("Idempotency-Replayed") != "true" {
		t.Errorf("after the API's death: %d %v %s", a.Status, a.Header, a.Body)
	}
	if now := b.status("keyed"); now.Status != "stopped" {
		t.Errorf("a repeat started it again: %+v", now)
	}
	if a := b.ask("root", "POST", "/api/v1/instances", `{"project":"other"}`, "Idempotency-Key: k-1"); a.Status != 409 {
		t.Errorf("another body: %d %s", a.Status, a.Body)
	}
	a := b.ask("root", "POST", "/api/v1/instances", `{"project":"keyed","permission_mode":"bypassPermissions"}`)
	if a.Status != 403 || a.problem().Kind != "forbidden" {
		t.Errorf("above the ceiling: %d %s", a.Status, a.Body)
	}
	if a := b.must("POST", "/api/v1/instances/keyed/resume", ""); a.Status != 201 || !strings.Contains(a.Body, `"created":true`) {
		t.Errorf("resume: %d %s", a.Status, a.Body)
	}
	if a := b.ask("root", "POST", "/api/v1/instances/keyed/forget", ""); a.Status != 409 {
		t.Errorf("a living one was forgotten: %d %s", a.Status, a.Body)
	}
	run := b.status("keyed").Run
	if a := b.must("GET", "/api/v1/instances/"+run[:8], ""); !strings.Contains(a.Body, `"instance":"keyed"`) {
		t.Errorf("by run: %s", a.Body)
	}
}
