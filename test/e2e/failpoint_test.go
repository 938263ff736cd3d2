package e2e

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"clauster/test/machine"
)

// phase tells when a fail point is reached, and what must have become of the
// run of the bridge.
type phase int

const (
	unlaunched phase = iota // killed before the gate opened: another run starts
	launched                // in a launch, after it: the bridge stays
	reattach                // while taking over
	reload                  // while re-executing
	stopping                // while stopping on request
	crashing                // while reporting a crash
	failing                 // while reporting an error before ready
	settling                // while reporting the end of a bridge that died without a keeper
	delaying                // while waiting out a delay
)

// failPoints is where a keeper can be killed, by name (pkg/keeper). The
// project's stand-in gets the second value as keys.
func failPoints() map[string]struct {
	phase phase
	keys  string
} {
	type point = struct {
		phase phase
		keys  string
	}
	hang := "hang-on-sigterm=1" // ignores INT and TERM: the ladder's last rung
	return map[string]point{
		"woken": {unlaunched, ""}, "intending": {unlaunched, ""}, "intended": {unlaunched, ""}, "prepared": {unlaunched, ""}, "listening": {unlaunched, ""},
		"gate-forked": {unlaunched, ""}, "scope-made": {unlaunched, ""}, "recorded": {unlaunched, ""}, "saved": {unlaunched, ""},
		"stored": {unlaunched, ""},

		"gate-open": {launched, ""}, "dropped": {launched, ""}, "serving": {launched, ""}, "before-spawn": {launched, ""},
		"after-spawn": {launched, ""}, "ready-saved": {launched, ""}, "before-ready": {launched, ""}, "after-ready": {launched, ""},

		"reattaching": {reattach, ""}, "reattached": {reattach, ""},

		"reload-checked": {reload, ""}, "reload-exec": {reload, ""}, "reload-answering": {reload, ""},

		"asked": {stopping, ""}, "rung-sigint": {stopping, ""}, "rung-sigcont": {stopping, ""}, "rung-sigterm": {stopping, hang},
		"rung-sigkill": {stopping, hang}, "bridge-gone": {stopping, ""}, "drained": {stopping, ""}, "before-stop": {stopping, ""},
		"after-stop": {stopping, ""}, "before-unstore": {stopping, ""}, "unstored": {stopping, ""}, "closed": {stopping, ""},

		"before-crash": {crashing, ""}, "after-crash": {crashing, ""},
		"before-error": {failing, "exit=3"}, "after-error": {failing, "exit=3"},
		"settling": {settling, ""}, "delaying": {delaying, ""},
	}
}

// Every fail point of the source is in the table, and nothing else.
func TestFailPointsAreAllTested(t *testing.T) {
	root, err := machine.RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	files, _ := filepath.Glob(filepath.Join(root, "pkg/keeper/*.go")) // the pattern is well-formed
	expand := map[string][]string{
		"before-": {"spawn", "ready", "stop", "crash", "error"}, "after-": {"spawn", "ready", "stop", "crash", "error"},
		"rung-": {"sigint", "sigcont", "sigterm", "sigkill"},
	}
	var names []string
	for _, f := range files {
		text, err := os.ReadFile(f)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`\bfailpoint\("([a-z-]+)"`).FindAllStringSubmatch(string(text), -1) {
			if more, partial := expand[m[1]]; partial {
				for _, end := range more {
					names = append(names, m[1]+end)
				}
				continue
			}
			names = append(names, m[1])
		}
	}
	var tested []string
	for name := range failPoints() {
		tested = append(tested, name)
	}
	slices.Sort(names)
	slices.Sort(tested)
	if !slices.Equal(names, tested) {
		t.Errorf("in the source: %v\ntested: %v", names, tested)
	}
}

// A keeper killed at each named step costs nothing: the bridge goes on if there
// was one, the next start works, each event is there once.
func TestFailPoints(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.needRecorder()
	b.installKeeper(build(t, "clauster-keeper-failpoints", "./cmd/clauster-keeper", "-tags", "failpoints"))
	b.MustSh("mkdir -m 0777 /run/clauster-failpoints")
	var names []string
	for name := range failPoints() {
		names = append(names, name)
	}
	slices.Sort(names)
	for i, name := range names {
		t.Run(name, func(t *testing.T) {
			b := &bed{b.With(t), t}
			p := failPoints()[name]
			keys := map[string]string{"count": "500"}
			if k, v, found := strings.Cut(p.keys, "="); found {
				keys[k] = v
			}
			d := &deadly{bed: b, point: name, instance: "fp-" + name, how: []string{"", "panic"}[i%2]}
			b.newProject(d.instance, keys)
			d.run(p.phase)
			if got := strings.TrimSpace(b.MustSh("ls /run/clauster-failpoints")); got != "" {
				t.Errorf("the keeper did not come past %s", got)
			}
			b.MustSh("rm -f /run/clauster-failpoints/*")
			b.nothingLeft(d.instance)
		})
	}
}

// deadly is one fail point's test.
type deadly struct {
	*bed
	point, instance string
	how             string // "" for SIGKILL, or "panic"
}

func (d *deadly) arm(points ...string) {
	for _, p := range points {
		d.MustSh(`printf "$2" >"/run/clauster-failpoints/$1"`, p, d.how)
	}
}

func (d *deadly) run(p phase) {
	d.t.Helper()
	switch p {
	case unlaunched, launched:
		d.launch(p)
	case reattach:
		d.living(d.point, func() { d.shootKeeper(d.instance) })
	case reload:
		d.living(d.point, func() { _ = d.result("systemctl", "reload", "clauster@"+d.instance) })
	case stopping:
		d.mustStart(d.instance)
		d.arm(d.point)
		d.stop(d.instance)
		if got := d.MustShow("clauster@"+d.instance+".service", "ActiveState"); got != "inactive" {
			d.t.Errorf("the stopped unit is %s", got)
		}
		d.MustWriteFile("/home/op/projects/"+d.instance+"/.fakeclaude", "", 0o644, "op") // the next stop is quick
		d.again("spawn ready stop")
	case crashing:
		d.mustStart(d.instance)
		d.arm(d.point)
		d.crash("spawn ready crash")
	case failing:
		d.arm(d.point)
		_ = d.start(d.instance)
		d.MustWaitUnit("clauster@"+d.instance+".service", "failed", settle)
		d.waitRuns(d.instance, "spawn error")
		d.MustRun("systemctl", "reset-failed", "clauster@"+d.instance)
	case settling:
		d.mustStart(d.instance)
		d.arm("reattaching", d.point) // one keeper dies, and the bridge with it
		d.MustSh(`kill -KILL "$1" "$2"`, strconv.Itoa(d.keeperPID(d.instance)), d.bridgePIDs(d.instance)[0])
		d.MustSh("rm -f /run/clauster-failpoints/reattaching")
		d.next("spawn ready crash")
	case delaying:
		d.mustStart(d.instance)
		d.arm(d.point)
		d.crash("spawn ready crash")
	}
}

// launch kills the keeper in a start that was asked for with a name.
func (d *deadly) launch(p phase) {
	d.t.Helper()
	var runs []string
	if p == unlaunched { // there is a conversation that must not be continued instead
		d.mustStart(d.instance)
		d.stop(d.instance)
		runs = append(runs, "spawn ready stop")
	}
	d.arm(d.point)
	_ = d.result("clauster-ctl", "start", "--name", "A chosen name", d.instance) // systemd calls a start failed whose keeper dies
	d.MustWaitUnit("clauster@"+d.instance+".service", "active", settle)
	if got := d.status(d.instance).Label; got != "A chosen name" {
		d.t.Errorf("the next keeper launched it as %q", got)
	}
	if got := d.countEvents(d.instance, "reattached"); p == launched && got != 1 || p == unlaunched && got != 0 {
		d.t.Errorf("%d reattached events", got)
	}
	r := d.record(d.instance).attached()
	d.stop(d.instance)
	r.finish(1)
	d.again(append(runs, "spawn ready stop")...)
}

// living does something to a running bridge's keeper, which dies of it.
func (d *deadly) living(point string, f func()) {
	d.t.Helper()
	d.mustStart(d.instance)
	r := d.record(d.instance).attached()
	before, keeper := d.status(d.instance), d.keeperPID(d.instance)
	d.arm(point)
	f()
	d.waitReattached(d.instance, keeper)
	if now := d.status(d.instance); now.PID != before.PID || now.Run != before.Run || now.Status != "running" {
		d.t.Errorf("the bridge was %+v and is %+v", before, now)
	}
	d.stop(d.instance)
	r.finish(1)
	d.again("spawn ready stop")
}

// crash kills the bridge; its keeper dies telling it.
func (d *deadly) crash(first string) {
	d.t.Helper()
	d.MustKill(d.status(d.instance).PID, syscall.SIGKILL)
	d.next(first)
}

// next waits for the bridge's next run, started by systemd.
func (d *deadly) next(first string) {
	d.t.Helper()
	d.waitRuns(d.instance, first, "spawn ready")
	d.MustWaitUnit("clauster@"+d.instance+".service", "active", settle)
	d.stop(d.instance)
	d.waitRuns(d.instance, first, "spawn ready stop")
}

// again sees that the runs were as wanted, and that the next start works.
func (d *deadly) again(runs ...string) {
	d.t.Helper()
	d.waitRuns(d.instance, runs...)
	d.mustStart(d.instance)
	d.stop(d.instance)
	d.waitRuns(d.instance, append(runs, "spawn ready stop")...)
}
