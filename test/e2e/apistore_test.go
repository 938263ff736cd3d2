package e2e

import (
	"strings"
	"testing"
)

const database = "/var/lib/clauster/api/clauster.db"

// TestStoreRefused: whatever has happened to the database, the API says so with
// the way back, shows what runs by the unix door, and no bridge notices.
func TestStoreRefused(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("kept", nil)
	b.mustStart("kept")
	pid := b.status("kept").PID
	b.must("GET", "/healthz", "")
	for name, spoil := range map[string]string{
		"newer":      `printf '\000\000\003\347' | dd of="$1" bs=1 seek=60 conv=notrunc status=none`, // user_version 999
		"damaged":    `dd if=/dev/zero of="$1" bs=4096 count=3 conv=notrunc status=none`,
		"unreadable": `chmod 0 "$1"; chown root "$1"`,
	} {
		t.Run(name, func(t *testing.T) {
			b := &bed{b.With(t), t}
			b.MustRun("systemctl", "stop", "clauster-api.service")
			b.MustSh(`cp -a "$1" "$1.good"; rm -f "$1-wal" "$1-shm"`, database)
			b.MustSh(spoil, database)
			b.checkRefused()
			if got := b.status("kept"); got.PID != pid || got.Status != "running" {
				t.Errorf("the bridge: %+v", got)
			}
			// The way back: stop, put the good one back, start.
			b.MustRun("systemctl", "stop", "clauster-api.service")
			b.MustSh(`mv "$1.good" "$1"; rm -f "$1-wal" "$1-shm"`, database)
			b.must("GET", "/api/v1/events", "")
		})
	}
}

// checkRefused looks at both doors of an API without a database.
func (b *bed) checkRefused() {
	b.t.Helper()
	if a := b.ask("root", "GET", "/api/v1/events", ""); a.Status != 503 || a.problem().Kind != "store-refused" || a.problem().Hint == "" {
		b.t.Errorf("events: %d %s", a.Status, a.Body)
	}
	if a := b.must("GET", "/api/v1/instances", ""); !strings.Contains(a.Body, `"kept"`) {
		b.t.Errorf("instances: %s", a.Body)
	}
	if a := b.ask("root", "GET", "/health", ""); !strings.Contains(a.Body, database) {
		b.t.Errorf("health: %d %s", a.Status, a.Body)
	}
	if a := b.ask("root", "POST", "/api/v1/instances", `{"project":"kept"}`); a.Status != 503 {
		b.t.Errorf("start: %d %s", a.Status, a.Body)
	}
	if a := b.askWeb("admin", "GET", "/healthz", ""); a.Status != 200 || !strings.Contains(a.Body, `"ok"`) {
		b.t.Errorf("liveness: %d %s", a.Status, a.Body)
	}
	if a := b.askWeb("admin", "GET", "/api/v1/instances", ""); a.Status != 503 || a.problem().Kind != "store-refused" {
		b.t.Errorf("the web door: %d %s", a.Status, a.Body)
	}
}
