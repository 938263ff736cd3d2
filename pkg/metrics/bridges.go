package metrics

import (
	"maps"
	"slices"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"
)

// projectSum sums up what the bridges of a project use.
type projectSum struct {
	cpu, rss       float64
	hasCPU, hasRSS bool
}

// bridges shows each bridge, and the sums of each project.
func (s *Page) bridges(readings []reading, ages map[string]time.Duration) {
	projects := map[string]*projectSum{}
	uses := make(map[string]use, len(readings))
	words := healthLabels()
	for i := range readings {
		r := &readings[i]
		own := label("project", r.Project) + "," + label("bridge", r.Instance.Instance)
		s.lifecycle(r, own, words)
		if age, ok := ages[r.Unit]; ok {
			s.put(famWatchdog, age.Seconds(), own)
		}
		if !r.known {
			continue
		}
		s.usage(r, own)
		u := r.use()
		uses[r.Instance.Instance] = u
		p := projects[r.Project]
		if p == nil {
			p = &projectSum{}
			projects[r.Project] = p
		}
		if rate, ok := u.since(s.before[r.Instance.Instance]); ok {
			p.cpu, p.hasCPU = p.cpu+rate.cpuPercent, true
		}
		if r.Resident.Known {
			p.rss, p.hasRSS = p.rss+float64(r.Resident.N), true
		}
	}
	s.before = uses
	for _, name := range slices.Sorted(maps.Keys(projects)) {
		p := projects[name]
		if p.hasCPU {
			s.put(famCPUPercent, p.cpu, label("project", name))
		}
		if p.hasRSS {
			s.put(famRSS, p.rss, label("project", name))
		}
	}
}

func (s *Page) lifecycle(r *reading, own string, words []healthLabel) {
	if !r.Since.IsZero() {
		s.put(famState, max(0, time.Since(r.Since.Time).Seconds()), own+","+label("status", string(r.Status)))
	}
	if r.Restarts != nil {
		s.put(famRestarts, float64(*r.Restarts), own)
	}
	if r.Health == "" {
		return
	}
	for _, word := range words {
		s.put(famHealth, truth(word.health == r.Health), own+word.label)
	}
}

type healthLabel struct {
	health bridge.Health
	label  string
}

func healthLabels() []healthLabel {
	var all []healthLabel
	for _, h := range healths() {
		all = append(all, healthLabel{h, "," + label("health", string(h))})
	}
	return all
}

func (s *Page) usage(r *reading, own string) {
	if r.CPUMicros.Known {
		s.put(famCPU, float64(r.CPUMicros.N)/1e6, own)
	}
	if r.Memory.Known {
		s.put(famMemory, float64(r.Memory.N), own)
	}
	if r.MemoryPeak.Known {
		s.put(famMemoryPeak, float64(r.MemoryPeak.N), own)
	}
	if r.EventsKnown {
		s.put(famMemoryHigh, float64(r.Events.High), own)
		s.put(famOOMKills, float64(r.Events.OOMKill), own)
	}
	if r.IORead.Known {
		s.put(famIORead, float64(r.IORead.N), own)
	}
	if r.IOWritten.Known {
		s.put(famIOWrite, float64(r.IOWritten.N), own)
	}
	if r.Pids.Known {
		s.put(famPids, float64(r.Pids.N), own)
	}
	for _, p := range r.Pressure {
		resource := own + "," + label("resource", p.Resource)
		s.put(famPressure, float64(p.Some.TotalMicros)/1e6, resource+`,kind="some"`)
		s.put(famPressure, float64(p.Full.TotalMicros)/1e6, resource+`,kind="full"`)
	}
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
