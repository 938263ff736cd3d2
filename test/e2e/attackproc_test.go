package e2e

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestAgentTracesNothing: a program inside a bridge tries without a pause to
// trace and to read every keeper and gate of the machine (test/e2e/attacker)
// while they are started, re-executed, killed and started again. An executable
// that is not readable is not traceable from its first instruction on.
func TestAgentTracesNothing(t *testing.T) {
	b := onShared(t)
	b.needAttacker()
	const prowler, victim = "attack-prowl", "attack-prey"
	stop := "/home/op/projects/" + prowler + "/stop"
	b.newAttack(prowler, "attacker prowl "+stop, nil)
	b.newProject(victim, nil)
	b.mustStart(prowler)
	b.MustWaitFor("the prowler", settle, func() bool { return b.result("test", "-e", stop+".prowling").Code == 0 })

	starts, reloads, kills := soak(3, 200), soak(5, 1000), soak(3, 100)
	for range starts {
		b.mustStart(victim)
		b.stop(victim)
	}
	b.mustStart(victim)
	pid := b.keeperPID(victim)
	for range reloads {
		b.MustRun("systemctl", "reload", "clauster@"+victim)
	}
	if got := b.keeperPID(victim); got != pid {
		t.Errorf("a reload changed the keeper's pid from %d to %d", pid, got)
	}
	for range kills {
		old := b.keeperPID(victim)
		b.MustKill(old, syscall.SIGKILL)
		b.waitReattached(victim, old)
	}
	b.stop(victim)
	looks := soak(10, 500)
	for range looks { // root looks at the projects with the bridge user's eyes
		b.MustRun("clauster-ctl", "projects")
	}
	b.MustWriteFile(stop, "", 0o644, "op")

	out := b.attackDone(prowler, time.Minute)
	var tries, pids, keepers, gates, asUser, hits int
	_, text, _ := strings.Cut("\n"+out, "\ntries=")
	if _, err := fmt.Sscanf(text, "%d pids=%d run=%d gate=%d as-user=%d hits=%d", &tries, &pids, &keepers, &gates, &asUser, &hits); err != nil {
		t.Fatalf("cannot read the prowler's summary: %v\n%s", err, out)
	}
	t.Logf("%d tries at %d keepers, %d gates and %d clauster-ctl", tries, keepers, gates, asUser)
	if hits > 0 || tries < 1000 || keepers < starts+kills || gates < starts || asUser == 0 {
		t.Errorf("%d hits of %d tries at %d keepers, %d gates and %d clauster-ctl:\n%s", hits, tries, keepers, gates, asUser, out)
	}
}
