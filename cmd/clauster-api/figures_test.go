package main

import (
	"context"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/config"
	"clauster/pkg/event"
	"clauster/pkg/home"
	"clauster/pkg/metrics"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// TestConfigFault: what is in force is told as it is. The health of a faulty
// start spoke of defaults while the rest of the file was in force.
func TestConfigFault(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clauster.toml")
	put := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := &daemon{world: world{userMode: true}, started: time.Now().Add(-time.Minute), settings: &settings{source: config.Source{Path: path, UserMode: true}, log: slog.New(slog.DiscardHandler)}}
	put("log_level = \"debug\"\n[api]\nidle_exit_seconds = -1\n")
	d.settings.load()
	if got := d.settings.config(); got.LogLevel != "debug" || got.API.IdleExitSeconds < 0 {
		t.Errorf("in force: %q, %d", got.LogLevel, got.API.IdleExitSeconds)
	}
	p := d.configFault()
	if p == nil || !strings.Contains(p.Detail, "idle_exit_seconds") || !strings.Contains(p.Detail, "; what was good of it at the start is in force, with defaults for the rest; the web door is closed") {
		t.Errorf("at the start: %+v", p)
	}
	if !strings.HasSuffix(p.Hint, ", then: systemctl reload-or-restart clauster-api") {
		t.Errorf("hint: %s", p.Hint)
	}
	// The ingester has not begun: that it has no trouble is not that it follows.
	n := &nouns{ingester: event.New(event.Options{})}
	if f := d.following(n); f.Err == nil || !strings.Contains(f.Err.Error(), "without a fault") || f.Lag < time.Minute {
		t.Errorf("at the start: %+v", f)
	}
	put("log_level = \"debug\"\n")
	d.settings.load()
	if p := d.configFault(); p != nil {
		t.Errorf("corrected: %+v", p)
	}
	if f := d.following(n); f.Err != nil {
		t.Errorf("corrected: %+v", f)
	}
	put("nonsense\n")
	d.settings.load()
	if p := d.configFault(); p == nil || !strings.HasSuffix(p.Detail, "; the one before stays in force") {
		t.Errorf("at a reload: %+v", p)
	}
}

// TestNoBridgeUser: a user who does not exist is no fault of the file, and lets
// nobody in unasked: health says so.
func TestNoBridgeUser(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clauster.toml")
	d := &daemon{settings: &settings{source: config.Source{Path: path}, log: slog.New(slog.DiscardHandler)}}
	for user, wrong := range map[string]bool{"no-such-login": true, "nobody": false} {
		if err := os.WriteFile(path, []byte("user = \""+user+"\"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		d.settings.load()
		if p := d.configFault(); (p != nil) != wrong || wrong && !strings.Contains(p.Detail, `"no-such-login" is not an account`) {
			t.Errorf("%s: %+v", user, p)
		}
	}
}

// TestFollowingOfNone: without a database nothing is followed.
func TestFollowingOfNone(t *testing.T) {
	d := &daemon{settings: &settings{}}
	if f := d.following(&nouns{}); f.Err == nil {
		t.Errorf("%+v", f)
	}
}

// TestWebDoorInHealth: a closed web door is told by who serves on the unix door,
// and one that was never asked for is no fault.
func TestWebDoorInHealth(t *testing.T) {
	gone, cancel := context.WithCancel(t.Context())
	cancel() // nobody asks systemd
	figures := func(d *daemon) *metrics.Sources {
		d.world.getenv = func(string) string { return "" }
		d.settings = &settings{source: config.Source{Path: filepath.Join(t.TempDir(), "none.toml"), UserMode: true}, log: slog.New(slog.DiscardHandler)}
		d.settings.current.Store(&config.Config{})
		d.settings.good.Store(true)
		n := &nouns{link: &systemd.Link{}, home: home.NewClient("/nowhere", "1")}
		d.makeFigures(gone, n, d.place())
		t.Cleanup(func() { n.close(t.Context()) })
		return n.sources
	}
	d := &daemon{}
	d.tlsFault.Store(wire.NewProblem(wire.DoorClosed, "cannot use the certificate", "repair it"))
	if figures(d).WebClosed != nil {
		t.Error("no web socket, and a check of it")
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	d.web = []net.Listener{l}
	src := figures(d)
	if p := src.WebClosed(); p == nil || p.Detail != "cannot use the certificate" {
		t.Errorf("closed: %+v", p)
	}
	d.tlsFault.Store(nil)
	if p := src.WebClosed(); p != nil {
		t.Errorf("open: %+v", p)
	}
}
