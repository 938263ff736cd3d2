package e2e

import (
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"clauster/test/machine"
)

// What a boot means for the API: a crash before anybody has connected reaches
// its webhook, and the store and the journal tell the same story after a
// shutdown and after power cuts. A VM of its own: the events of TestVM's other
// parts would cost each page of the history a second.
func TestVMAPI(t *testing.T) {
	if testing.Short() {
		t.Skip("boots a VM several times")
	}
	t.Parallel()
	b := bootVM(t)
	b.needCaller()
	b.MustSh(`sed -i '/^\[projects/,$d' /etc/clauster/clauster.toml; printf '%s' "$1" >>/etc/clauster/clauster.toml
cat >/etc/systemd/system/sink.service <<'END'
[Service]
ExecStart=/usr/local/bin/caller sink 127.0.0.1:9001 /root/hooks
[Install]
WantedBy=multi-user.target
END
systemctl daemon-reload
systemctl enable --now sink clauster-api.socket clauster-wake.socket`, webhooks)
	for _, part := range []struct {
		name string
		test func(*bed)
	}{
		{"reboot", vmAPIReboot}, {"power cut in an ingest", vmAPICutIngest}, {"power cut in a migration", vmAPICutMigration},
	} {
		if !t.Run(part.name, func(t *testing.T) { part.test(&bed{b.With(t), t}) }) {
			return
		}
	}
}

// A bridge that dies right after the boot, with nobody there but the wake
// socket; and the stops of a shutdown, some of them after the API's own.
func vmAPIReboot(b *bed) {
	names := []string{"vm-hook", "vm-last", "vm-late"}
	for _, name := range names {
		b.newProject(name, nil)
		b.mustStart(name)
	}
	b.MustRun("systemctl", "enable", "clauster@vm-hook")
	b.t.Cleanup(func() { b.MustRun("systemctl", "disable", "clauster@vm-hook") })
	b.must("GET", "/healthz", "") // the store is made: what is older is not delivered
	b.MustSh(`rm -f /root/hooks`)

	b.reboot()

	b.MustWaitUnit("clauster@vm-hook.service", "active", vmSettle)
	killed := time.Now()
	b.MustRun("systemctl", "kill", "--signal=KILL", "clauster-bridge-vm-hook.scope")
	var crash delivered
	b.MustWaitFor("the webhook of a crash", vmSettle, func() bool {
		for _, d := range b.received("/root/hooks") {
			if strings.Contains(d.Body, `"event":"crash"`) {
				crash = d
			}
		}
		return crash.Body != ""
	})
	b.t.Logf("kill → webhook: %s", time.Since(killed).Round(time.Millisecond))
	if !strings.Contains(crash.Body, `"project":"vm-hook"`) {
		b.t.Errorf("webhook: %s", crash.Body)
	}
	for _, name := range names {
		if at := b.eventNames(name); !strings.Contains(at, "stop") {
			b.t.Errorf("no stop of %s at the shutdown in the journal: %s", name, at)
		}
	}
	if kinds := b.storeAgrees(false); !slices.Contains(kinds, "stop") || slices.Contains(kinds, "gap") {
		b.t.Errorf("kinds in the store: %v", kinds)
	}
	// A shutdown is told, too: now, or before it.
	for _, name := range names {
		told := 0
		for _, d := range b.received("/root/hooks") {
			if strings.Contains(d.Body, `"event":"stop","project":"`+name+`"`) {
				told++
			}
		}
		if told != 1 {
			b.t.Errorf("%d webhooks of the stop of %s at the shutdown", told, name)
		}
	}
}

// stored are the ids and kinds in the store, newest first.
func (b *bed) stored() (ids, kinds []string) {
	b.t.Helper()
	for before := ""; ; {
		var page struct {
			Events []struct{ ID, Kind string }
			Next   string
		}
		b.must("GET", "/api/v1/events?limit=500"+before, "").into(b.t, &page)
		for _, e := range page.Events {
			ids, kinds = append(ids, e.ID), append(kinds, e.Kind)
		}
		if page.Next == "" {
			return ids, kinds
		}
		before = "&before=" + page.Next
	}
}

// storeAgrees waits until the store has every event of the journal, and checks
// that it has none twice and none that the journal never had; those may be
// there that a power cut took from the journal.
func (b *bed) storeAgrees(cut bool) (kinds []string) {
	b.t.Helper()
	var missing, ids []string
	var has map[string]bool
	err := b.WaitFor("every event in the store", vmSettle, func() bool {
		has, missing = map[string]bool{}, nil
		for _, e := range b.MustJournal("CLAUSTER_SCHEMA=1") {
			if e.Get("CLAUSTER_EVENT_ID") != "" {
				has[e.Get("CLAUSTER_EVENT_ID")] = true
			}
		}
		ids, kinds = b.stored()
		for id := range has {
			if !slices.Contains(ids, id) {
				missing = append(missing, id)
			}
		}
		return len(missing) == 0
	})
	if err != nil {
		b.t.Errorf("%d of %d events of the journal are not in the store: %v", len(missing), len(has), missing)
	}
	seen := map[string]int{}
	more := 0
	for n, id := range ids {
		if seen[id]++; seen[id] == 2 {
			b.t.Errorf("the store has %s twice", id)
		}
		if !has[id] && kinds[n] != "gap" {
			more++
		}
	}
	if more > 0 && !cut {
		b.t.Errorf("the store has %d events that the journal never had", more)
	}
	b.t.Logf("%d events in the journal, %d in the store, %d only there, %d gaps", len(has), len(ids), more, strings.Count(strings.Join(kinds, " "), "gap"))
	return kinds
}

// checkStore reads the whole database.
func (b *bed) checkStore() {
	b.t.Helper()
	if r := b.result("clauster-ctl", "store", "check"); r.Code != 0 {
		b.t.Errorf("store check: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}

// The power goes while events are written to the journal and taken in.
func vmAPICutIngest(b *bed) {
	for n := range soak(1, 10) {
		name := "vm-cut-" + strconv.Itoa(n)
		b.newProject(name, nil)
		b.must("GET", "/healthz", "")
		b.MustStart(machine.Command{Args: []string{"sh", "-c", `while :; do systemctl start "clauster@$1"; systemctl stop "clauster@$1"; done`, "sh", name}})
		b.MustWaitFor("events under way", vmSettle, func() bool { return strings.Count(b.eventNames(name), "stop") > n })
		b.cutPower()
		b.storeAgrees(true)
		b.checkStore()
	}
}

// The power goes while the database is made: the one migration there is.
func vmAPICutMigration(b *bed) {
	for range soak(1, 10) {
		b.MustRun("systemctl", "stop", "clauster-api.service")
		b.MustSh(`rm -f "$1" "$1"-wal "$1"-shm; sync`, database)
		b.MustRun("systemctl", "start", "--no-block", "clauster-api.service")
		b.MustSh(`until test -e "$1"; do :; done`, database)
		b.cutPower()
		if r := b.result("sh", "-c", `ls -l /var/lib/clauster/api`); r.Code == 0 {
			b.t.Logf("left by the cut:\n%s", r.Stdout)
		}
		b.storeAgrees(true)
		b.checkStore()
	}
}
