package metrics

import (
	"bytes"
	"strconv"
	"strings"

	"clauster/pkg/store"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
)

// PageMedia is the media type of a Page: the text format of Prometheus.
const PageMedia = "text/plain; version=0.0.4; charset=utf-8"

// collector shows the facts of the scrape under way. It is one for all
// families, as they come of one look. Page.mu is held.
type collector struct{ *Page }

// Describe tells the families.
func (c collector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		to <- d
	}
}

// Collect tells the samples.
func (c collector) Collect(to chan<- prometheus.Metric) {
	o := &out{to: to, page: c.Page, shared: map[[2]string]*dto.LabelPair{}}
	f := &c.now
	o.put(famBuild, 1, c.src.Version)
	if len(f.instances) > 0 || c.src.InstancesAway() == nil {
		// Five zeros would say that nothing runs, where systemd was not heard yet.
		counts := byStatus(f.instances)
		for _, status := range statuses() {
			o.put(famBridges, float64(counts[string(status)]), string(status))
		}
	}
	o.bridges(f)
	o.put(famUp, truth(f.systemdErr == nil))
	if f.homeErr == nil {
		o.put(famProjects, float64(len(f.projects.Projects)))
	}
	o.login(c.src.KnownLogin())
	o.put(famStoreUp, truth(f.storeErr == nil && c.src.StoreRefused() == nil))
	if f.storeErr == nil {
		o.database(f.figures)
	}
	if j := c.src.Journal(); j.Err == nil || j.Lag > 0 {
		o.put(famLag, j.Lag.Seconds())
	}
	o.requests(c.traffic.figures())
}

// out is where samples go.
type out struct {
	to     chan<- prometheus.Metric
	page   *Page
	free   []series
	shared map[[2]string]*dto.LabelPair
}

// put tells a sample, with the labels' values in the order of its Family.
func (o *out) put(family int, value float64, labels ...string) {
	o.to <- prometheus.MustNewConstMetric(o.page.descs[family], o.page.types[family], value, valid(labels)...)
}

// valid makes labels what the format can carry: names of projects are those of
// directories.
func valid(labels []string) []string {
	for i, l := range labels {
		labels[i] = strings.ToValidUTF8(l, "\uFFFD")
	}
	return labels
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

// login shows claude as it was at the last look: a scrape waits for no
// subprocess.
func (o *out) login(l Login) {
	if l.Probed {
		o.put(famClaudeOK, truth(l.ClaudeOK))
		o.put(famLoginOK, truth(l.OK))
	}
	if !l.Expires.IsZero() {
		o.put(famLoginExpires, float64(l.Expires.UnixMilli())/1000)
	}
}

func (o *out) database(f store.Figures) {
	o.counters(famCrashes, f.Counters[store.CountCrashes])
	o.counters(famEvents, f.Counters[store.CountEvents])
	o.counters(famAPIErrors, f.Counters[store.CountAPIErrors])
	for _, d := range f.Deliveries {
		o.put(famDeliveries, float64(d.Count), d.Channel, string(d.State))
	}
	o.put(famFailing, float64(f.Failing))
	o.put(famStoreBytes, float64(f.Bytes))
}

func (o *out) counters(family int, values map[string]uint64) {
	for key, n := range values {
		o.put(family, float64(n), key)
	}
}

func (o *out) requests(all []routeFigures) {
	for i := range all {
		r := &all[i]
		for code, n := range r.codes {
			o.put(famRequests, float64(n), r.route, strconv.Itoa(code))
		}
		if r.timed == 0 {
			continue
		}
		buckets := make(map[float64]uint64, len(r.buckets))
		for i, n := range r.buckets {
			buckets[latencyBounds[i]] = n
		}
		o.to <- prometheus.MustNewConstHistogram(o.page.descs[famLatency], r.timed, r.seconds, buckets, valid([]string{r.route})...)
	}
}

// encode writes families in the text format of Prometheus, which every version
// reads. size is what the page may need.
func encode(families []*dto.MetricFamily, size int) []byte {
	var b bytes.Buffer
	b.Grow(size + size/8)
	for _, f := range families {
		_, _ = expfmt.MetricFamilyToText(&b, f) // of a registry it cannot fail
	}
	return b.Bytes()
}
