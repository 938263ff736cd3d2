package e2e

import (
	"strings"
	"syscall"
	"testing"

	"clauster/test/machine"
)

// forge is a machine on which keepers of several kinds are put in place of one
// another.
type forge struct {
	*constant
	next string // host path of a keeper of the next state version
}

// put installs a kind of keeper: the packaged one, the next release's, or a
// broken one.
func (f *forge) put(kind string) {
	f.t.Helper()
	const place = `mv "$1.new" "$1"`
	switch kind {
	case "packaged":
		f.MustSh(`cp -p "$1.packaged" "$1.new"; `+place, keeperPath)
	case "next":
		f.installKeeper(f.next)
	case "garbage":
		f.MustSh(`echo "not a program" >"$1.new"; chmod 0711 "$1.new"; `+place, keeperPath)
	case "missing":
		f.MustSh(`rm "$1"`, keeperPath)
	case "refusing":
		f.MustSh(`printf '#!/bin/sh\necho "error: cannot work here" >&2\nexit 1\n' >"$1.new"; chmod 0755 "$1.new"; `+place, keeperPath)
	case "hanging":
		f.MustSh(`printf '#!/bin/sh\nexec sleep 1000\n' >"$1.new"; chmod 0755 "$1.new"; `+place, keeperPath)
	case "writable":
		f.MustSh(`cp -p "$1.packaged" "$1.new"; chmod 0777 "$1.new"; `+place, keeperPath)
	}
}

// reload asks as systemd would, and where the installed program cannot even
// ask, with the packaged one: then it is the running keeper that has to notice.
func (f *forge) reload(kind string) (code int, said string) {
	f.t.Helper()
	var r machine.Result
	if kind != "hanging" {
		r = f.result("systemctl", "reload", "clauster@"+f.instance)
	}
	if r.Code != 0 || kind == "hanging" {
		r = f.result(keeperPath+".packaged", "reload", f.instance)
	}
	return r.Code, r.Stderr
}

// A reload replaces the keeper's program under the same PID, and a program that
// would not do is refused by the one that runs.
func TestReload(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.needRecorder()
	b.MustSh(`cp -p "$1" "$1.packaged"`, keeperPath)
	next := build(t, "clauster-keeper-next", "./cmd/clauster-keeper", "-tags", "nextstate", "-ldflags", "-X main.version=9.9.9")
	c := b.constantBridge("reload")
	keeper := b.keeperPID("reload")
	for _, step := range []struct {
		kind  string
		taken bool // the program that runs from now on
	}{
		{"packaged", true}, {"garbage", false}, {"refusing", false}, {"missing", false}, {"writable", false}, {"hanging", false},
		{"packaged", true},
		{"next", true}, {"packaged", false}, // a newer state is not for an older program
		{"next", true},
	} {
		t.Run(step.kind, func(t *testing.T) {
			b := &bed{b.With(t), t}
			f := &forge{&constant{b, c.instance, c.was, nil}, next}
			before := b.keeperVersion(c.instance)
			f.put(step.kind)
			code, said := f.reload(step.kind)
			if (code == 0) != step.taken {
				t.Errorf("systemctl reload: exit code %d: %s", code, said)
			}
			f.check("the reload")
			if now := b.keeperPID(c.instance); now != keeper {
				t.Errorf("keeper %d became %d", keeper, now)
			}
			want := before
			if step.taken {
				want = map[string]string{"packaged": "0.1.0", "next": "9.9.9"}[step.kind]
			}
			if got := b.keeperVersion(c.instance); got != want {
				t.Errorf("version %s serves, want %s", got, want)
			}
		})
	}
	for range soak(5, 100) {
		b.MustRun("systemctl", "reload", "clauster@reload")
	}
	f := &forge{c, next}
	// A newer state and an older program, and no keeper left to choose: the
	// bridge is taken over all the same.
	f.put("packaged")
	b.MustKill(keeper, syscall.SIGKILL)
	c.check("the keeper's end")
	b.waitReattached("reload", keeper)
	if got := b.keeperVersion("reload"); got != "0.1.0" {
		t.Errorf("version %s serves", got)
	}
	// No program at all: systemd tries until there is one again.
	f.put("garbage")
	old := b.keeperPID("reload")
	b.MustKill(old, syscall.SIGKILL)
	b.MustWaitFor("vain restarts", settle, func() bool { return len(b.MustShow("clauster@reload.service", "NRestarts")) > 1 })
	f.put("packaged")
	b.waitReattached("reload", old)
	c.end(2)
	b.nothingLeft("reload")
}

// keeperVersion asks the keeper itself.
func (b *bed) keeperVersion(instance string) string {
	b.t.Helper()
	text := b.MustRun("clauster-ctl", "status", instance, "--json")
	_, rest, _ := strings.Cut(text, `"keeper_version": "`)
	version, _, _ := strings.Cut(rest, `"`)
	return version
}

// A reload while somebody looks on, and while the keeper is busy stopping.
func TestReloadAtTheWrongMoment(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.newProject("re-wrong", map[string]string{"exits-after": "10", "slow-ready": "20"}) // 500 ms, 1 s
	unit := "clauster@re-wrong.service"
	b.MustRun("systemctl", "start", "--no-block", unit)
	b.MustWaitUnit(unit, "activating/start", settle)
	_ = b.result("systemctl", "try-reload-or-restart", "--no-block", unit) // queued behind the start
	b.MustWaitUnit(unit, "active", settle)
	b.MustRun("systemctl", "stop", "--no-block", unit)
	_ = b.result("systemctl", "kill", "--kill-who=main", "--signal=HUP", unit)
	b.MustWaitUnit(unit, "inactive", settle)
	b.waitRuns("re-wrong", "spawn ready stop")
}
