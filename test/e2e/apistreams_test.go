package e2e

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"clauster/test/machine"
)

// marks is a bridge's child that writes numbered lines into the debug file, so
// that a viewer of the log can tell whether one is missing.
const marks = `n=0
while [ ! -e /tmp/enough ]; do
    n=$((n+1))
    for file in "/run/clauster/spool/$1"/debug-*.log; do
        printf '2026-11-22T00:00:00.000Z [ERROR] mark-%06d.\n' $n >>"$file"
    done
    sleep 0.05
done
echo $n
`

// TestAPIStreamsCatchUp: clients follow events and a log while everything below
// the API is restarted, and the API itself. They miss nothing, are told nothing
// twice, and the table is right at once.
func TestAPIStreamsCatchUp(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newAttack("talker", waiting("talker", marks), nil)
	b.newProject("busy", nil)
	b.mustStart("talker")
	b.must("GET", "/healthz", "")
	follow := func(args ...string) {
		b.MustStart(machine.Command{Args: append([]string{callerPath}, args...), Timeout: 2 * time.Hour})
	}
	const log = "/api/v1/instances/talker/logs?lines=1000"
	follow("stream", apiSocket, "/api/v1/events/stream", "/root/streamed")
	follow("view", "sse", apiSocket, log, "/root/viewed.sse")
	follow("view", "ws", apiSocket, log, "/root/viewed.ws")
	b.letGo("talker", "talker")
	lives := 0
	for range soak(1, 20) {
		for _, disturbance := range [][]string{
			{"systemctl", "daemon-reexec"}, {"systemctl", "restart", "systemd-journald"}, {"systemctl", "restart", "dbus.service"}, {"systemctl", "restart", "clauster-api"},
			{"systemctl", "kill", "--signal=KILL", "dbus.service"}, {"systemctl", "kill", "--signal=KILL", "systemd-journald"}, {"systemctl", "kill", "--signal=KILL", "clauster-api"}, {"systemctl", "daemon-reload"},
		} {
			// Something changes in the moment of the disturbance.
			starting := b.MustStart(machine.Command{Args: []string{"systemctl", "start", "clauster@busy"}})
			b.MustRun(disturbance...)
			if r, err := starting.Wait(); err != nil || r.Code != 0 {
				b.mustStart("busy") // systemctl lost the bus, not systemd the job
			}
			lives++
			b.tableIsRight(disturbance, "running")
			b.stop("busy")
			b.tableIsRight(disturbance, "stopped")
			t.Logf("%v", disturbance)
		}
	}
	b.MustWriteFile("/tmp/enough", "", 0o644, "")
	last, err := strconv.Atoi(strings.TrimSpace(b.attackDone("talker", settle)))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{"/root/viewed.sse", "/root/viewed.ws"} {
		if err := b.WaitFor("the last mark in "+file, settle, func() bool {
			return strings.Contains(b.MustReadFile(file), fmt.Sprintf("mark-%06d.", last))
		}); err != nil {
			t.Error(err)
		}
		b.checkMarks(file, last)
	}
	b.eachEventOnce("busy", 3*lives)
}

// tableIsRight compares the API's answer with what systemd says now. The API
// hears of a change by a signal, or lists anew once it has a bus again.
func (b *bed) tableIsRight(after []string, want string) {
	b.t.Helper()
	var got status
	begun := time.Now()
	err := b.WaitFor(want, settle, func() bool {
		a := b.ask("root", "GET", "/api/v1/instances/busy", "")
		return a.Status == 200 && json.Unmarshal([]byte(a.Body), &got) == nil && got.Status == want
	})
	took := time.Since(begun)
	truth := b.status("busy")
	if err != nil || got.PID != truth.PID || want == "running" && got.Run != truth.Run {
		b.t.Errorf("after %v the API says %+v, systemd %+v", after, got, truth)
	}
	if took > 2*time.Second {
		b.t.Logf("after %v: right after %v", after, took)
	}
	if other := b.must("GET", "/api/v1/instances/talker", ""); !strings.Contains(other.Body, `"running"`) {
		b.t.Errorf("after %v: %s", after, other.Body)
	}
}

// checkMarks reads what a viewer got. Each connection begins with the last
// lines of the past and goes on in order; together they have every mark.
func (b *bed) checkMarks(file string, last int) {
	b.t.Helper()
	mark := regexp.MustCompile(`mark-(\d+)\.`)
	seen, previous, connections := make([]bool, last+1), 0, 0
	for line := range strings.Lines(b.MustReadFile(file)) {
		if strings.HasPrefix(line, "connected") {
			previous = 0
			connections++
			continue
		}
		if strings.Contains(line, `"skipped"`) || strings.Contains(line, `"kind":"unavailable"`) {
			b.t.Errorf("%s: %s", file, line)
		}
		m := mark.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		n, err := strconv.Atoi(m[1])
		if err != nil || n > last {
			b.t.Fatalf("%s: %s", file, line)
		}
		if previous != 0 && n != previous+1 {
			b.t.Errorf("%s: %d came behind %d in connection %d", file, n, previous, connections)
		}
		previous, seen[n] = n, true
	}
	missing := 0
	for n := 1; n <= last; n++ {
		if !seen[n] {
			missing++
		}
	}
	if missing > 0 {
		b.t.Errorf("%s: %d of %d marks are missing", file, missing, last)
	}
	b.t.Logf("%s: %d marks over %d connections", file, last, connections)
}
