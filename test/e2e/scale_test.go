package e2e

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"testing"
	"time"

	"clauster/test/machine"
)

// Many instances started, bereft of their keepers and stopped at once, with as
// few inotify instances as a host has that nobody has tuned: all end where they
// should.
func TestManyInstances(t *testing.T) {
	// A uid of its own: the kernel counts inotify instances by uid over all
	// machines of the host, and other tests' users need theirs.
	b := furnished(t, machine.Start(t, machine.Options{Users: []machine.User{{Name: "op", UID: 4711}}}))
	n := soak(40, 300)
	const hoarder = "/usr/local/bin/hoarder"
	if err := b.CopyIn(build(t, "hoarder", "./test/e2e/hoarder"), hoarder, ""); err != nil {
		t.Fatal(err)
	}
	hold := b.MustStart(machine.Command{Args: []string{hoarder, strconv.Itoa(n * 128 / 300)}, User: "op", Timeout: time.Hour})
	if err := hold.WaitOutput(settle, func(out string) bool { return strings.Contains(out, "held") }); err != nil {
		t.Fatal(err)
	}
	const names = `seq -f 'clauster@many-%03g' "$1" "$2"`
	b.MustSh(`for i in $(seq -f %03g "$1"); do mkdir -p /home/op/projects/many-$i; done; chown -R op:op /home/op/projects`, strconv.Itoa(n))

	at := soak(20, 100)
	took := b.timed(`systemctl start $(`+names+`)`, 1, at)
	first := b.pss()
	took += b.timed(`systemctl start $(`+names+`)`, at+1, n)
	all := b.pss()
	t.Logf("%d instances started in %v; keeper and reaper together, PSS each: %.2f MB at %d, %.2f MB at %d",
		n, took.Round(time.Millisecond), first/float64(at), at, all/float64(n), n)
	if all/float64(n) > 4 {
		t.Errorf("ours take %.2f MB each", all/float64(n))
	}
	before := b.allRunning(n)

	b.timed(`systemctl kill --kill-who=main --signal=KILL $(`+names+`)`, 1, n)
	b.MustWaitFor("all keepers again", 5*settle, func() bool {
		return strings.Count(b.result("systemctl", "list-units", "--plain", "--no-legend", "--state=active", "clauster@many-*").Stdout, "\n") == n &&
			strings.Count(b.MustSh("journalctl -o cat --output-fields=CLAUSTER_EVENT CLAUSTER_EVENT=reattached"), "\n") >= n
	})
	after := b.allRunning(n)
	for name, pid := range before {
		if after[name] != pid {
			t.Errorf("bridge %s was process %d and is %d", name, pid, after[name])
		}
	}
	took = b.timed(`systemctl stop $(`+names+`)`, 1, n)
	t.Logf("%d instances stopped in %v", n, took.Round(time.Millisecond))
	b.nothingLeft("many-*")
	b.checkMany(n)
}

// timed runs a script over instances FROM to TO, which must succeed.
func (b *bed) timed(script string, from, to int) time.Duration {
	b.t.Helper()
	begun := time.Now()
	r, err := b.RunContext(b.t.Context(), machine.Command{Args: []string{"sh", "-c", script, "sh", strconv.Itoa(from), strconv.Itoa(to)}, Timeout: 10 * time.Minute})
	if err != nil || r.Code != 0 {
		b.t.Errorf("%s: exit code %d, %v\n%.2000s", script, r.Code, err, r.Stderr)
	}
	return time.Since(begun)
}

// pss sums the proportional memory of all keepers and reapers, in MB.
func (b *bed) pss() float64 {
	b.t.Helper()
	kib, err := strconv.Atoi(strings.TrimSpace(b.MustSh(
		`for p in $(pgrep -x clauster-keeper); do cat /proc/$p/smaps_rollup; done 2>/dev/null | awk '/^Pss:/ { n += $2 } END { print n }'`)))
	if err != nil {
		b.t.Fatal(err)
	}
	return float64(kib) / 1024
}

// allRunning checks what clauster-ctl says of all, and gives the bridges' PIDs.
func (b *bed) allRunning(n int) map[string]int {
	b.t.Helper()
	var list []status
	if err := json.Unmarshal([]byte(b.MustRun("clauster-ctl", "list", "--json")), &list); err != nil {
		b.t.Fatal(err)
	}
	pids := map[string]int{}
	for _, s := range list {
		if s.Status != "running" || s.Health != "ok" {
			b.t.Errorf("%s is %s, %s: %s", s.Instance, s.Status, s.Health, s.Reason)
			continue
		}
		pids[s.Instance] = s.PID
	}
	if len(pids) != n {
		b.t.Errorf("%d of %d run", len(pids), n)
	}
	return pids
}

// checkMany compares the events of all instances, read in one go.
func (b *bed) checkMany(n int) {
	b.t.Helper()
	b.MustRun("journalctl", "--sync")
	lives, polling := map[string]string{}, 0
	for _, e := range b.MustJournal("CLAUSTER_SCHEMA=1") {
		switch name := e.Get("CLAUSTER_EVENT"); name {
		case "warning":
			if strings.Contains(e.Get("MESSAGE"), "inotify") {
				polling++
				continue
			}
			b.t.Errorf("%s: %s", e.Get("CLAUSTER_INSTANCE"), e.Get("MESSAGE"))
		case "requested":
		default:
			lives[e.Get("CLAUSTER_INSTANCE")] += name + " "
			if got := e.Get("_SYSTEMD_UNIT"); got != "clauster@"+e.Get("CLAUSTER_INSTANCE")+".service" {
				b.t.Errorf("journald ascribes %s of %s to %q", name, e.Get("CLAUSTER_INSTANCE"), got)
			}
		}
	}
	for i := range n {
		name := fmt.Sprintf("many-%03d", i+1)
		if lives[name] != "spawn ready reattached stop " {
			b.t.Errorf("%s: %s", name, lives[name])
		}
	}
	b.t.Logf("%d warnings of keepers without inotify", polling)
	if polling == 0 {
		b.t.Errorf("no keeper said that it has no inotify instance")
	}
}
