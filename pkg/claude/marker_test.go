package claude

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/bridge"

	"github.com/google/go-cmp/cmp"
)

func describe(m Marker) string {
	var b strings.Builder
	b.WriteString(m.Kind.String())
	if m.ID != "" {
		b.WriteString(" " + m.ID)
	}
	if m.ExitCode != -1 {
		fmt.Fprintf(&b, " exit=%d", m.ExitCode)
	}
	if m.PID != 0 {
		fmt.Fprintf(&b, " pid=%d", m.PID)
	}
	if strings.Contains(m.Text, " ") {
		fmt.Fprintf(&b, " text=%q", m.Text)
	} else if m.Text != "" {
		b.WriteString(" text=" + m.Text)
	}
	if c := m.Cause(); c.Name != "" {
		b.WriteString(" cause=" + c.Name)
	}
	return b.String()
}

func TestMarkersGolden(t *testing.T) {
	logs, _ := filepath.Glob("testdata/*.log")
	if len(logs) < 3 {
		t.Fatal("the golden logs are missing")
	}
	for _, path := range logs {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		want, err := os.ReadFile(strings.TrimSuffix(path, ".log") + ".golden")
		if err != nil {
			t.Fatal(err)
		}
		var got strings.Builder
		for line := range bytes.Lines(data) {
			if m, ok := ParseLine(bytes.TrimSuffix(line, []byte("\n"))); ok {
				got.WriteString(describe(m) + "\n")
				if m.Stamp != string(line[:stampLen]) {
					t.Errorf("stamp %q of %s", m.Stamp, line)
				}
			}
		}
		if d := cmp.Diff(string(want), got.String()); d != "" {
			t.Errorf("%s: %s", path, d)
		}
	}
}

// feed gives a fresh Log the lines of a golden log up to and including the
// first that contains last ("" for all).
func feed(t *testing.T, path, last string) *Log {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var l Log
	for line := range strings.Lines(string(data)) {
		l.Line([]byte(strings.TrimSuffix(line, "\n")))
		if last != "" && strings.Contains(line, last) {
			break
		}
	}
	return &l
}

func TestLogReady(t *testing.T) {
	if l := feed(t, "testdata/standard.log", "Created initial"); l.Ready(bridge.Standard) || l.EnvID == "" {
		t.Error("registered without a poll loop is not ready, but its environment is known")
	}
	l := feed(t, "testdata/standard.log", "Z [DEBUG] [bridge:work] Starting")
	if !l.Ready(bridge.Standard) {
		t.Error("environment and poll loop: ready")
	}
	if got, want := l.Link(bridge.Standard, bridge.SameDir), "https://claude.ai/code?environment=env_01HelloWorld0000000000AA"; got != want {
		t.Errorf("link %s, want %s", got, want)
	}
	if got, want := l.Link(bridge.Standard, bridge.Session), "https://claude.ai/code/session_01HelloSession00000000BB"; got != want {
		t.Errorf("link %s, want %s", got, want)
	}
	l = feed(t, "testdata/standard.log", "")
	if !l.Stopping || l.Poisoned || l.Failed != 0 {
		t.Errorf("a clean stop: %+v", l)
	}
	l = feed(t, "testdata/failures.log", "")
	if !l.Adopted || !l.Poisoned || !l.Stale || l.Failed != 1 || l.Cause().Name != "network" || !l.Ready(bridge.Standard) {
		t.Errorf("failures: %+v", l)
	}
	if l = feed(t, "testdata/pty.log", "Unarchive"); l.Ready(bridge.PTY) || l.SessionID == "" {
		t.Error("an old session brought back is known but no proof of readiness")
	}
	if l = feed(t, "testdata/pty.log", "Created session"); !l.Ready(bridge.PTY) {
		t.Error("a session created is a proof for pty")
	}
	if l = feed(t, "testdata/pty.log", "state=connected"); !l.Ready(bridge.PTY) || l.Link(bridge.PTY, "") == "" {
		t.Error("connected is a proof for pty")
	}
	if l = feed(t, "testdata/pty.log", ""); l.Ready(bridge.PTY) || l.Cause().Name != "flag-not-logged-in" {
		t.Error("a log that says the flag was ignored is not ready")
	}
}

// Markers count only right after "TIME [LEVEL] ".
func TestLookAlikes(t *testing.T) {
	for _, line := range []string{
		"",
		"[bridge:work] Starting poll loop environmentId=env_01Decoy000001",
		"2026-11-21T19:01:41.004Z [DEBUG]",
		"2026-11-21T19:01:41.004Z [DEBUG] user said: [bridge:work] Starting poll loop environmentId=env_01Decoy000001",
		"2026-11-21T19:01:41.004Z [DEBUG]  [bridge:work] Starting poll loop",
		"2026-11-21T19:01:41.004Z [NOISE] [bridge:work] Starting poll loop environmentId=env_01Decoy000001",
		"2026-11-21 19:01:41.004Z [DEBUG] [bridge:work] Starting poll loop environmentId=env_01Decoy000001",
		`2026-11-21T19:01:41.004Z [DEBUG] "[bridge:work] Starting poll loop environmentId=env_01Decoy000001\n"`,
		"2026-11-21T19:01:41.004Z [DEBUG] [bridge:init] Created initial session [REDACTED]",
		"2026-11-21T19:01:41.004Z [DEBUG] [bridge:init] Created initial session session_x",
		"2026-11-21T19:01:41.004Z [DEBUG] [bridge:shutdown",
		"2026-11-21T19:01:41.004Z [DEBUG] [bridge:session] sessionId=[REDACTED] pid=99999999999999999999",
	} {
		if m, ok := ParseLine([]byte(line)); ok {
			t.Errorf("%q is taken for %s", line, describe(m))
		}
	}
}

func TestSplitLine(t *testing.T) {
	l, ok := SplitLine([]byte("2026-11-21T19:01:37.229Z [ERROR] text with [DEBUG] in it"))
	if !ok || l.Level != LevelError || string(l.Text) != "text with [DEBUG] in it" {
		t.Errorf("%+v %v", l, ok)
	}
	if want := time.Date(2026, 11, 21, 19, 1, 37, 229e6, time.UTC); !l.Time().Equal(want) {
		t.Errorf("time %v, want %v", l.Time(), want)
	}
	if l, ok = SplitLine([]byte("    at stack (file:1:1)")); ok || string(l.Text) != "    at stack (file:1:1)" || !l.Time().IsZero() {
		t.Errorf("%+v %v", l, ok)
	}
}

func FuzzParseLine(f *testing.F) {
	for _, path := range []string{"testdata/standard.log", "testdata/failures.log", "testdata/pty.log"} {
		data, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		for line := range bytes.Lines(data) {
			f.Add(bytes.TrimSuffix(line, []byte("\n")))
		}
	}
	f.Fuzz(func(t *testing.T, line []byte) {
		m, ok := ParseLine(line)
		if !ok {
			return
		}
		if m.Kind == 0 || m.Kind.String() == "unknown" || len(m.Text) > maxMarkerText || len(m.ID) > 80 {
			t.Fatalf("%q gives %+v", line, m)
		}
		if !bytes.HasPrefix(line, []byte(m.Stamp+" [")) {
			t.Fatalf("%q has no stamp %q", line, m.Stamp)
		}
		m.Cause()
		var l Log
		l.Line(line)
		l.Ready(bridge.Standard)
		l.Ready(bridge.PTY)
	})
}

// The scanner must be a small part of a keeper under a 10 MB/s flood: 1 % of a
// core is 1,000 MB/s here.
func BenchmarkParseLine(b *testing.B) {
	lines := map[string]string{
		"noise":   "2026-11-21T19:01:39.103Z [DEBUG] plugin chatter of ordinary length, as claude writes it all day long, 110 bytes",
		"tagged":  "2026-11-21T19:01:39.103Z [DEBUG] [bridge:api] <<< {\"type\":\"assistant\",\"message\":{\"role\":\"assistant\",\"content\":\"hello hello\"}}",
		"poll":    "2026-11-21T19:01:42.004Z [DEBUG] [bridge:api] GET /v1/environments/env_01HelloWorld0000000000AA/work/poll -> 200 (no work, 1 consecutive empty polls)",
		"garbage": strings.Repeat("\xff\x1b[31m", 30),
		"long":    "2026-11-21T19:01:39.103Z [DEBUG] [bridge:api] <<< " + strings.Repeat("\"end_sess{", 100_000),
		"nested":  "2026-11-21T19:01:39.103Z [DEBUG] [bridge:api] <<< " + strings.Repeat("{\"end_session\"", 70_000),
	}
	for name, line := range lines {
		b.Run(name, func(b *testing.B) {
			p := []byte(line)
			b.SetBytes(int64(len(p)))
			b.ReportAllocs()
			var l Log
			for b.Loop() {
				l.Line(p)
			}
		})
	}
}
