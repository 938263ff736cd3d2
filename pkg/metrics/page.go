package metrics

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/home"
	"clauster/pkg/store"
	"clauster/pkg/systemd"
	"clauster/pkg/wire"

	"github.com/prometheus/client_golang/prometheus"
)

// Page makes the Prometheus page, from figures read at each scrape.
type Page struct {
	src     *Sources
	traffic *Traffic
	log     *slog.Logger

	mu       sync.Mutex // one scrape at a time: CPU percent is since the one before
	registry *prometheus.Registry
	descs    [familyCount]*prometheus.Desc
	types    [familyCount]prometheus.ValueType // not of histograms
	now      facts
	before   map[string]use
	size     int // of the last page
}

// facts are what one scrape shows.
type facts struct {
	instances []wire.Instance
	readings  []reading
	watchdogs map[string]systemd.Watchdog // of the keepers, by unit
	projects  home.Projects
	figures   store.Figures

	systemdErr, homeErr, storeErr error
}

// scrapeLimit bounds what a scrape waits for systemd and the database.
const scrapeLimit = 3 * time.Second

// NewPage makes a Page. Its registry is its own: what a library puts into the
// default one is not on the page.
func NewPage(src *Sources, traffic *Traffic, log *slog.Logger) *Page {
	p := &Page{src: src, traffic: traffic, log: log, registry: prometheus.NewRegistry()}
	for i, f := range Families() {
		p.descs[i] = prometheus.NewDesc(f.Name, f.Help, f.Labels, nil)
		p.types[i] = prometheus.GaugeValue
		if f.Type == "counter" {
			p.types[i] = prometheus.CounterValue
		}
	}
	p.registry.MustRegister(collector{p})
	return p
}

// Text is the page of this moment. What does not answer in time is left out.
// So is a sample that client_golang finds wrong, which is a fault of ours: it is
// logged, and monitoring keeps the rest.
func (p *Page) Text(ctx context.Context) []byte {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.now = p.look(ctx)
	families, err := p.registry.Gather()
	p.now = facts{}
	if err != nil {
		p.log.Error("cannot show all metrics", "error", err)
	}
	page := encode(families, p.size)
	p.size = len(page)
	return page
}

// look asks systemd, the database and home while it reads the control groups.
func (p *Page) look(ctx context.Context) facts {
	ctx, cancel := context.WithTimeout(ctx, scrapeLimit)
	defer cancel()
	f := facts{instances: p.src.Instances()}
	var asked sync.WaitGroup
	asked.Go(func() { f.watchdogs, f.systemdErr = p.watchdogs(ctx, f.instances) })
	asked.Go(func() { f.figures, f.storeErr = p.stored(ctx) })
	asked.Go(func() { f.projects, f.homeErr = p.projects(ctx) })
	f.readings = p.src.readAll(f.instances)
	asked.Wait()
	return f
}

// watchdogs asks systemd at each scrape, if only for its state: whether it
// answers is on the page.
func (p *Page) watchdogs(ctx context.Context, instances []wire.Instance) (map[string]systemd.Watchdog, error) {
	if _, err := p.src.Systemd.SystemState(ctx); err != nil {
		return nil, err
	}
	var units []string
	for _, i := range instances {
		if lives(i) {
			units = append(units, i.Unit)
		}
	}
	return p.src.pings.look(ctx, p.src.Systemd, units)
}

func (p *Page) stored(ctx context.Context) (store.Figures, error) {
	db := p.src.Store()
	if db == nil {
		return store.Figures{}, errNoStore
	}
	return db.Figures(ctx)
}

// projectsPatience is how long a scrape waits for a count of projects that is
// not fresh.
const projectsPatience = 100 * time.Millisecond

func (p *Page) projects(ctx context.Context) (home.Projects, error) {
	ctx, cancel := context.WithTimeout(ctx, projectsPatience)
	defer cancel()
	all, _, err := p.src.Home.Projects(ctx)
	return all, err
}

// readAll reads the control groups, unless the configuration says not to.
func (s *Sources) readAll(instances []wire.Instance) []reading {
	if s.Config().Metrics.Enabled {
		return s.read(instances)
	}
	all := make([]reading, len(instances))
	for i := range instances {
		all[i].Instance = instances[i]
	}
	return all
}

// statuses lists the five statuses.
func statuses() []bridge.Status {
	return []bridge.Status{bridge.Starting, bridge.Running, bridge.Stopped, bridge.Crashed, bridge.Failed}
}

// healths lists the healths of living bridges.
func healths() []bridge.Health {
	return []bridge.Health{bridge.OK, bridge.Reattaching, bridge.Reconnecting, bridge.Waiting, bridge.Wedged, bridge.Frozen}
}

// sortedHealths is healths as the page has them: what is sorted already costs
// client_golang little to sort.
func sortedHealths() []bridge.Health {
	return []bridge.Health{bridge.Frozen, bridge.OK, bridge.Reattaching, bridge.Reconnecting, bridge.Waiting, bridge.Wedged}
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
