package e2e

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"clauster/test/machine"
)

// TestAPIRestartsUnderLoad: however often the API is restarted or killed, no
// connection is refused, no bridge notices, and no event is lost or told twice.
func TestAPIRestartsUnderLoad(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("steady", nil)
	b.newProject("busy", nil)
	b.mustStart("steady")
	steady := b.status("steady").PID
	b.must("GET", "/healthz", "")
	b.MustStart(machine.Command{Args: []string{callerPath, "stream", apiSocket, "/api/v1/events/stream", "/root/streamed"}, Timeout: 2 * time.Hour})
	lives := 0
	life := func(n int) {
		if n%3 == 0 { // something to tell
			b.mustStart("busy")
			b.stop("busy")
			lives++
		}
	}
	b.hammered(soak(9, 500), soak(12, 1000), 0, func(n int) {
		life(n)
		b.MustRun("systemctl", "restart", "clauster-api.service")
	})
	kills := soak(4, 100) // each cuts what is being answered, at most one per client
	b.hammered(soak(3, 100), kills, clients*kills, func(n int) {
		life(n)
		b.MustRun("systemctl", "kill", "--signal=KILL", "clauster-api.service")
		b.MustWaitUnit("clauster-api.service", "active", settle)
	})
	if now := b.status("steady"); now.PID != steady || now.Status != "running" {
		t.Errorf("the bridge: %+v, was pid %d", now, steady)
	}
	b.eachEventOnce("busy", 3*lives)
}

const clients = 8

// hammered does something so many times, or for so long, while clients ask
// without pause, half of them by a new connection each time. Nobody may be
// refused or answered wrongly, and only so many answers may break off.
func (b *bed) hammered(seconds, times, mayCut int, do func(n int)) {
	b.t.Helper()
	hammering := b.MustStart(machine.Command{Args: []string{callerPath, "hammer", apiSocket, fmt.Sprint(clients), fmt.Sprint(seconds), "/api/v1/instances"}, Timeout: 2 * time.Hour})
	end, done := time.Now().Add(time.Duration(seconds)*time.Second), 0
	for ; done < times && time.Now().Before(end); done++ {
		do(done)
	}
	r, err := hammering.Wait()
	if err != nil {
		b.t.Fatal(err)
	}
	var count struct{ Answered, Refused, Cut, Bad int }
	if err := json.Unmarshal([]byte(r.Stdout), &count); err != nil {
		b.t.Fatalf("%v: %s%s", err, r.Stdout, r.Stderr)
	}
	b.t.Logf("%+v while it was done %d times", count, done)
	if count.Refused != 0 || count.Bad != 0 || count.Cut > mayCut || count.Answered < 100 {
		b.t.Errorf("%+v, %d may be cut", count, mayCut)
	}
}

// eachEventOnce compares what the journal has of an instance with the store and
// with what a stream that was resumed all the time has seen.
func (b *bed) eachEventOnce(instance string, want int) {
	b.t.Helper()
	var ids []string
	for _, e := range b.events(instance) {
		ids = append(ids, e.Get("CLAUSTER_EVENT_ID"))
	}
	if len(ids) < want {
		b.t.Fatalf("%d events in the journal, want %d", len(ids), want)
	}
	b.MustWaitFor("every event in the store, once", settle, func() bool {
		var page struct{ Events []struct{ ID string } }
		b.must("GET", "/api/v1/events?limit=500&instance="+instance, "").into(b.t, &page)
		seen := map[string]int{}
		for _, e := range page.Events {
			seen[e.ID]++
		}
		for _, id := range ids[max(0, len(ids)-400):] {
			if seen[id] != 1 {
				return false
			}
		}
		return true
	})
	b.MustWaitFor("every event in the stream", settle, func() bool {
		return strings.Contains(b.MustReadFile("/root/streamed"), ids[len(ids)-1])
	})
	streamed := map[string]int{}
	for line := range strings.Lines(b.MustReadFile("/root/streamed")) {
		id, _, _ := strings.Cut(line, " ")
		streamed[id]++
	}
	for _, id := range ids {
		if n := streamed[id]; n != 1 {
			b.t.Errorf("event %s came %d times in the stream", id, n)
		}
	}
}

// TestWakeFlood: an agent that writes to the wake socket without end neither
// fails it nor makes the API busy.
func TestWakeFlood(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.must("GET", "/healthz", "")
	flood := b.MustStart(machine.Command{User: "op", Args: []string{"perl", "-MSocket", "-e",
		`socket(S, PF_UNIX, SOCK_DGRAM, 0); my $a = pack_sockaddr_un("/run/clauster/wake.sock"); my $end = time + 8; while (time < $end) { send(S, "", 0, $a) }`}})
	cpu := func() (usec int) {
		_, _ = fmt.Sscan(b.MustSh(`awk '/^usage_usec/ { print $2 }' /sys/fs/cgroup/system.slice/clauster-api.service/cpu.stat`), &usec)
		return usec
	}
	before, begun := cpu(), time.Now()
	if _, err := flood.Wait(); err != nil {
		t.Fatal(err)
	}
	if used := float64(cpu()-before) / float64(time.Since(begun).Microseconds()); used > 0.10 {
		t.Errorf("the flood took %.0f %% of a core", 100*used)
	}
	if state := b.MustShow("clauster-wake.socket", "ActiveState"); state != "active" {
		t.Errorf("the socket is %s", state)
	}
	b.must("GET", "/healthz", "")
	// And while the API is down: the flood may start it, not break it.
	b.MustRun("systemctl", "stop", "clauster-api.service")
	b.MustRunAs("op", "perl", "-MSocket", "-e",
		`socket(S, PF_UNIX, SOCK_DGRAM, 0); send(S, "", 0, pack_sockaddr_un("/run/clauster/wake.sock")) for 1..500`)
	b.MustWaitUnit("clauster-api.service", "active", settle)
	if pid := b.MustShow("clauster-api.service", "MainPID"); pid == "0" {
		t.Error("no API")
	}
}
