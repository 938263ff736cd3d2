package metrics

import (
	"bytes"
	"context"
	"flag"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/store"
	"clauster/pkg/wire"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the golden files")

func newPage(t testing.TB, src *Sources) (*Page, *Traffic) {
	t.Helper()
	traffic := NewTraffic()
	return NewPage(src, traffic, slog.New(slog.DiscardHandler)), traffic
}

// text scrapes, and fails where a sample was left out.
func text(t testing.TB, p *Page) []byte {
	t.Helper()
	var log bytes.Buffer
	p.log = slog.New(slog.NewTextHandler(&log, nil))
	page := p.Text(context.Background())
	if log.Len() > 0 {
		t.Fatal(log.String())
	}
	return page
}

// busy makes a world in which every family has a sample.
func busy(t testing.TB) (*fakes, *Sources) {
	f, src := newFakes(t, 2)
	f.every = 2 * time.Second // systemd is asked again at each scrape
	f.login.Expires = time.Unix(1900000000, 0)
	dead := bridge.Instance{Project: "shop", Label: "review"}
	f.instances = append(f.instances, wire.Instance{Instance: dead.String(), Project: "shop", Unit: dead.Unit(), Scope: dead.Scope(),
		Status: bridge.Crashed, Since: wire.Time{Time: time.Now().Add(-time.Minute)}})
	f.store.figures = store.Figures{Counters: map[store.Counter]map[string]uint64{
		store.CountCrashes:   {"shop": 2, "we\"ird\\": 1},
		store.CountEvents:    {"crash": 3, "ready": 7, "spawn": 8},
		store.CountAPIErrors: {"overloaded": 4},
	}, Deliveries: []store.DeliveryCount{{Channel: "webhook", State: wire.DeliveryDead, Count: 1}}, Failing: 1, Bytes: 123456}
	f.following.Lag = 1500 * time.Millisecond
	return f, src
}

// cleaned takes what differs from run to run out of a page.
func cleaned(page []byte) string {
	text := regexp.MustCompile(`(?m)^(clauster_bridge_state_seconds\{.*\}) .*$`).ReplaceAllString(string(page), "$1 SECONDS")
	return regexp.MustCompile(`(?m)^(clauster_bridge_cpu_percent\{.*\}) .*$`).ReplaceAllString(text, "$1 PERCENT")
}

// TestPage compares the whole page; promtool judges it where there is one.
func TestPage(t *testing.T) {
	_, src := busy(t)
	p, traffic := newPage(t, src)
	traffic.Observe("GET /healthz", 200, 150*time.Microsecond)
	traffic.Observe("GET /healthz", 200, 3*time.Millisecond)
	traffic.Observe("GET /health", 401, 10*time.Minute)
	traffic.Observe("GET /api/v1/events/stream", 200, -1)

	first := text(t, p)
	if bytes.Contains(first, []byte("clauster_bridge_cpu_percent")) {
		t.Error("the first scrape tells a mean since the one before")
	}
	awaitSpan(t, p)
	setUse(t, src.Cgroups.Root, bridge.Instance{Project: "project-000"}, 2500000)
	second := text(t, p)

	golden := filepath.Join("testdata", "page.txt")
	if *update {
		if err := os.WriteFile(golden, []byte(cleaned(second)), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), cleaned(second)); diff != "" {
		t.Errorf("page (-want +got), go test -update writes it:\n%s", diff)
	}
	for _, family := range Families() {
		if !bytes.Contains(second, []byte("\n# TYPE "+family.Name+" "+family.Type+"\n")) {
			t.Errorf("%s is not on the page", family.Name)
		}
	}
	promtool(t, second)
}

// awaitSpan waits until a mean can be made.
func awaitSpan(t *testing.T, p *Page) {
	t.Helper()
	for _, u := range p.before {
		<-time.After(time.Until(u.at.Add(2 * minSpan)))
	}
}

func promtool(t *testing.T, page []byte) {
	t.Helper()
	path, err := exec.LookPath("promtool")
	if err != nil {
		t.Log("SKIPPED: promtool is not installed (Debian: prometheus)")
		return
	}
	cmd := exec.Command(path, "check", "metrics")
	cmd.Stdin = bytes.NewReader(page)
	if out, err := cmd.CombinedOutput(); err != nil || len(out) > 0 {
		t.Errorf("promtool check metrics: %v\n%s", err, out)
	}
}

// TestSeedFamilies: names, types and labels of the peer product, literally.
func TestSeedFamilies(t *testing.T) {
	_, src := busy(t)
	p, _ := newPage(t, src)
	text(t, p)
	awaitSpan(t, p)
	page := string(text(t, p))
	for _, want := range []string{
		"# TYPE clauster_build_info gauge\nclauster_build_info{version=\"0.1.0\"} 1\n",
		"# TYPE clauster_bridges gauge\nclauster_bridges{status=\"crashed\"} 1\nclauster_bridges{status=\"error\"} 0\n" +
			"clauster_bridges{status=\"running\"} 2\nclauster_bridges{status=\"starting\"} 0\nclauster_bridges{status=\"stopped\"} 0\n",
		"# TYPE clauster_projects gauge\nclauster_projects 2\n",
		"# TYPE clauster_bridge_crashes_total counter\nclauster_bridge_crashes_total{project=\"shop\"} 2\n",
		`clauster_bridge_crashes_total{project="we\"ird\\"} 1` + "\n",
		"# TYPE clauster_bridge_cpu_percent gauge\nclauster_bridge_cpu_percent{project=\"project-000\"} ",
		"# TYPE clauster_bridge_rss_bytes gauge\nclauster_bridge_rss_bytes{project=\"project-000\"} 6.291456e+07\n",
	} {
		if !strings.Contains(page, want) {
			t.Errorf("missing:\n%s", want)
		}
	}
	for _, absent := range []string{"clauster_hosted_sessions", "clauster_claustrum_up"} {
		if strings.Contains(page, absent) {
			t.Errorf("%s is on the page", absent)
		}
	}
}

// TestPageWithoutAnything: what is unknown is absent, and the page is still one.
func TestPageWithoutAnything(t *testing.T) {
	f, src := newFakes(t, 1)
	f.cfg.Metrics.Enabled = false
	f.refused = wire.NewProblem(wire.StoreRefused, "cannot use the database", "")
	f.following.Err = context.Canceled
	f.systemd = context.DeadlineExceeded
	f.version, f.ages = "", nil
	p, _ := newPage(t, src)
	page := string(text(t, p))
	for _, want := range []string{"clauster_store_up 0\n", "clauster_systemd_up 0\n", "clauster_claude_ok 0\n", "clauster_bridges{status=\"running\"} 1\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("missing: %s", want)
		}
	}
	for _, absent := range []string{"clauster_bridge_crashes_total", "clauster_bridge_rss_bytes", "clauster_bridge_memory_bytes",
		"clauster_journal_lag_seconds", "clauster_keeper_watchdog_age_seconds", "clauster_store_bytes"} {
		if strings.Contains(page, absent) {
			t.Errorf("%s is on the page", absent)
		}
	}
	promtool(t, []byte(page))
}

// TestCPUPercent: half a second of CPU in one second is 50; another run, whose
// counter begins anew, is no mean.
func TestCPUPercent(t *testing.T) {
	now := time.Now()
	before := use{run: "a", at: now, cpu: 1000000}
	rate, ok := use{run: "a", at: now.Add(time.Second), cpu: 1500000}.since(before)
	if !ok || rate.cpuPercent != 50 {
		t.Errorf("got %v %v", rate, ok)
	}
	for name, u := range map[string]use{
		"another run":    {run: "b", at: now.Add(time.Second), cpu: 1500000},
		"went backwards": {run: "a", at: now.Add(time.Second), cpu: 10},
		"too soon":       {run: "a", at: now.Add(time.Millisecond), cpu: 1000001},
	} {
		if _, ok := u.since(before); ok {
			t.Errorf("%s: a mean was made", name)
		}
	}
}

func BenchmarkPage200(b *testing.B) {
	_, src := newFakes(b, 200)
	p, _ := newPage(b, src)
	b.ReportAllocs()
	size := 0
	for b.Loop() {
		size = len(text(b, p))
	}
	b.ReportMetric(float64(size), "bytes")
}

// TestPageSaysWhatHealthSays: the alerts for late events and for a database that
// is not used ask for figures that were once 0 or absent, and 1, by then.
func TestPageSaysWhatHealthSays(t *testing.T) {
	f, src := newFakes(t, 0)
	f.following = Following{Err: context.DeadlineExceeded, Lag: time.Minute}
	f.refused = wire.NewProblem(wire.StoreRefused, "the disk is full", "")
	src.Store = func() Store { return f.store } // it can be read
	p, _ := newPage(t, src)
	page := string(text(t, p))
	if finding := newBoard(t, src).deliveries(t.Context()); finding.Status != wire.Degraded {
		t.Errorf("deliveries: %+v", finding)
	}
	for _, want := range []string{"\nclauster_journal_lag_seconds 60\n", "\nclauster_store_up 0\n", "\nclauster_store_bytes 0\n"} {
		if !strings.Contains(page, want) {
			t.Errorf("missing: %s", want)
		}
	}
}

// TestPageBeforeSystemd: no bridges that were ever seen are not none.
func TestPageBeforeSystemd(t *testing.T) {
	f, src := newFakes(t, 0)
	p, _ := newPage(t, src)
	if page := string(text(t, p)); !strings.Contains(page, "clauster_bridges{status=\"running\"} 0\n") {
		t.Error("none is not 0")
	}
	f.unheard = context.DeadlineExceeded
	if page := string(text(t, p)); strings.Contains(page, "clauster_bridges{") {
		t.Error("unknown is 0")
	}
}
