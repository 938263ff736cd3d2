package e2e

import (
	"strings"
	"testing"
	"time"
)

const apiState = "/var/lib/clauster/api"

// withSmallState gives a machine whose API has one megabyte for its state.
func withSmallState(t testing.TB) *bed {
	t.Helper()
	b := withAPI(t)
	b.MustSh(`systemctl stop clauster-api.service; install -d -o clauster -g clauster -m 0700 "$1"
mount -t tmpfs -o "size=1m,mode=0700,uid=$(id -u clauster),gid=$(id -g clauster)" tmpfs "$1"`, apiState)
	return b
}

// fill takes all the room there is; free gives it back.
func (b *bed) fill() {
	b.t.Helper()
	b.MustSh(`head -c 10M /dev/zero >"$1/filler" 2>/dev/null; test -s "$1/filler"`, apiState)
}

func (b *bed) free() {
	b.t.Helper()
	b.MustRun("rm", apiState+"/filler")
}

// roomAgain is how long it may take to notice: it is tried once a minute.
const roomAgain = 90 * time.Second

// TestAPIDiskFull: the disk fills up under an API that runs. It says so, shows
// what runs by the unix door, starts nothing, and goes on by itself with no
// event lost.
func TestAPIDiskFull(t *testing.T) {
	t.Parallel()
	b := withSmallState(t)
	b.newProject("tight", nil)
	b.must("GET", "/healthz", "")
	b.mustStart("tight")
	b.storeHas("tight", 2)
	b.fill()
	b.stop("tight")
	b.mustStart("tight")
	b.saysFull("tight")
	if r := b.result("clauster-ctl", "restart", "tight"); r.Code != 0 {
		t.Errorf("clauster-ctl restart: %d\n%s", r.Code, r.Stderr)
	}
	if r := b.result("clauster-ctl", "token", "issue", "x"); r.Code == 0 || !strings.Contains(r.Stderr, "the disk is full") {
		t.Errorf("clauster-ctl token issue: %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	b.free()
	b.storeHas("tight", 8) // spawn ready, stop spawn ready, stop spawn ready
	b.wellAgain()
}

// TestAPIStartsOnFullDisk: the same for an API that is started there, with a
// database and without one.
func TestAPIStartsOnFullDisk(t *testing.T) {
	t.Parallel()
	b := withSmallState(t)
	b.newProject("tight", nil)
	b.fill()
	b.mustStart("tight")
	b.saysFull("tight")
	b.free()
	b.storeHas("tight", 2)
	b.wellAgain()
	b.MustRun("systemctl", "stop", "clauster-api.service")
	b.fill()
	b.stop("tight")
	b.mustStart("tight")
	b.saysFull("tight")
	b.free()
	b.storeHas("tight", 5)
	b.wellAgain()
}

// saysFull waits until every surface says that the disk is full.
func (b *bed) saysFull(instance string) {
	b.t.Helper()
	b.MustWaitFor("health that says so", settle, func() bool {
		r := b.result("clauster-ctl", "health")
		return r.Code == 1 && strings.Contains(r.Stdout, "the disk is full") && strings.Contains(r.Stdout, "df -h "+apiState)
	})
	if a := b.ask("root", "GET", "/health/ready", ""); a.Status != 503 {
		b.t.Errorf("ready: %d %s", a.Status, a.Body)
	}
	if a := b.must("GET", "/api/v1/instances", ""); !strings.Contains(a.Body, `"`+instance+`"`) {
		b.t.Errorf("instances: %s", a.Body)
	}
	for door, a := range map[string]answer{"unix": b.ask("root", "POST", "/api/v1/instances", `{"project":"`+instance+`"}`), "web": b.askWeb("admin", "GET", "/api/v1/instances", "")} {
		if p := a.problem(); a.Status != 503 || p.Kind != "store-refused" || !strings.Contains(p.Hint, "df -h "+apiState) {
			b.t.Errorf("the %s door: %d %s", door, a.Status, a.Body)
		}
	}
}

// storeHas waits until the store has an instance's events of the journal, so
// many at least and each once.
func (b *bed) storeHas(instance string, least int) {
	b.t.Helper()
	b.MustWaitFor("the events in the store", roomAgain, func() bool {
		var page struct{ Events []struct{ ID string } }
		a := b.ask("root", "GET", "/api/v1/events?limit=500&instance="+instance, "")
		if a.Status != 200 {
			return false
		}
		a.into(b.t, &page)
		seen := map[string]int{}
		for _, e := range page.Events {
			seen[e.ID]++
		}
		for _, e := range b.events(instance) {
			if seen[e.Get("CLAUSTER_EVENT_ID")] != 1 {
				return false
			}
		}
		return len(seen) >= least && len(seen) == len(page.Events)
	})
}

func (b *bed) wellAgain() {
	b.t.Helper()
	b.MustWaitFor("health", settle, func() bool { return b.result("clauster-ctl", "health").Code == 0 })
	if r := b.result("clauster-ctl", "store", "check"); r.Code != 0 {
		b.t.Errorf("store check: %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
}
