package e2e

import (
	"strings"
	"testing"
	"time"

	"clauster/test/machine"
)

// goldenConfig gives a bridge 8 s to become ready, the figure that
// docs/failures.md names.
const goldenConfig = "user = \"op\"\n[claude]\nstartup_grace_seconds = 8\n"

// MESSAGE_IDs of systemd, sd-messages.h.
const (
	unitProcessExit   = "98e322203f7a4ed290d09fe03c09fe15"
	unitRestartQueued = "5eb03494b6584870a536b337290809b3"
)

// newGoldenBed boots a machine with the configuration of the golden table and
// its own load: a hundred starts at once would disturb the shared one.
func newGoldenBed(t *testing.T) *bed {
	t.Helper()
	b := newMachine(t)
	b.MustWriteFile("/etc/clauster/clauster.toml", goldenConfig, 0o640, "")
	b.MustRun("chown", "root:clauster", "/etc/clauster/clauster.toml")
	return b
}

// patience is how long a row may take: all of them were started together, and
// the last ones have had their time.
func patience(begun time.Time) time.Duration {
	return max(time.Until(begun.Add(time.Minute)), 10*time.Second)
}

// goldenShell begins the script of play.
const goldenShell = `set -e
afterReady() { systemctl start "clauster@$1" && shoot "$1"; }
afterSpawn() {
	until [ -e /run/clauster/spool/"$1"/debug-*.argv.json ]; do sleep 0.1; done
	sleep 0.3
	shoot "$1"
}
shoot() { systemctl kill --kill-who=main --signal=KILL "clauster@$1.service"; }
`

// play starts every row at once and returns when all start jobs are queued and
// what then gives, a shell command for each, has ended.
func (b *bed) play(rows []goldenRow, scale, then func(goldenRow) string) {
	b.t.Helper()
	var s strings.Builder
	s.WriteString(goldenShell + "mkdir -p /home/op/projects\ncd /home/op/projects\n")
	for _, r := range rows {
		s.WriteString("mkdir " + r.name + "\ncat > " + r.name + "/.fakeclaude <<'EOF'\n" + r.config(scale(r)) + "EOF\n")
	}
	s.WriteString("chown -R op: .\n")
	for _, r := range rows {
		s.WriteString("clauster-ctl start --no-wait " + r.flags() + " " + r.name + " 2>/dev/null\n" + then(r) + "\n")
	}
	s.WriteString("wait\n")
	if r, err := b.RunContext(b.t.Context(), machine.Command{Args: []string{"/bin/sh"}, In: strings.NewReader(s.String()), Timeout: 3 * time.Minute}); err != nil || r.Code != 0 {
		b.t.Fatalf("cannot start the rows: %v, exit code %d\n%s", err, r.Code, r.Stderr)
	}
}

// goldenEnd is what became of the first run of an instance.
type goldenEnd struct {
	event    machine.Entry
	exit     string // of the keeper
	again    bool
	state    string // ActiveState
	replaced bool   // a keeper was killed before the end
}

// end reads how the first run of an instance ended, if it has.
func (b *bed) end(instance string) (goldenEnd, bool) {
	b.t.Helper()
	unit := "clauster@" + instance + ".service"
	// The state first: what systemd says of the end is in the journal by then.
	e := goldenEnd{exit: "0", state: b.MustShow(unit, "ActiveState")}
	for _, entry := range b.MustJournal("CLAUSTER_INSTANCE="+instance, "CLAUSTER_EVENT=stop", "CLAUSTER_EVENT=crash", "CLAUSTER_EVENT=error",
		"+", "UNIT="+unit, "MESSAGE_ID="+unitProcessExit, "MESSAGE_ID="+unitRestartQueued) {
		switch {
		case entry.Get("CLAUSTER_EVENT") != "":
			if e.event == nil {
				e.event = entry
			}
		case e.event == nil:
			e.replaced = e.replaced || entry.Get("MESSAGE_ID") == unitRestartQueued
		case entry.Get("MESSAGE_ID") == unitRestartQueued:
			e.again = true
		case e.exit == "0" && entry.Get("COMMAND") == "ExecStart" && entry.Get("EXIT_CODE") == "exited":
			e.exit = entry.Get("EXIT_STATUS")
		}
	}
	return e, e.event != nil && (e.again || e.state == "failed" || e.state == "inactive")
}

// Every row of docs/failures.md, and the rows that live a second time after a
// new keeper has reattached.
func TestGoldenTable(t *testing.T) {
	t.Parallel()
	b := newGoldenBed(t)
	together, alone := apart(goldenRows(t, "gold"))
	b.playTable(together)
	for _, r := range alone {
		b.playTable([]goldenRow{r})
		b.MustSh("rm -rf /home/op/.claude")
	}
}

// apart takes the rows out that change the HOME all rows share.
func apart(rows []goldenRow) (together, alone []goldenRow) {
	for _, r := range rows {
		if _, expires := r.keys["login-expiry"]; expires {
			alone = append(alone, r)
		} else {
			together = append(together, r)
		}
	}
	return together, alone
}

// playTable plays rows and stops them.
func (b *bed) playTable(rows []goldenRow) {
	b.t.Helper()
	b.play(rows, func(goldenRow) string { return "0.05" }, func(goldenRow) string { return "" })
	begun := time.Now()
	var living []goldenRow
	for _, r := range rows {
		if !r.lives() {
			b.checkEnds(r, patience(begun))
		} else if b.checkLives(r, patience(begun)) {
			living = append(living, r)
		}
	}
	b.killKeepers(living)
	begun = time.Now()
	for _, r := range living {
		b.checkLives(r, patience(begun))
	}
	b.checkStops(living)
}

// checkLives waits until a living bridge is what its row says.
func (b *bed) checkLives(r goldenRow, wait time.Duration) bool {
	b.t.Helper()
	var s status
	err := b.WaitFor("the state of "+r.name, wait, func() bool {
		s = b.status(r.name)
		return s.Status == r.status && s.Health == r.health && r.reason.MatchString(s.Reason)
	})
	if err != nil {
		b.t.Errorf("%s: %s %s: %q, want %s %s: %s", r.name, s.Status, s.Health, s.Reason, r.status, r.health, r.reason)
	}
	return err == nil
}

// killKeepers kills the keepers of living bridges and waits for their
// successors.
func (b *bed) killKeepers(rows []goldenRow) {
	b.t.Helper()
	script := "set -e\n"
	for _, r := range rows {
		script += "systemctl kill --kill-who=main --signal=KILL clauster@" + r.name + ".service\n"
	}
	b.MustSh(script)
	for _, r := range rows {
		b.MustWaitFor("the reattached event of "+r.name, settle, func() bool {
			return len(b.MustJournal("CLAUSTER_INSTANCE="+r.name, "CLAUSTER_EVENT=reattached")) == 1
		})
	}
}

// checkEnds waits until a bridge has ended and compares how.
func (b *bed) checkEnds(r goldenRow, wait time.Duration) (e goldenEnd) {
	b.t.Helper()
	err := b.WaitFor("the end of "+r.name, wait, func() (over bool) {
		e, over = b.end(r.name)
		return over
	})
	if err != nil {
		b.t.Errorf("%s: no end, unit %s, events %s", r.name, e.state, b.eventNames(r.name))
		return e
	}
	b.compareEnd(r, e)
	if e.again {
		return e // what is shown while it waits is a test of its own
	}
	if s := b.status(r.name); s.Status != r.status || s.Health != "" || !r.reason.MatchString(s.Reason) {
		b.t.Errorf("%s: status %s %q: %q, want %s: %s", r.name, s.Status, s.Health, s.Reason, r.status, r.reason)
	}
	return e
}

func (b *bed) compareEnd(r goldenRow, e goldenEnd) {
	b.t.Helper()
	if got := e.event.Get("CLAUSTER_STATUS"); got != r.status {
		b.t.Errorf("%s: the event says status %s, want %s", r.name, got, r.status)
	}
	if got := e.event.Get("CLAUSTER_VERDICT"); got != r.word {
		b.t.Errorf("%s: verdict %q, want %q", r.name, got, r.word)
	}
	if got := e.event.Get("CLAUSTER_REASON"); !r.reason.MatchString(got) {
		b.t.Errorf("%s: reason %q, want %q", r.name, got, r.reason)
	}
	if e.exit != r.exit {
		b.t.Errorf("%s: the keeper's exit code is %s, want %s", r.name, e.exit, r.exit)
	}
	if e.again != r.again {
		b.t.Errorf("%s: started again: %v, want %v", r.name, e.again, r.again)
	}
}

// checkStops stops everything and sees each living row end as asked.
func (b *bed) checkStops(rows []goldenRow) {
	b.t.Helper()
	b.MustSh("systemctl stop --no-block 'clauster@*'")
	for _, r := range rows {
		if !r.lives() {
			continue
		}
		var e goldenEnd
		err := b.WaitFor("the stop of "+r.name, time.Minute, func() (over bool) {
			e, over = b.end(r.name)
			return over
		})
		if err != nil || e.event.Get("CLAUSTER_VERDICT") != "asked" || e.exit != "0" || e.again || e.state != "inactive" {
			b.t.Errorf("%s: verdict %q, exit %s, again %v, unit %s, want a stop with exit 0 (%v)", r.name,
				e.event.Get("CLAUSTER_VERDICT"), e.exit, e.again, e.state, err)
		}
	}
}
