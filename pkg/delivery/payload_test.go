package delivery

import (
	"strings"
	"testing"

	"clauster/pkg/wire"
)

func contains(s, part string) bool { return strings.Contains(s, part) }

// TestPayloads holds every body to the letter: receivers were written for
// those of the Python Clauster.
func TestPayloads(t *testing.T) {
	fields := func(pairs ...string) map[string]string {
		m := map[string]string{}
		for i := 0; i < len(pairs); i += 2 {
			m[pairs[i]] = pairs[i+1]
		}
		return m
	}
	for want, e := range map[string]wire.Event{
		`{"event":"ready","project":"my-project","label":"my-project","status":"running","resume_mode":"standard","spawn_mode":"same-dir","session_ref":"a1b2c3d4e5f60718"}`: {
			Kind: "ready", ID: "i", Host: "h", Instance: "my-project:x", Project: "my-project", Label: "my-project", Status: "running", Run: "r", Message: "m",
			Fields: fields("resume_mode", "standard", "spawn_mode", "same-dir", "session_ref", "a1b2c3d4e5f60718", "pid", "7")},
		`{"event":"stop","project":"p","label":"p","status":"stopped","resume_mode":"","spawn_mode":"","session_ref":null}`:     {Kind: "stop", Project: "p", Status: "stopped"},
		`{"event":"stop","project":"p","label":"night","status":"stopped","resume_mode":"","spawn_mode":"","session_ref":null}`: {Kind: "stop", Instance: "p:night", Project: "p", Status: "stopped"},
		`{"event":"crash","project":"p","label":"chosen","status":"","resume_mode":"","spawn_mode":"","session_ref":null}`:      {Kind: "crash", Instance: "p:night", Project: "p", Label: "chosen"},
		`{"event":"spawn","project":"p","label":"a & b <c>","status":"starting","resume_mode":"pty","spawn_mode":"session","session_ref":null}`: {
			Kind: "spawn", Project: "p", Label: "a & b <c>", Status: "starting", Fields: fields("resume_mode", "pty", "spawn_mode", "session")},
		`{"event":"error","project":"p","label":"p","status":"error","resume_mode":"pty","spawn_mode":"session","session_ref":null,"reason":"no login","hint":"claude auth login","verdict":"logged-out"}`: {
			Kind: "error", Project: "p", Label: "p", Status: "error", Fields: fields("resume_mode", "pty", "spawn_mode", "session", "reason", "no login", "hint", "claude auth login", "verdict", "logged-out")},
		`{"event":"alert","project":"","label":"","status":"","resume_mode":"","spawn_mode":"","session_ref":null,"reason":"r","hint":"","verdict":""}`: {Kind: "alert", Fields: fields("reason", "r")},
		`{"event":"bg-settled","event_type":"bg-settled","id":"a1b2c3d4","settled":true,"removed":true,"detail":null}`: {
			Kind: "bg-settled", Fields: fields("job_id", "a1b2c3d4", "settled", "true", "removed", "true")},
		`{"event":"bg-settled","event_type":"bg-settled","id":"a","settled":false,"removed":false,"detail":"see session_<redacted>"}`: {
			Kind: "bg-settled", Fields: fields("job_id", "a", "settled", "false", "detail", "see session_01ABCDEFGHJKMNPQRSTVWXYZ00")},
		`{"event":"permission-needed","event_type":"permission-needed","process_id":"0f1e2d3c4b5a6978","subtype":"can_use_tool"}`: {
			Kind: "permission-needed", Project: "p", Message: "Bash(rm -rf /)", Fields: fields("process_id", "0f1e2d3c4b5a6978", "subtype", "can_use_tool", "reason", "Bash(rm)")},
		`{"event":"clone-done","event_type":"clone-done","project":"my-project","status":"done","error":null}`: {Kind: "clone-done", Project: "my-project", Status: "done"},
		`{"event":"clone-done","event_type":"clone-done","project":"p","status":"error","error":"no such repository"}`: {
			Kind: "clone-done", Project: "p", Status: "error", Fields: fields("error", "no such repository", "url", "https://token@host/x")},
	} {
		if got, ok := webhookBody(e); got != want || !ok {
			t.Errorf("got  %s\nwant %s", got, want)
		}
	}
	for _, kind := range []string{"", "health", "requested", "gap", "reattached"} {
		if body, ok := webhookBody(wire.Event{Kind: kind}); ok {
			t.Errorf("%s is posted: %s", kind, body)
		}
	}
}

// TestSignature is the example that docs/deliveries.md has.
func TestSignature(t *testing.T) {
	got := sign(signingKey("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"), "msg_p5jXN8AQM9LWM0D4loKWxJek", "1614265330", `{"test": 2432232314}`)
	if got != "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=" { // of the convention's own libraries
		t.Error(got)
	}
	if string(signingKey("plain text of some kind")) != "plain text of some kind" || signingKey("") != nil {
		t.Error("a plain key is taken as it is")
	}
}

func TestTargetName(t *testing.T) {
	for raw, want := range map[string]string{
		"https://user:pw@hooks.example.com:8443/x/y?z=1": "https://hooks.example.com:8443#",
		"slack://T0AAAAAAA/B0BBBBBBB/cccccc":             "slack://#",
		"discord://token@123456":                         "discord://#",
		"tgram://123:abc/5":                              "tgram://#",
		"smtp://u:p@mail.example:587/?from=a&to=b":       "smtp://mail.example:587#",
		"pover://user@token":                             "pover://#",
	} {
		got := targetName(raw)
		if !strings.HasPrefix(got, want) || len(got) != len(want)+8 {
			t.Errorf("%s: %s", raw, got)
		}
	}
	if targetName("https://a/1") == targetName("https://a/2") {
		t.Error("two targets have one name")
	}
}
