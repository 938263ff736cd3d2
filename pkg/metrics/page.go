package metrics

import (
	"context"
	"maps"
	"slices"
	"strconv"
	"sync"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/home"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// Page makes the Prometheus page, from figures read at each scrape.
type Page struct {
	src     *Sources
	traffic *Traffic

	mu sync.Mutex // one scrape at a time: CPU percent is since the one before
	text
	before map[string]use
}

// scrapeLimit bounds what a scrape waits for systemd and the database.
const scrapeLimit = 3 * time.Second

// NewPage makes a Page.
func NewPage(src *Sources, traffic *Traffic) *Page {
	return &Page{src: src, traffic: traffic, text: text{families: Families()}}
}

// Text is the page of this moment. systemd and the database are asked while the
// control groups are read; what does not answer in time is left out.
func (s *Page) Text(ctx context.Context) []byte {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.reset()
	ctx, cancel := context.WithTimeout(ctx, scrapeLimit)
	defer cancel()
	instances := s.src.Instances()
	var asked sync.WaitGroup
	var ages map[string]time.Duration
	var systemdErr, storeErr, homeErr error
	var projects home.Projects
	var figures store.Figures
	asked.Go(func() { ages, systemdErr = s.watchdogs(ctx, instances) })
	asked.Go(func() { figures, storeErr = s.stored(ctx) })
	asked.Go(func() { projects, homeErr = s.projects(ctx) })
	readings := s.src.readAll(instances)
	asked.Wait()

	s.put(famBuild, 1, label("version", s.src.Version))
	s.census(instances)
	s.bridges(readings, ages)
	s.put(famUp, truth(systemdErr == nil), "")
	if homeErr == nil {
		s.put(famProjects, float64(len(projects.Projects)), "")
	}
	s.login()
	s.put(famStoreUp, truth(storeErr == nil), "")
	if storeErr == nil {
		s.database(figures)
	}
	if f := s.src.Journal(); f.Err == nil {
		s.put(famLag, f.Lag.Seconds(), "")
	}
	s.requests()
	return s.page()
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (s *Page) watchdogs(ctx context.Context, instances []wire.Instance) (map[string]time.Duration, error) {
	var units []string
	for _, i := range instances {
		if lives(i) {
			units = append(units, i.Unit)
		}
	}
	return s.src.Systemd.WatchdogAges(ctx, units)
}

func (s *Page) stored(ctx context.Context) (store.Figures, error) {
	db := s.src.Store()
	if db == nil {
		return store.Figures{}, errNoStore
	}
	return db.Figures(ctx)
}

// census counts the bridges; all five statuses are there, also with 0.
func (s *Page) census(instances []wire.Instance) {
	counts := byStatus(instances)
	for _, status := range statuses() {
		s.put(famBridges, float64(counts[string(status)]), label("status", string(status)))
	}
}

// projectsPatience is how long a scrape waits for a count of projects that is
// not fresh.
const projectsPatience = 100 * time.Millisecond

func (s *Page) projects(ctx context.Context) (home.Projects, error) {
	ctx, cancel := context.WithTimeout(ctx, projectsPatience)
	defer cancel()
	p, _, err := s.src.Home.Projects(ctx)
	return p, err
}

// login shows claude as it was at the last look: a scrape waits for no
// subprocess.
func (s *Page) login() {
	l := s.src.KnownLogin()
	if l.Probed {
		s.put(famClaudeOK, truth(l.ClaudeOK), "")
		s.put(famLoginOK, truth(l.OK), "")
	}
	if !l.Expires.IsZero() {
		s.put(famLoginExpires, float64(l.Expires.UnixMilli())/1000, "")
	}
}

func (s *Page) database(f store.Figures) {
	s.counters(famCrashes, "project", f.Counters[store.CountCrashes])
	s.counters(famEvents, "event", f.Counters[store.CountEvents])
	s.counters(famAPIErrors, "kind", f.Counters[store.CountAPIErrors])
	for _, d := range f.Deliveries {
		s.put(famDeliveries, float64(d.Count), label("channel", d.Channel)+","+label("state", string(d.State)))
	}
	s.put(famFailing, float64(f.Failing), "")
	s.put(famStoreBytes, float64(f.Bytes), "")
}

func (s *Page) counters(family int, name string, values map[string]uint64) {
	for _, key := range slices.Sorted(maps.Keys(values)) {
		s.put(family, float64(values[key]), label(name, key))
	}
}

func (s *Page) requests() {
	for _, r := range s.traffic.figures() {
		route := label("route", r.route)
		for _, code := range slices.Sorted(maps.Keys(r.codes)) {
			s.put(famRequests, float64(r.codes[code]), route+","+label("code", strconv.Itoa(code)))
		}
		if r.timed > 0 {
			s.histogram(famLatency, &r, route)
		}
	}
}

// statuses lists the five statuses.
func statuses() []bridge.Status {
	return []bridge.Status{bridge.Starting, bridge.Running, bridge.Stopped, bridge.Crashed, bridge.Failed}
}

// healths lists the healths of living bridges.
func healths() []bridge.Health {
	return []bridge.Health{bridge.OK, bridge.Reattaching, bridge.Reconnecting, bridge.Waiting, bridge.Wedged, bridge.Frozen}
}

func byStatus(instances []wire.Instance) map[string]int {
	counts := map[string]int{}
	for _, status := range statuses() {
		counts[string(status)] = 0
	}
	for _, i := range instances {
		counts[string(i.Status)]++
	}
	return counts
}
