package e2e

import (
	"strings"
	"testing"
	"time"
)

// TestAgentReachesNothing: an agent tries secrets, sockets, systemd, control
// groups, root and the processes that watch it (testdata/reach.sh). Nothing
// opens, and nothing of it disturbs its bridge.
func TestAgentReachesNothing(t *testing.T) {
	b := onShared(t)
	b.needAttacker()
	const name = "attack-reach"
	b.newAttack(name, waiting(name, testdata(t, "reach.sh")), nil)
	b.mustStart(name)
	keeper, gate := b.keeperPID(name), b.gatePID(name)
	b.letGo(name, name, keeper, gate)
	out := b.attackDone(name, time.Minute)
	if !strings.HasSuffix(out, "done\n") {
		t.Errorf("the attack did not get to its end:\n%s", out)
	}
	shut := 0
	for line := range strings.Lines(out) {
		switch {
		case strings.HasPrefix(line, "OPEN "):
			t.Error(strings.TrimSpace(line))
		case strings.HasPrefix(line, "shut "):
			shut++
		}
	}
	if shut < 90 {
		t.Errorf("only %d tries were made:\n%s", shut, out)
	}
	if got := b.keeperPID(name); got != keeper {
		t.Errorf("the keeper is %d, was %d", got, keeper)
	}
	if s := b.status(name); s.Status != "running" || s.Health != "ok" {
		t.Errorf("status: %+v", s)
	}
	b.stop(name)
	b.waitEvents(name, "spawn ready stop")
}
