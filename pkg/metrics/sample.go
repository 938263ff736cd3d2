package metrics

import (
	"context"
	"math"
	"runtime"
	"sync"
	"time"

	"clauster/pkg/cgroup"
	"clauster/pkg/wire"
)

// Sampler tells what bridges use, with rates over a short span. It remembers
// the last reading of each instance for as long as it is of use.
type Sampler struct {
	src *Sources

	mu   sync.Mutex
	last map[string]use
}

// A rate is made of a reading in the past of at least shortest and at most
// longest; without one a second reading is made after shortest.
const (
	shortestRate = 200 * time.Millisecond
	longestRate  = time.Minute
	maxRemember  = 4096
)

// NewSampler makes a Sampler.
func NewSampler(src *Sources) *Sampler { return &Sampler{src: src, last: map[string]use{}} }

// Sample tells what instances use together, nil where none lives or the
// configuration says not to look. It may wait for shortestRate.
func (s *Sampler) Sample(ctx context.Context, instances []wire.Instance) *wire.Sample {
	cfg := s.src.Config()
	if !cfg.Metrics.Enabled {
		return nil
	}
	readings := known(s.src.read(instances))
	if len(readings) == 0 {
		return nil
	}
	before := s.before(readings)
	if before == nil {
		select {
		case <-ctx.Done():
		case <-time.After(shortestRate):
		}
		before = make(map[string]use, len(readings))
		for i := range readings {
			before[readings[i].Instance.Instance] = readings[i].use()
		}
		if again := known(s.src.read(instances)); len(again) > 0 {
			readings = again
		}
	}
	s.remember(readings)
	sum := &wire.Sample{Running: true, Host: s.src.Host, CPUNormalized: cfg.Metrics.NormalizeCPU, Instances: []string{}}
	for i := range readings {
		s.src.addTo(sum, &readings[i], before[readings[i].Instance.Instance])
	}
	if cfg.Metrics.NormalizeCPU {
		sum.CPUPercent /= float64(runtime.NumCPU())
	}
	sum.CPUPercent = tenths(sum.CPUPercent)
	if !cfg.Metrics.ShowDisk {
		sum.DiskReadBPS, sum.DiskWriteBPS, sum.IOReadBytes, sum.IOWriteBytes = nil, nil, nil, nil
	}
	if len(readings) == 1 && len(readings[0].Pressure) > 0 {
		sum.Pressure = map[string]float64{}
		for _, p := range readings[0].Pressure {
			sum.Pressure[p.Resource] = p.Some.Avg10 / 100
		}
	}
	return sum
}

// known keeps the readings of instances that have a control group.
func known(all []reading) []reading {
	var some []reading
	for _, r := range all {
		if r.known {
			some = append(some, r)
		}
	}
	return some
}

// before gives the earlier readings, nil unless there is a usable one for each.
func (s *Sampler) before(readings []reading) map[string]use {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := make(map[string]use, len(readings))
	for i := range readings {
		name := readings[i].Instance.Instance
		u := s.last[name]
		rate, ok := readings[i].use().since(u)
		if !ok || rate.span < shortestRate || rate.span > longestRate {
			return nil
		}
		before[name] = u
	}
	return before
}

func (s *Sampler) remember(readings []reading) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.last) > maxRemember {
		clear(s.last) // instances that are long gone; the next question reads twice
	}
	for i := range readings {
		s.last[readings[i].Instance.Instance] = readings[i].use()
	}
}

// addTo adds one instance to a sum. A figure that one instance has not got is
// left out of the sum, not of the answer.
func (s *Sources) addTo(sum *wire.Sample, r *reading, before use) {
	sum.Instances = append(sum.Instances, r.Instance.Instance)
	sum.Procs += s.processes(r)
	if r.Resident.Known {
		sum.RSSBytes += r.Resident.N
	}
	add(&sum.MemoryBytes, r.Memory)
	add(&sum.MemoryPeakBytes, r.MemoryPeak)
	add(&sum.MemoryHigh, cgroup.Count{N: r.Events.High, Known: r.EventsKnown})
	add(&sum.OOMKills, cgroup.Count{N: r.Events.OOMKill, Known: r.EventsKnown})
	add(&sum.IOReadBytes, r.IORead)
	add(&sum.IOWriteBytes, r.IOWritten)
	add(&sum.Pids, r.Pids)
	if r.CPUMicros.Known {
		seconds := r.CPU().Seconds()
		if sum.CPUSeconds != nil {
			seconds += *sum.CPUSeconds
		}
		sum.CPUSeconds = &seconds
	}
	rate, ok := r.use().since(before)
	if !ok {
		return
	}
	sum.CPUPercent += rate.cpuPercent
	sum.IntervalSeconds = max(sum.IntervalSeconds, math.Round(rate.span.Seconds()*1000)/1000)
	if rate.ioKnown {
		addRate(&sum.DiskReadBPS, rate.readPerSecond)
		addRate(&sum.DiskWriteBPS, rate.writePerSecond)
	}
}

func (s *Sources) processes(r *reading) int {
	g, err := s.Cgroups.Open(s.scopePath(r.Instance))
	if err != nil {
		return 0
	}
	defer g.Close()
	pids, _, err := g.Procs()
	if err != nil {
		return 0
	}
	return len(pids)
}

func add(to **uint64, c cgroup.Count) {
	if !c.Known {
		return
	}
	n := c.N
	if *to != nil {
		n += **to
	}
	*to = &n
}

func addRate(to **int64, perSecond float64) {
	n := int64(math.Round(perSecond))
	if *to != nil {
		n += **to
	}
	*to = &n
}
