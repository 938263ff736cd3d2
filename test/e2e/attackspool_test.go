package e2e

import (
	"strings"
	"syscall"
	"testing"

	"clauster/test/machine"
)

// TestAgentPlantsInSpool: the spool is the agent's own directory. Whatever it
// puts there, the keeper reads no other file for it, root removes nothing else
// for it, and the bridge starts and stops as ever.
func TestAgentPlantsInSpool(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	const secret = "a line that only a followed link brings into the journal"
	b.MustWriteFile("/home/op/secret", secret+"\n", 0o600, "op")
	b.MustWriteFile("/srv/kept/file", "kept\n", 0o666, "op")
	for name, script := range map[string]string{
		"attack-link":    `rm "$1"/debug-*; for f in $2; do ln -s /home/op/secret "$1/$f"; done`,
		"attack-hard":    `rm "$1"/debug-*; for f in $2; do ln /home/op/secret "$1/$f"; done`,
		"attack-fifo":    `rm "$1"/debug-*; for f in $2; do mkfifo "$1/$f"; done`,
		"attack-dir":     `rm "$1"/debug-*; for f in $2; do mkdir "$1/$f"; done`,
		"attack-empty":   `rm -rf "$1"/*`,
		"attack-noperm":  `chmod 0 "$1"/debug-*; chmod 0 "$1"`,
		"attack-outside": `ln -s /srv/kept "$1/kept"; ln -s / "$1/slash"; mkdir "$1/d"; ln -s /srv/kept "$1/d/kept"`,
		"attack-deep":    `mkdir -p "$1/$(printf "d/%.0s" $(seq 2000))"`,
		"attack-many":    `cd "$1"; i=0; while [ $i -lt 3000 ]; do : >f$i; i=$((i+1)); done`,
	} {
		t.Run(name, func(t *testing.T) {
			b := onShared(t)
			b.newAttack(name, waiting(name, script), nil)
			b.mustStart(name)
			keeper, spool := b.keeperPID(name), "/run/clauster/spool/"+name
			b.letGo(name, spool, strings.TrimSpace(b.MustSh(`ls "$1"`, spool)))
			b.attackDone(name, settle)
			b.MustKill(keeper, syscall.SIGKILL) // its successor finds the plant
			b.waitReattached(name, keeper)
			if s := b.status(name); s.Status != "running" {
				t.Errorf("status: %+v", s)
			}
			b.stop(name)
			if got := b.MustShow("clauster@"+name+".service", "Result"); got != "success" {
				t.Errorf("after stop Result=%s", got)
			}
			if r := b.result("test", "-e", spool); r.Code == 0 {
				t.Errorf("the spool is left: %s", b.result("ls", "-la", spool).Stdout)
			}
			b.mustStart(name)
			b.stop(name)
		})
	}
	if got := b.MustReadFile("/srv/kept/file"); got != "kept\n" {
		t.Errorf("a file outside of the spool: %q", got)
	}
	for _, e := range b.MustJournal("SYSLOG_IDENTIFIER=clauster-keeper") {
		if strings.Contains(e.Get("MESSAGE"), secret) {
			t.Errorf("the journal has the content of a linked file, from %s", e.Get("_SYSTEMD_UNIT"))
		}
	}
}

// TestAgentHoardsInotify: the kernel's inotify instances are per uid, so an
// agent can take them all. A keeper without one says so once and follows the
// debug file all the same.
func TestAgentHoardsInotify(t *testing.T) {
	b := onShared(t)
	b.needAttacker()
	const hoarder, poor = "attack-hoard", "attack-poor"
	stop := "/home/op/projects/" + hoarder + "/stop"
	b.newAttack(hoarder, "attacker hoard "+stop, nil)
	b.mustStart(hoarder)
	b.MustWaitFor("the hoarder", settle, func() bool { return b.result("test", "-e", stop+".full").Code == 0 })
	b.newProject(poor, map[string]string{"crash-after": "20:3"})
	b.mustStart(poor)
	b.MustSh(`echo "2026-11-22T00:00:00.000Z [INFO] a line after the hoard" >>"$(ls /run/clauster/spool/$1/debug-*.log)"`, poor)
	b.MustWaitJournal("a line of a keeper without inotify", func(e machine.Entry) bool {
		return strings.Contains(e.Get("MESSAGE"), "a line after the hoard")
	}, "_SYSTEMD_UNIT=clauster@"+poor+".service")
	said := 0
	for _, e := range b.events(poor) {
		if e.Get("CLAUSTER_EVENT") == "warning" && strings.Contains(e.Get("MESSAGE"), "inotify") {
			said++
		}
	}
	if said != 1 {
		t.Errorf("%d warnings name inotify, want 1", said)
	}
	b.MustWriteFile(stop, "", 0o644, "op")
	b.stop(poor)
	b.stop(hoarder)
}
