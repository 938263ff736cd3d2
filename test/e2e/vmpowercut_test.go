package e2e

import (
	"encoding/json"
	"strings"

	"clauster/test/machine"
)

// cutPoints are the fail points of a launch before or after which something is
// written that outlives the power.
func cutPoints() []string {
	if soak(0, 1) == 1 {
		return []string{"woken", "intended", "prepared", "listening", "gate-forked", "scope-made", "recorded", "saved", "stored",
			"gate-open", "dropped", "serving", "before-spawn", "after-spawn", "ready-saved", "before-ready", "after-ready"}
	}
	return []string{"intended", "recorded", "stored", "gate-open", "before-spawn"}
}

// A machine that loses its power while bridges run, while others are at each
// step of a launch and while trust is being written comes back with all of them
// able to start, and says what became of those that ran.
func vmPowerCut(b *bed) {
	b.installKeeper(build(b.t, "clauster-keeper-failpoints", "./cmd/clauster-keeper", "-tags", "failpoints"))
	b.newProject("vm-on", nil)
	b.newProject("vm-gone", nil)
	b.mustStart("vm-on")
	b.mustStart("vm-gone")
	enabled := []string{"clauster@vm-on"}
	for _, point := range cutPoints() {
		b.newProject("vm-at-"+point, nil)
		enabled = append(enabled, "clauster@vm-at-"+point)
	}
	b.MustRun(append([]string{"systemctl", "enable"}, enabled...)...)
	b.t.Cleanup(func() { b.MustRun(append([]string{"systemctl", "disable", "--now"}, enabled...)...) })
	b.MustSh("mkdir -m 0777 /run/clauster-failpoints")
	for _, point := range cutPoints() {
		b.hangAt("vm-at-"+point, point)
	}
	b.writeUntilTheCut(3)

	b.cutPower()

	for _, unit := range enabled {
		b.MustWaitUnit(unit+".service", "active", vmSettle)
	}
	now := b.listed()
	for _, unit := range enabled {
		instance := strings.TrimPrefix(unit, "clauster@")
		if s := now[instance]; s.Status != "running" || s.Health != "ok" {
			b.t.Errorf("%s after the power cut: %+v", instance, s)
		}
	}
	if s := now["vm-gone"]; s.Status != "crashed" || !strings.Contains(s.Reason, "went down") {
		b.t.Errorf("a bridge that ran and is not enabled: %+v", s)
	}
	b.mustStart("vm-gone")
	for _, instance := range []string{"vm-on", "vm-gone"} {
		b.waitRuns(instance, "spawn ready crash", "spawn ready")
	}
	b.intact()
}

// hangAt starts an instance whose keeper stays at a fail point for good.
func (b *bed) hangAt(instance, point string) {
	b.t.Helper()
	b.MustSh(`printf hang >"/run/clauster-failpoints/$2" && systemctl start --no-block "clauster@$1"`, instance, point)
	b.MustWaitFor(instance+" at its fail point", vmSettle, func() bool {
		return b.result("test", "-e", "/run/clauster-failpoints/"+point).Code != 0
	})
}

// foreign is a ~/.claude.json with what an edit must not touch.
const foreign = `{"numStartups": 12345678901234567890, "userID": "keep", "projects": {"/elsewhere": {"allowedTools": ["x"]}}}`

// writeUntilTheCut has launch records and ~/.claude.json written over and over,
// and returns in the midst of it, with the journal of before on the disk.
func (b *bed) writeUntilTheCut(rounds int) {
	b.t.Helper()
	if b.result("grep", "-q", "userID", "/home/op/.claude.json").Code != 0 {
		b.MustWriteFile("/home/op/.claude.json", foreign, 0o600, "op")
	}
	b.MustSh("journalctl --sync; sync")
	before := b.trusts()
	b.MustStart(machine.Command{Args: []string{"sh", "-c", `
		while :; do
			i=$(date +%s%N)
			mkdir -p /home/op/projects/vm-new-$i && clauster-ctl start --trust vm-new-$i && systemctl stop clauster@vm-new-$i
		done`}})
	b.MustWaitFor("launches with trust", vmSettle, func() bool { return b.trusts() >= before+rounds })
}

func (b *bed) trusts() int {
	b.t.Helper()
	return strings.Count(b.result("cat", "/home/op/.claude.json").Stdout, "hasTrustDialogAccepted")
}

// intact checks the files that were being written when the power went.
func (b *bed) intact() {
	b.t.Helper()
	text := b.MustReadFile("/home/op/.claude.json")
	var config struct {
		UserID      string
		NumStartups json.Number
		Projects    map[string]struct {
			AllowedTools           []string
			HasTrustDialogAccepted bool
		}
	}
	if err := json.Unmarshal([]byte(text), &config); err != nil || config.UserID != "keep" ||
		config.NumStartups != "12345678901234567890" || len(config.Projects["/elsewhere"].AllowedTools) != 1 {
		b.t.Errorf("~/.claude.json after the power cut (%v): %s", err, text)
	}
	if got := b.MustReadFile("/home/op/.claude.json.clauster-backup"); got != foreign {
		b.t.Errorf("its backup: %s", got)
	}
	if r := b.result("clauster-ctl", "list"); r.Code != 0 || strings.Contains(r.Stderr, "record") {
		b.t.Errorf("clauster-ctl list: exit code %d\n%s", r.Code, r.Stderr)
	}
	if key := b.MustReadFile("/var/lib/clauster/session_ref.key"); len(key) != 32 {
		b.t.Errorf("the key of session references has %d bytes", len(key))
	}
	if left := b.MustSh(`ls -A /var/lib/clauster/instances /var/lib/clauster | grep -E '\.tmp$|\.key\.' || true`); left != "" {
		b.t.Errorf("half written: %s", left)
	}
	// The lock of ~/.claude.json may have been held: it is outlived.
	b.newProject("vm-after", nil)
	b.MustRun("clauster-ctl", "start", "--trust", "vm-after")
}

// Power cuts at any moment of launches that write.
func vmPowerCutInWrites(b *bed) {
	for n := range soak(0, 10) {
		b.writeUntilTheCut(1 + n%4)
		b.cutPower()
		b.intact()
		b.stop("vm-after")
	}
}
