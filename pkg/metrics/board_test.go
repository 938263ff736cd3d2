package metrics

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/home"
	"clauster/pkg/wire"
)

func newBoard(t testing.TB, src *Sources) *Board {
	t.Helper()
	b := NewBoard(src)
	t.Cleanup(b.Close)
	return b
}

// TestHealthNames: the names and types of the page that monitoring was written
// for.
func TestHealthNames(t *testing.T) {
	_, src := newFakes(t, 1)
	data, err := json.Marshal(newBoard(t, src).Health(context.Background()))
	if err != nil {
		t.Fatal(err)
	}
	var got struct {
		Status        string
		Version       string
		UptimeSeconds *int64 `json:"uptime_seconds"`
		Services      map[string]string
		Resources     struct {
			CPUPercent      *float64 `json:"cpu_percent"`
			MemoryUsedMB    *int64   `json:"memory_used_mb"`
			MemoryTotalMB   *int64   `json:"memory_total_mb"`
			DiskUsedPercent *float64 `json:"disk_used_percent"`
		}
	}
	if err := json.Unmarshal(data, &got); err != nil {
		t.Fatal(err)
	}
	r := got.Resources
	if got.Status != "healthy" || got.Version != "0.1.0" || got.UptimeSeconds == nil || *got.UptimeSeconds < 59 ||
		r.CPUPercent == nil || r.MemoryUsedMB == nil || *r.MemoryTotalMB == 0 || r.DiskUsedPercent == nil {
		t.Errorf("%s", data)
	}
	for _, name := range []string{"systemd", "journal", "store", "home", "deliveries", "bridges", "config", "web"} {
		if got.Services[name] != "healthy" {
			t.Errorf("service %s is %q", name, got.Services[name])
		}
	}
}

// TestHealthRollsUp: each fault has its word and its sentence, and only what
// nothing works without makes all of it unhealthy.
func TestHealthRollsUp(t *testing.T) {
	for _, test := range []struct {
		name, check string
		fault       func(*fakes)
		whole, part wire.HealthWord
		detail      string
	}{
		{"systemd is away", "systemd", func(f *fakes) { f.systemd = errors.New("cannot reach systemd") }, wire.Unhealthy, wire.Unhealthy, "cannot reach systemd"},
		{"the store is refused", "store", func(f *fakes) { f.refused = wire.NewProblem(wire.StoreRefused, "the data is newer", "restore it") }, wire.Unhealthy, wire.Unhealthy, "the data is newer"},
		{"a damaged page", "store", func(f *fakes) { f.store.err = errors.New("disk image is malformed") }, wire.Unhealthy, wire.Unhealthy, "malformed"},
		{"the journal is not read", "journal", func(f *fakes) { f.following.Err = errors.New("no journalctl") }, wire.Degraded, wire.Degraded, "no journalctl"},
		{"the journal is behind", "journal", func(f *fakes) { f.following = Following{Err: errors.New("disk full"), Lag: time.Minute} }, wire.Degraded, wire.Degraded, "no events were taken in for 60 seconds: disk full"},
		{"events come", "journal", func(f *fakes) { f.following.Busy = true }, wire.Healthy, wire.Healthy, "followed, events are being taken in"},
		{"the ingester has ended", "journal", func(f *fakes) { f.refused = wire.NewProblem(wire.StoreRefused, "damaged", "restore it") }, wire.Unhealthy, wire.Degraded, "events are not stored"},
		{"no claude", "home", func(f *fakes) { f.version = "" }, wire.Degraded, wire.Degraded, "cannot run claude"},
		{"home is away", "home", func(f *fakes) { f.away = errors.New("clauster-home does not answer") }, wire.Degraded, wire.Degraded, "does not answer"},
		{"logged out", "home", func(f *fakes) { f.login.LoggedIn = false }, wire.Degraded, wire.Degraded, "not logged in"},
		{"a target fails", "deliveries", func(f *fakes) { f.store.figures.Failing = 2 }, wire.Degraded, wire.Degraded, "2 targets fail"},
		{"a crash", "bridges", func(f *fakes) { f.instances[0].Status, f.instances[0].Health = bridge.Crashed, "" }, wire.Degraded, wire.Degraded, "1 crashed"},
		{"wedged", "bridges", func(f *fakes) { f.instances[0].Health = bridge.Wedged }, wire.Degraded, wire.Degraded, "1 wedged"},
		{"waiting for a person", "bridges", func(f *fakes) { f.instances[0].Health = bridge.Waiting }, wire.Healthy, wire.Healthy, "1 waiting"},
		{"an old table", "bridges", func(f *fakes) { f.unheard = errors.New("the bus is away") }, wire.Degraded, wire.Degraded, "how the bridges are: the bus is away; before: 1 running"},
		{"no table yet", "bridges", func(f *fakes) { f.unheard, f.instances = errors.New("systemd was not asked yet"), nil }, wire.Degraded, wire.Degraded, "how the bridges are: systemd was not asked yet"},
		{"a closed web door", "web", func(f *fakes) { f.web = wire.NewProblem(wire.DoorClosed, "cannot use the certificate x", "repair it") }, wire.Degraded, wire.Degraded, "closed: cannot use the certificate x"},
		{"a bad reload", "config", func(f *fakes) { f.fault = "line 3: unknown key" }, wire.Degraded, wire.Degraded, "line 3"},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, src := newFakes(t, 1)
			test.fault(f)
			whole, checks := newBoard(t, src).Look(context.Background())
			i := slices.IndexFunc(checks, func(c wire.HealthCheck) bool { return c.Name == test.check })
			if whole != test.whole || checks[i].Status != test.part || !strings.Contains(checks[i].Detail, test.detail) {
				t.Errorf("%s, %+v", whole, checks[i])
			}
		})
	}
}

// TestLiveAtAStart: before claude was looked at, nobody is woken.
func TestLiveAtAStart(t *testing.T) {
	f, src := newFakes(t, 1)
	f.away = context.Canceled
	want := `{"status":"ok","version":"0.1.0","claude_ok":true,"claude_version":null,"claude_login_ok":true,"claude_login_method":null,"claude_login_expires_at":null,"instances_running":1}`
	if data, err := json.Marshal(newBoard(t, src).Live()); err != nil || string(data) != want {
		t.Errorf("%s %v", data, err)
	}
}

// TestLive: all there is to know, and a logout.
func TestLive(t *testing.T) {
	f, src := newFakes(t, 2)
	f.login.Expires = time.UnixMilli(1900000000123)
	b := newBoard(t, src)
	live := b.Live()
	if !live.ClaudeLoginOK || *live.ClaudeVersion != "2.1.330" || *live.ClaudeLoginMethod != "claude.ai" ||
		*live.ClaudeLoginExpiresAt != 1900000000123 || live.InstancesRunning != 2 {
		t.Errorf("%+v", live)
	}
	f.login = home.Auth{}
	if live := b.Live(); live.ClaudeLoginOK || live.ClaudeLoginMethod != nil {
		t.Errorf("after the logout: %+v", live)
	}
}

func TestWatchdogs(t *testing.T) {
	f, src := newFakes(t, 2)
	f.ages["clauster-api.service"] = 29 * time.Second
	list := newBoard(t, src).Health(context.Background()).Watchdogs
	if len(list) != 3 || list[0].Unit != "clauster-api.service" || !list[0].Late || list[1].Late || list[1].AgeSeconds != 1.5 {
		t.Errorf("%+v", list)
	}
	f.ages["clauster-home.service"] = time.Second // its socket has started it
	list = newBoard(t, src).Health(context.Background()).Watchdogs
	if len(list) != 4 || list[1].Unit != "clauster-home.service" || list[1].Late {
		t.Errorf("with home: %+v", list)
	}
}

func BenchmarkLive(b *testing.B) {
	_, src := newFakes(b, 200)
	board := newBoard(b, src)
	for b.Loop() {
		board.Live()
	}
}
