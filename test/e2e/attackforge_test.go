package e2e

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"clauster/pkg/bridge"
	"clauster/test/machine"
)

// TestAgentForgesNothing: what an agent tells systemd and the journal in its
// keeper's name is believed by neither systemd nor our reader, and no escape
// sequence of its making reaches the terminal of who looks.
func TestAgentForgesNothing(t *testing.T) {
	forgedEvent := regexp.MustCompile(`forged.* event`)
	b := onShared(t)
	b.needAttacker()
	const name, ghost = "attack-forge", "attack-ghost"
	ids := fmt.Sprintf("export STOP_ID=%s CRASH_ID=%s REQUESTED_ID=%s\n",
		bridge.EventStop.MessageID(), bridge.EventCrash.MessageID(), bridge.EventRequested.MessageID())
	b.newAttack(name, ids+waiting(name, testdata(t, "forge.sh")), nil)
	b.mustStart(name)
	unit := "clauster@" + name + ".service"
	keeper, since := b.keeperPID(name), b.status(name).Since
	b.letGo(name, name, ghost)
	if out := b.attackDone(name, settle); !strings.HasSuffix(out, "done\n") {
		t.Errorf("the forgery did not get to its end:\n%s", out)
	}
	// The forged line of the debug file comes last; with it everything is in.
	b.MustWaitJournal("the forged line of the debug file", func(e machine.Entry) bool {
		return e.Get("CLAUSTER_SOURCE") == "debug" && strings.Contains(e.Get("MESSAGE"), "forged")
	}, "_SYSTEMD_UNIT="+unit)
	if n := len(b.MustJournal("CLAUSTER_REASON=forged \x1b[31mreason")); n != 6 {
		t.Fatalf("the journal took %d forged events, want 6: the test proves nothing", n)
	}

	if got := b.MustShow(unit, "StatusText"); strings.Contains(got, "forged") {
		t.Errorf("StatusText=%s", got)
	}
	if got := b.keeperPID(name); got != keeper {
		t.Errorf("MainPID=%d, was %d", got, keeper)
	}
	s := b.status(name)
	if s.Status != "running" || s.Health != "ok" || s.Since != since || strings.Contains(s.Reason, "forged") {
		t.Errorf("status: %+v", s)
	}
	if r := b.result("clauster-ctl", "status", ghost); r.Code != 3 {
		t.Errorf("an instance that exists in forged events only: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if out := b.MustRun("clauster-ctl", "logs", "--events", "--lines", "0", name); strings.Contains(out, "forged") {
		t.Errorf("forged events are told:\n%s", out)
	}
	if out := b.MustRun("clauster-ctl", "logs", "--lines", "0", name); forgedEvent.MatchString(out) {
		t.Errorf("a forged request is a line of the log:\n%s", out)
	}
	for _, args := range [][]string{{"list"}, {"list", "--json"}, {"status", name}, {"status", name, "--json"},
		{"logs", "--lines", "0", name}, {"logs", "--lines", "0", "--json", name}, {"logs", "--events", name}, {"projects"}, {"keepers"}} {
		out := b.result(append([]string{"clauster-ctl"}, args...)...)
		if i := strings.IndexFunc(out.Stdout+out.Stderr, dangerous); i >= 0 {
			t.Errorf("clauster-ctl %s prints a control character: %q", strings.Join(args, " "), around(out.Stdout+out.Stderr, i))
		}
	}
	if out := b.result("systemctl", "status", "--no-pager", "--lines=0", unit).Stdout; strings.IndexFunc(out, dangerous) >= 0 {
		t.Errorf("systemctl status prints a control character: %q", out)
	}
	b.stop(name)
	b.MustWaitFor("the reason of the end", settle, func() bool {
		s = b.status(name)
		return s.Status == "stopped" && strings.Contains(s.Reason, "on request")
	})
}

// dangerous tells what a terminal would obey: every control character but the
// end of a line and the tab, C1 as well.
func dangerous(r rune) bool {
	return r < 0x20 && r != '\n' && r != '\t' || r >= 0x7f && r <= 0x9f
}

func around(text string, i int) string { return text[max(0, i-40):min(len(text), i+40)] }
