package e2e

import (
	"slices"
	"strings"
	"testing"
	"time"
)

// Every row of docs/failures.md that ends, with its keeper killed while the
// bridge was starting, or serving: whoever looks at the end, the verdict is the
// same. (The rows that live are in TestGoldenTable.)
func TestGoldenTableReattached(t *testing.T) {
	t.Parallel()
	b := newGoldenBed(t)
	together, alone := apart(goldenRows(t, "regold"))
	b.playReattached(together)
	for _, r := range alone {
		b.playReattached([]goldenRow{r})
		b.MustSh("rm -rf /home/op/.claude")
	}
}

// slowed gives a row's bridge a life of some seconds before it ends, so that
// there is a keeper to kill: a time factor and, for the shortest life, another
// key for the same end.
func slowed(r goldenRow) string {
	if code, at := r.keys["exit-after-ready"]; at {
		delete(r.keys, "exit-after-ready")
		r.keys["crash-after"] = "2:" + code
	}
	reason := r.keys["crash-at-start"]
	registers := strings.HasPrefix(reason, "registration-") || slices.Contains([]string{"unreachable", "bridge-environments"}, reason)
	_, ends := r.keys["exit"]
	_, dies := r.keys["signal-before-ready"]
	switch {
	case r.form == "pty" && (registers || r.word == "flag-init-failed"):
		return "2" // three attempts take their time
	case r.form == "pty" && reason != "corrupt-config":
		return "4"
	case reason != "" && !registers, ends, dies, r.keys["login"] != "":
		return "30" // the checks come within 85 ms
	case r.keys["giveup-after"] != "":
		return "0.5"
	}
	return "3"
}

// playReattached plays the rows that end; refusals before claude was started
// have no keeper that could be replaced.
func (b *bed) playReattached(rows []goldenRow) {
	b.t.Helper()
	rows = slices.DeleteFunc(rows, func(r goldenRow) bool { return r.lives() || r.exit == "78" && r.keys["crash-at-start"] == "" })
	if len(rows) == 0 {
		return
	}
	b.play(rows, slowed, shotOnce)
	begun := time.Now()
	for _, r := range rows {
		if e := b.checkEnds(r, patience(begun)); !e.replaced {
			b.t.Errorf("%s: its keeper was not killed before the end, events %s", r.name, b.eventNames(r.name))
		}
	}
	b.checkStops(rows)
}

// shotOnce kills a row's keeper as soon as its bridge is served: after READY
// for one that becomes ready, else once claude has been started.
func shotOnce(r goldenRow) string {
	if r.status == "error" {
		return "afterSpawn " + r.name + " &"
	}
	return "afterReady " + r.name + " &"
}
