package metrics

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/config"
	"clauster/pkg/home"
	"clauster/pkg/project"
	"clauster/pkg/store"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"
)

// fakes are sources with a world of files and plain values.
type fakes struct {
	instances []wire.Instance
	store     *fakeStore
	cfg       config.Config
	ages      map[string]time.Duration
	every     time.Duration // WatchdogSec=
	asked     []string      // units, of their watchdogs
	systemd   error
	version   string
	login     home.Auth
	away      error // of home
	projects  int
	refused   *wire.Problem
	following Following
	fault     string
	web       *wire.Problem
	unheard   error // why the table is old
	claude    func() (home.Claude, home.Age, error)
	auth      func() (home.Auth, home.Age, error)
}

func (f *fakes) SystemState(context.Context) (string, error) { return "running", f.systemd }
func (f *fakes) WatchdogAges(_ context.Context, units []string) (map[string]time.Duration, error) {
	f.asked = append(f.asked, units...)
	return f.ages, f.systemd
}
func (f *fakes) Watchdogs(_ context.Context, units []string) (map[string]systemd.Watchdog, error) {
	f.asked = append(f.asked, units...)
	out := map[string]systemd.Watchdog{}
	for _, u := range units {
		if age, ok := f.ages[u]; ok {
			out[u] = systemd.Watchdog{Every: f.every, Age: age}
		}
	}
	return out, f.systemd
}
func (f *fakes) ClaudeVersion(context.Context) (home.Claude, home.Age, error) {
	if f.claude != nil {
		return f.claude()
	}
	if f.version == "" {
		return home.Claude{}, home.Age{}, &home.Error{Message: "cannot run claude: no such file"}
	}
	return home.Claude{Version: f.version}, home.Age{}, f.away
}
func (f *fakes) AuthStatus(context.Context) (home.Auth, home.Age, error) {
	if f.auth != nil {
		return f.auth()
	}
	return f.login, home.Age{}, f.away
}
func (f *fakes) Projects(context.Context) (home.Projects, home.Age, error) {
	return home.Projects{Projects: make([]project.Facts, f.projects)}, home.Age{}, nil
}

type fakeStore struct {
	figures store.Figures
	counts  map[string]int
	errors  []wire.APIErrorCount
	err     error
}

func (s *fakeStore) Figures(context.Context) (store.Figures, error) { return s.figures, s.err }
func (s *fakeStore) EventCounts(context.Context, time.Time) (map[string]int, error) {
	return s.counts, s.err
}
func (s *fakeStore) APIErrors(context.Context, time.Time) ([]wire.APIErrorCount, error) {
	return s.errors, s.err
}

// newFakes makes n running bridges with control groups.
func newFakes(t testing.TB, n int) (*fakes, *Sources) {
	t.Helper()
	root := t.TempDir()
	write(t, root, "cgroup.controllers", "cpu io memory pids\n")
	f := &fakes{ages: map[string]time.Duration{}, every: 30 * time.Second, version: "2.1.330", login: home.Auth{LoggedIn: true, Method: "claude.ai"}, projects: n}
	f.cfg.Metrics = config.Metrics{Enabled: true, ShowDisk: true}
	f.store = &fakeStore{}
	for i := range n {
		in := bridge.Instance{Project: fmt.Sprintf("project-%03d", i)}
		f.instances = append(f.instances, wire.Instance{Instance: in.String(), Project: in.Project, Unit: in.Unit(), Scope: in.Scope(),
			Status: bridge.Running, Health: bridge.OK, Restarts: new(int), Run: "run1", Since: wire.Time{Time: time.Now().Add(-time.Hour)}})
		f.ages[in.Unit()] = 1500 * time.Millisecond
		setUse(t, root, in, 2000000)
	}
	src := &Sources{Host: "host", Version: "0.1.0", Started: time.Now().Add(-time.Minute),
		Config: func() *config.Config { return &f.cfg }, Instances: func() []wire.Instance { return f.instances },
		Systemd: f, Home: f, Store: func() Store {
			if f.refused != nil {
				return nil
			}
			return f.store
		},
		StoreRefused: func() *wire.Problem { return f.refused }, Journal: func() Following { return f.following },
		InstancesAway: func() error { return f.unheard }, WebClosed: func() *wire.Problem { return f.web },
		ConfigFault: func() *wire.Problem {
			if f.fault == "" {
				return nil
			}
			return wire.NewProblem(wire.Unavailable, f.fault, "clauster-ctl config check")
		}, OwnUnit: "clauster-api.service",
		Cgroups: cgroup.Host{Root: root, Proc: "/proc"}, Machine: NewHost("/proc", "/")}
	return f, src
}

func setUse(t testing.TB, root string, i bridge.Instance, cpuMicros int) {
	t.Helper()
	dir := filepath.Join(bridge.Slice, i.Scope())
	psi := func(n int) string {
		return fmt.Sprintf("some avg10=1.50 avg60=0.00 avg300=0.00 total=%d\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=%d\n", n, n/2)
	}
	for file, text := range map[string]string{
		"cgroup.procs": "", "cpu.stat": fmt.Sprintf("usage_usec %d\nuser_usec 0\nsystem_usec 0\n", cpuMicros),
		"memory.current": "104857600\n", "memory.peak": "209715200\n", "pids.current": "12\n",
		"memory.events": "low 0\nhigh 3\nmax 0\noom 1\noom_kill 1\n",
		"memory.stat":   "anon 52428800\nfile 41943040\nkernel 1\nfile_mapped 10485760\n",
		"io.stat":       "8:0 rbytes=4096 wbytes=8192 rios=1 wios=2 dbytes=0 dios=0\n",
		"cpu.pressure":  psi(1000000), "memory.pressure": psi(2000000), "io.pressure": psi(3000000),
	} {
		write(t, root, filepath.Join(dir, file), text)
	}
}

func write(t testing.TB, root, name, text string) {
	t.Helper()
	path := filepath.Join(root, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}
