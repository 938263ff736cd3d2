package metrics

import (
	"maps"
	"math"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// Traffic counts answered requests by route and code, with their latency. Its
// size is bounded by the table of routes.
type Traffic struct {
	mu     sync.Mutex
	routes map[string]*routeTraffic // by pattern, «GET /health»
	fine   [fineBuckets + 1]uint64  // all routes, for estimates of quantiles
	timed  uint64
	total  uint64
	denied uint64
}

type routeTraffic struct {
	codes   map[int]uint64
	buckets [len(latencyBounds)]uint64 // each request in the one bucket it fits
	timed   uint64
	seconds float64
}

// latencyBounds are the buckets of the histogram on the Prometheus page, in
// seconds: /healthz is to answer in 0.2 ms, a start may take a minute.
var latencyBounds = [...]float64{0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60}

// The fine buckets grow by a tenth from 1 µs to over 100 s.
const (
	fineBuckets = 200
	fineFirst   = 1e-6
	fineGrowth  = 1.1
)

// NewTraffic makes a Traffic without any.
func NewTraffic() *Traffic { return &Traffic{routes: map[string]*routeTraffic{}} }

// Observe counts a request that a route answered with a code. took < 0 leaves
// the latency out: a stream lasts as long as its reader likes. route is a
// pattern of the table, never a path that somebody sent.
func (t *Traffic) Observe(route string, code int, took time.Duration) {
	t.mu.Lock()
	defer t.mu.Unlock()
	r := t.routes[route]
	if r == nil {
		r = &routeTraffic{codes: map[int]uint64{}}
		t.routes[route] = r
	}
	r.codes[code]++
	t.total++
	switch code {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusMisdirectedRequest, http.StatusTooManyRequests:
		t.denied++
	}
	if took < 0 {
		return
	}
	s := took.Seconds()
	r.timed++
	r.seconds += s
	if i, _ := slices.BinarySearch(latencyBounds[:], s); i < len(latencyBounds) {
		r.buckets[i]++
	}
	t.timed++
	t.fine[fineBucket(s)]++
}

// fineBucket is the first fine bucket whose bound is not below s.
func fineBucket(s float64) int {
	if s <= fineFirst {
		return 0
	}
	return min(fineBuckets, int(math.Ceil(math.Log(s/fineFirst)/math.Log(fineGrowth)-1e-9)))
}

// Quantile estimates a quantile of all latencies: the upper bound of the bucket
// it falls into, at most a tenth too high; 0 without any.
func (t *Traffic) Quantile(q float64) time.Duration {
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.timed == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(t.timed)))
	var seen uint64
	for i, n := range t.fine {
		seen += n
		if seen >= rank && n > 0 {
			return time.Duration(fineFirst * math.Pow(fineGrowth, float64(i)) * float64(time.Second))
		}
	}
	return 0
}

// Totals gives how many requests were answered, and how many of them by a
// refusal of the sender: 401, 403, 421, 429.
func (t *Traffic) Totals() (all, denied uint64) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.total, t.denied
}

// routeFigures is a copy of one route's figures. Buckets are cumulative.
type routeFigures struct {
	route   string
	codes   map[int]uint64
	buckets [len(latencyBounds)]uint64
	timed   uint64
	seconds float64
}

// figures copies what was counted, by route.
func (t *Traffic) figures() []routeFigures {
	t.mu.Lock()
	defer t.mu.Unlock()
	all := make([]routeFigures, 0, len(t.routes))
	for route, r := range t.routes {
		f := routeFigures{route: route, codes: maps.Clone(r.codes), timed: r.timed, seconds: r.seconds}
		var sum uint64
		for i, n := range r.buckets {
			sum += n
			f.buckets[i] = sum
		}
		all = append(all, f)
	}
	slices.SortFunc(all, func(a, b routeFigures) int { return strings.Compare(a.route, b.route) })
	return all
}
