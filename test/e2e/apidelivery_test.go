package e2e

import (
	"encoding/json"
	"strings"
	"syscall"
	"testing"
	"time"

	"clauster/test/machine"
)

// delivered is one request that the sink has got.
type delivered struct {
	At     int64               `json:"at"`
	Header map[string][]string `json:"header"`
	Body   string              `json:"body"`
}

// received reads what a sink has written.
func (b *bed) received(file string) (all []delivered) {
	b.t.Helper()
	for line := range strings.Lines(b.MustSh(`cat "$1" 2>/dev/null || true`, file)) {
		var d delivered
		if json.Unmarshal([]byte(line), &d) == nil {
			all = append(all, d)
		}
	}
	return all
}

// sink answers webhooks in the machine.
func (b *bed) sink(address, file string, status ...string) {
	b.t.Helper()
	b.MustStart(machine.Command{Args: append([]string{callerPath, "sink", address, file}, status...), Timeout: time.Hour})
}

const webhooks = "[webhooks]\nenabled = true\nblock_private_targets = false\nsecret = \"whsec_c2VjcmV0LW9mLXRoZS10ZXN0cw==\"\nurls = [\"http://127.0.0.1:9001/hook?key=TOPSECRET\"]\n"

// TestCrashReachesWebhook: of a bridge that dies while no API runs, and of one
// that dies before any client has connected after a boot.
func TestCrashReachesWebhook(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("hooked", nil)
	b.writeConfig(webhooks + "[api]\nidle_exit_seconds = 2\n")
	b.sink("127.0.0.1:9001", "/root/hooks")
	b.must("GET", "/healthz", "") // the store is made: what is older is not delivered
	b.mustStart("hooked")
	b.MustWaitUnit("clauster-api.service", "inactive", settle)
	killed := time.Now()
	b.MustKill(b.status("hooked").PID, syscall.SIGKILL)
	crash := b.waitHook("/root/hooks", "crash")
	t.Logf("crash → webhook with the API started for it: %v", time.UnixMicro(crash.At).Sub(killed))
	var body map[string]any
	if err := json.Unmarshal([]byte(crash.Body), &body); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{"event": "crash", "project": "hooked", "label": "hooked", "resume_mode": "standard", "spawn_mode": "same-dir"} {
		if body[key] != want {
			t.Errorf("%s is %v, want %v", key, body[key], want)
		}
	}
	if ref, ok := body["session_ref"]; !ok || len(body) != 7 {
		t.Errorf("session_ref %v in %s", ref, crash.Body)
	}
	var id string
	for _, e := range b.events("hooked") {
		if e.Get("CLAUSTER_EVENT") == "crash" {
			id = e.Get("CLAUSTER_EVENT_ID")
		}
	}
	for name, want := range map[string]string{"Webhook-Id": id, "Webhook-Signature": "v1,"} {
		if got := crash.Header[name]; len(got) != 1 || !strings.HasPrefix(got[0], want) {
			t.Errorf("%s: %q, want %q", name, got, want)
		}
	}
	if out := b.MustRun("clauster-ctl", "deliveries", "list", "--json"); strings.Contains(out, "TOPSECRET") || !strings.Contains(out, `"delivered"`) {
		t.Errorf("deliveries: %s", out)
	}
	if said := b.MustRun("journalctl", "-u", "clauster-api", "-o", "cat"); strings.Contains(said, "TOPSECRET") {
		t.Error("the journal has a secret of a URL")
	}
}

// waitHook waits for an event of a kind to arrive.
func (b *bed) waitHook(file, event string) (found delivered) {
	b.t.Helper()
	b.MustWaitFor("a "+event+" webhook", settle, func() bool {
		for _, d := range b.received(file) {
			if strings.Contains(d.Body, `"event":"`+event+`"`) {
				found = d
				return true
			}
		}
		return false
	})
	return found
}

// TestDeliveriesSurviveKills: killed between every two steps, the API delivers
// each event, and a repeat carries the same id. A dead endpoint delays nothing.
func TestDeliveriesSurviveKills(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("often", nil)
	b.writeConfig(strings.Replace(webhooks, "urls = [", "urls = [\"http://127.0.0.1:9/dead\", ", 1))
	b.sink("127.0.0.1:9001", "/root/hooks")
	b.must("GET", "/healthz", "")
	lives := soak(5, 50)
	for range lives {
		b.mustStart("often")
		b.MustRun("systemctl", "kill", "--signal=KILL", "clauster-api.service")
		b.stop("often")
		b.MustRun("systemctl", "kill", "--signal=KILL", "clauster-api.service")
		b.MustWaitUnit("clauster-api.service", "active", settle)
	}
	want := map[string]bool{}
	for _, e := range b.events("often") {
		switch e.Get("CLAUSTER_EVENT") {
		case "spawn", "ready", "stop", "crash":
			want[e.Get("CLAUSTER_EVENT_ID")] = true
		}
	}
	b.MustWaitFor("every event at the endpoint", 2*settle, func() bool {
		seen := map[string]bool{}
		for _, d := range b.received("/root/hooks") {
			seen[d.Header["Webhook-Id"][0]] = true
		}
		for id := range want {
			if !seen[id] {
				return false
			}
		}
		return len(seen) == len(want)
	})
	if len(want) < 3*lives {
		t.Errorf("%d events of %d lives", len(want), lives)
	}
	t.Logf("%d events, %d requests at the endpoint", len(want), len(b.received("/root/hooks")))
}

// TestTargetTakenOut: a target that fails is a fault of the whole until it is
// taken out of the configuration, and not for as long as its past is kept.
func TestTargetTakenOut(t *testing.T) {
	t.Parallel()
	b := withAPI(t)
	b.newProject("removed", nil)
	b.writeConfig(strings.Replace(webhooks, ":9001", ":9", 1))
	b.must("GET", "/healthz", "")
	b.mustStart("removed")
	b.MustWaitFor("a failing target", settle, func() bool {
		r := b.result("clauster-ctl", "health")
		return r.Code == 1 && strings.Contains(r.Stdout, "1 target fails")
	})
	b.writeConfig("")
	b.MustRun("systemctl", "reload", "clauster-api")
	b.MustWaitFor("nothing that waits", settle, func() bool {
		var waiting struct{ Deliveries []struct{ ID string } }
		b.must("GET", "/api/v1/deliveries?state=waiting", "").into(t, &waiting)
		for _, d := range waiting.Deliveries {
			b.ask("root", "POST", "/api/v1/deliveries/"+d.ID+"/cancel", "{}")
		}
		return len(waiting.Deliveries) == 0
	})
	b.MustWaitFor("health", settle, func() bool { return b.result("clauster-ctl", "health").Code == 0 })
}
