package e2e

import (
	"regexp"
	"strings"
	"testing"
)

// A health that changes is an event, there and back, and in systemctl status
// meanwhile; the bridge is never started again for it.
func TestHealthEvents(t *testing.T) {
	t.Parallel()
	for _, mode := range []string{"standard", "pty"} {
		name := "health-reconnect-" + mode
		t.Run(mode, func(t *testing.T) {
			t.Parallel()
			b := onShared(t)
			b.newProject(name, map[string]string{"reconnect-after": "1:for=8", "scale": "1"})
			b.MustRun("clauster-ctl", "start", "--mode", mode, name)
			b.MustWaitFor("the loss", settle, func() bool { return b.status(name).Health == "reconnecting" })
			status := b.result("systemctl", "status", "--no-pager", "clauster@"+name).Stdout
			if !strings.Contains(status, `Status: "reconnecting: claude lost its connection and tries again"`) {
				t.Errorf("systemctl status:\n%s", status)
			}
			b.MustWaitFor("the return", settle, func() bool { return b.status(name).Health == "ok" })
			var healths []string
			for _, e := range b.MustJournal("CLAUSTER_INSTANCE="+name, "CLAUSTER_EVENT=health") {
				healths = append(healths, e.Get("CLAUSTER_HEALTH"))
			}
			if got := strings.Join(healths, " "); got != "reconnecting ok" {
				t.Errorf("health events %q, want reconnecting ok", got)
			}
			b.waitEvents(name, "requested spawn ready health health")
		})
	}
}

// What the model API refuses is an event and no ill health.
func TestAPIErrors(t *testing.T) {
	t.Parallel()
	for key, want := range map[string]string{"529": "overloaded", "rate-limit": "rejected throttled limit"} {
		name := "health-api-" + key
		t.Run(key, func(t *testing.T) {
			t.Parallel()
			b := onShared(t)
			b.newProject(name, map[string]string{key: "yes"})
			b.mustStart(name)
			var causes []string
			err := b.WaitFor("the api_error events", settle, func() bool {
				causes = nil
				for _, e := range b.MustJournal("CLAUSTER_INSTANCE="+name, "CLAUSTER_EVENT=api_error") {
					causes = append(causes, e.Get("CLAUSTER_CAUSE"))
				}
				return strings.Join(causes, " ") == want
			})
			if err != nil {
				t.Errorf("api_error events %q, want %s", causes, want)
			}
			if s := b.status(name); s.Status != "running" || s.Health != "ok" {
				t.Errorf("status: %+v", s)
			}
		})
	}
}

// The last screen of a bridge that died is in its event, without escapes and
// without the ids that open it.
func TestLastScreen(t *testing.T) {
	t.Parallel()
	b := onShared(t)
	b.newProject("health-screen", map[string]string{"crash-after": "2:7", "notice": "worker-404"})
	b.mustStart("health-screen")
	e := b.waitEnd("health-screen")
	screen := e.Get("CLAUSTER_LAST_SCREEN")
	if !strings.Contains(screen, "Connected · health-screen") || !strings.Contains(screen, "worker registration failed") {
		t.Errorf("the last screen is\n%s", screen)
	}
	if strings.ContainsAny(screen, "\x1b\x07") {
		t.Errorf("escapes in the last screen %q", screen)
	}
	for _, field := range e {
		for _, value := range field {
			if id := regexp.MustCompile(`(env|session|cse)_[0-9A-Za-z]{6,}`).FindString(value); id != "" {
				t.Errorf("the event holds %s", id)
			}
		}
	}
}
