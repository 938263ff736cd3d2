package e2e

import (
	"strconv"
	"testing"
	"time"
)

// A keeper under Go's race detector with everything at once: floods, viewers
// that come and go, reloads taken and refused, deaths.
func TestKeeperRaces(t *testing.T) {
	t.Parallel()
	b := newMachine(t)
	b.needRecorder()
	b.watchRaces()
	b.MustSh(`cp -p "$1" "$1.packaged"`, keeperPath)
	b.newProject("races", map[string]string{"count": "1000", "flood": "1M:10M:to=both", "reconnect-after": "20:for=10", "redraw": "4"})
	b.mustStart("races")
	c := &constant{b, "races", b.status("races"), b.record("races").attached()}
	f := &forge{c, ""}
	for range soak(2, 20) {
		for range 3 {
			b.MustSh(`timeout 2 clauster-ctl attach --read-only races >/dev/null 2>&1 &`)
		}
		b.MustRun("systemctl", "reload", "clauster@races")
		f.put("refusing")
		_, _ = f.reload("refusing")
		c.check("a refused reload")
		f.put("packaged")
		b.spread(200 * time.Millisecond)
		old := b.keeperPID("races")
		b.MustSh(`kill -KILL "$1"`, strconv.Itoa(old))
		c.check("a death")
		b.waitReattached("races", old)
	}
	c.end(2)
}
