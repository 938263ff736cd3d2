package e2e

import (
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"clauster/test/machine"
)

// TestLogViewers: who looks at a log sees each line once and in order, through
// whatever way, while keepers are killed and the API is restarted; and at once,
// although journald tells those who follow it every 250 ms only.
func TestLogViewers(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("seen", map[string]string{"count": "50", "count-to": "debug"})
	b.mustStart("seen")
	for _, kind := range []string{"ws", "sse"} {
		b.MustStart(machine.Command{Args: []string{callerPath, "view", kind, apiSocket, "/api/v1/instances/seen/logs?lines=1000", "/root/seen-" + kind, "stamped"}, Timeout: 2 * time.Hour})
	}
	b.seen("ws", "#00000100")
	b.quick("at first")
	kills := soak(3, 100)
	for range kills {
		keeper := b.keeperPID("seen")
		b.MustKill(keeper, syscall.SIGKILL)
		b.waitReattached("seen", keeper)
	}
	b.quick("after the kills")
	b.MustRun("systemctl", "reload", "clauster@seen")
	b.quick("after the reload")
	b.MustRun("systemctl", "restart", "clauster-api.service")
	b.quick("after the restart")
	b.MustRun("systemctl", "restart", "clauster@seen")
	b.quick("of the next run")
	b.stop("seen")
	var whole []string
	b.MustRun("journalctl", "--sync")
	for _, e := range b.MustJournal("_SYSTEMD_UNIT=clauster@seen.service") {
		if text := e.Get("MESSAGE"); e.Get("CLAUSTER_SOURCE") == "debug" && countedOrProbe(text) {
			whole = append(whole, text)
		}
	}
	b.growingNumbers("seen")
	for _, kind := range []string{"ws", "sse"} {
		b.seen(kind, "stopped: ")
		b.checkViewer(kind, whole)
	}
}

func countedOrProbe(text string) bool {
	return strings.HasPrefix(text, "#0") || strings.HasPrefix(text, "probe ")
}

// seen waits until a viewer's file has a text.
func (b *bed) seen(kind, text string) {
	b.t.Helper()
	b.MustWaitFor(text+" by "+kind, settle, func() bool {
		return b.result("grep", "-q", "--", text, "/root/seen-"+kind).Code == 0
	})
}

// quick measures from a line's writing to its arrival at a viewer. The first
// lines of a new keeper come by the journal: it is what tells of that keeper.
func (b *bed) quick(when string) {
	b.t.Helper()
	file := strings.TrimSpace(b.MustSh(`ls -t /run/clauster/spool/seen/debug-*.log | head -1`))
	const count = 300
	b.MustRunAs("op", callerPath, "probe", file, "40", "10")
	for attempt := 0; ; attempt++ {
		begun := time.Now().UnixMicro()
		b.MustRunAs("op", callerPath, "probe", file, fmt.Sprint(count), "10")
		var ways [2][]time.Duration
		for n, kind := range []string{"ws", "sse"} {
			b.MustWaitFor("the probes", settle, func() bool {
				ways[n] = b.probes(kind, begun)
				return len(ways[n]) >= count
			})
			slices.Sort(ways[n])
		}
		at := func(w []time.Duration, q float64) time.Duration { return w[int(q*float64(len(w)-1))] }
		ws, sse := ways[0], ways[1]
		b.t.Logf("%s, from debug file to viewer: WebSocket p50 %v, p99 %v, SSE p50 %v, p99 %v", when, at(ws, 0.5), at(ws, 0.99), at(sse, 0.5), at(sse, 0.99))
		if at(ws, 0.5) < 50*time.Millisecond && at(sse, 0.5) < 50*time.Millisecond {
			return
		}
		if attempt == 2 {
			b.t.Errorf("%s the viewers are told by the journal alone", when)
			return
		}
	}
}

// probes gives how long the probes written since a time were under way.
func (b *bed) probes(kind string, since int64) (took []time.Duration) {
	b.t.Helper()
	seen := map[int64]bool{} // a viewer that dials again sees them again
	for line := range strings.Lines(b.MustReadFile("/root/seen-" + kind)) {
		arrived, text := sighting(line)
		var written int64
		if n, _ := fmt.Sscanf(text, "probe %d", &written); n == 1 && written >= since && !seen[written] {
			seen[written] = true
			took = append(took, time.Duration(arrived-written)*time.Microsecond)
		}
	}
	return took
}

// sighting takes a line of a viewer's file apart: when it arrived, in Unix
// microseconds, and the text of the log's line.
func sighting(line string) (arrived int64, text string) {
	at, data, _ := strings.Cut(line, " ")
	var l struct{ Text string }
	if json.Unmarshal([]byte(data), &l) != nil {
		return 0, ""
	}
	arrived, _ = strconv.ParseInt(at, 10, 64)
	return arrived, l.Text
}

// growingNumbers checks CLAUSTER_LINE: on each entry of the keepers, and never
// the same or a smaller one in a run.
func (b *bed) growingNumbers(instance string) {
	b.t.Helper()
	last, entries := map[string]uint64{}, 0
	for _, e := range b.MustJournal("_SYSTEMD_UNIT=clauster@" + instance + ".service") {
		if e.Get("SYSLOG_IDENTIFIER") != "clauster-keeper" || e.Get("CLAUSTER_INSTANCE") == "" {
			continue // stderr
		}
		var n uint64
		if _, err := fmt.Sscan(e.Get("CLAUSTER_LINE"), &n); err != nil || n <= last[e.Get("CLAUSTER_RUN")] {
			b.t.Errorf("number %q follows %d: %s", e.Get("CLAUSTER_LINE"), last[e.Get("CLAUSTER_RUN")], e.Get("MESSAGE"))
		}
		last[e.Get("CLAUSTER_RUN")] = n
		entries++
	}
	if entries < 100 {
		b.t.Errorf("only %d entries of keepers", entries)
	}
}

// checkViewer compares what a viewer saw with the journal: each connection a
// part of it without a hole, a double or a change of order, each beginning
// where the one before it ended, and all of them together everything.
func (b *bed) checkViewer(kind string, whole []string) {
	b.t.Helper()
	covered, dials := 0, 0
	for part := range strings.SplitSeq(b.MustReadFile("/root/seen-"+kind), " connected\n") {
		var got []string
		for line := range strings.Lines(part) {
			if _, text := sighting(line); countedOrProbe(text) {
				got = append(got, text)
			}
		}
		if len(got) == 0 {
			continue
		}
		dials++
		from := -1
		for k := range whole {
			if whole[k] == got[0] && k+len(got) <= len(whole) && slices.Equal(whole[k:k+len(got)], got) {
				from = k
			}
		}
		switch {
		case from < 0:
			b.t.Errorf("%s: connection %d, %d lines from %q to %q, is no part of the journal%s", kind, dials, len(got), got[0], got[len(got)-1], firstOff(whole, got))
		case from > covered && dials > 1:
			b.t.Errorf("%s: %d lines before connection %d were never shown", kind, from-covered, dials)
		case from < covered:
			b.t.Errorf("%s: %d lines were shown again by connection %d", kind, covered-from, dials)
		}
		covered = max(covered, from+len(got))
	}
	if covered != len(whole) || dials < 2 {
		b.t.Errorf("%s: %d of %d lines in %d connections", kind, covered, len(whole), dials)
	}
	b.t.Logf("%s: %d lines of the journal in %d connections", kind, len(whole), dials)
}

// firstOff shows where a connection leaves the journal's order.
func firstOff(whole, got []string) string {
	at := slices.Index(whole, got[0])
	if at < 0 {
		return ""
	}
	for n := range got {
		if at+n >= len(whole) || whole[at+n] != got[n] {
			return fmt.Sprintf(": behind %q comes %q, in the journal %q", got[max(0, n-1)], got[n:min(n+4, len(got))], whole[min(at+n, len(whole)):min(at+n+4, len(whole))])
		}
	}
	return ""
}
