package keeper

import (
	"testing"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
)

func TestReadyByEvidenceOnly(t *testing.T) {
	served := claude.Log{EnvID: "env_01ABCDEF", Polling: true}
	for _, c := range []struct {
		name string
		e    evidence
		want bool
	}{
		{"alive", evidence{mode: bridge.Standard}, false},
		{"registered, no poll loop", evidence{mode: bridge.Standard, log: claude.Log{EnvID: "env_01ABCDEF"}}, false},
		{"registered and polling", evidence{mode: bridge.Standard, log: served}, true},
		{"a link without its pane", evidence{mode: bridge.Standard, screen: claude.ScreenState{Link: "https://claude.ai/code?environment=env_x"}}, false},
		{"pane and link", evidence{mode: bridge.Standard, screen: claude.ScreenState{Pane: claude.PaneReady, Link: "https://claude.ai/code?environment=env_x"}}, true},
		{"pty: words on its screen prove nothing", evidence{mode: bridge.PTY, screen: claude.ScreenState{RC: claude.RCActive, Link: "https://claude.ai/code/session_x"}}, false},
		{"pty: connected", evidence{mode: bridge.PTY, log: claude.Log{State: "connected"}}, true},
		{"pty: session file", evidence{mode: bridge.PTY, session: true}, true},
	} {
		if got := c.e.ready(); got != c.want {
			t.Errorf("%s: ready() = %v", c.name, got)
		}
	}
}

func TestHealth(t *testing.T) {
	for _, c := range []struct {
		name string
		e    evidence
		want bridge.Health
	}{
		{"serving", evidence{mode: bridge.Standard, screen: claude.ScreenState{Pane: claude.PaneConnected, Sessions: 2, Capacity: 32}}, bridge.OK},
		{"full", evidence{mode: bridge.Standard, screen: claude.ScreenState{Pane: claude.PaneConnected, Sessions: 32, Capacity: 32}}, bridge.OK},
		{"reconnecting", evidence{mode: bridge.Standard, screen: claude.ScreenState{Pane: claude.PaneReconnecting}}, bridge.Reconnecting},
		{"a question", evidence{mode: bridge.PTY, screen: claude.ScreenState{Prompt: "prompt-permission"}}, bridge.Waiting},
		{"the question of a start, answered", evidence{mode: bridge.PTY, screen: claude.ScreenState{Prompt: "prompt-mcp"}}, bridge.OK},
		{"poisoned", evidence{mode: bridge.Standard, log: claude.Log{Poisoned: true}}, bridge.Wedged},
		{"pill failed", evidence{mode: bridge.PTY, screen: claude.ScreenState{RC: claude.RCFailed}}, bridge.Wedged},
		{"frozen outranks all", evidence{frozen: "its scope is frozen", log: claude.Log{Poisoned: true}}, bridge.Frozen},
	} {
		if got, why := c.e.health(); got != c.want || why == "" {
			t.Errorf("%s: health() = %s, %q", c.name, got, why)
		}
	}
}

// A start that only waits for the network is tried again for ever; silence is
// not, and the pane Connecting, which is drawn at once, is silence.
func TestLateCause(t *testing.T) {
	var log claude.Log
	log.Line([]byte("2026-11-21T19:01:37.229Z [WARN] [bridge:api] POST /v1/environments/bridge failed: getaddrinfo EAI_AGAIN api.anthropic.com"))
	for name, e := range map[string]evidence{
		"name resolution":  {mode: bridge.Standard, log: log, screen: claude.ScreenState{Pane: claude.PaneConnecting}},
		"reconnecting":     {mode: bridge.Standard, screen: claude.ScreenState{Pane: claude.PaneReconnecting}},
		"pty":              {mode: bridge.PTY, log: claude.Log{State: "disconnected"}},
		"not even started": {mode: bridge.Standard},
	} {
		if c := e.late(); c.Class != bridge.ClassTemporary {
			t.Errorf("%s: %+v", name, c)
		}
	}
	connecting := evidence{mode: bridge.Standard, spawned: true, screen: claude.ScreenState{Pane: claude.PaneConnecting}}
	if c := connecting.late(); c.Name != "" {
		t.Errorf("still connecting: %+v", c)
	}
	if c := (evidence{mode: bridge.Standard, spawned: true}).late(); c.Name != "" {
		t.Errorf("silence: %+v", c)
	}
}

// A bridge that is given up is dead: the reason names no command to wake it.
func TestStoppedWhileStarting(t *testing.T) {
	for frozen, want := range map[string]string{
		"claude is stopped by a signal: kill -CONT 6014":                    "claude was stopped by a signal and never became ready",
		"its scope is frozen: systemctl thaw clauster-bridge-two:a-b.scope": "its scope was frozen and never became ready",
	} {
		if c := (evidence{mode: bridge.Standard, spawned: true, frozen: frozen}).late(); c.Name != "frozen" || c.Reason != want {
			t.Errorf("%+v", c)
		}
	}
}
