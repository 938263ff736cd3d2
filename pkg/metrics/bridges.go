package metrics

import (
	"time"

	dto "github.com/prometheus/client_model/go"
)

// projectSum sums up what the bridges of a project use.
type projectSum struct {
	cpu, rss       float64
	hasCPU, hasRSS bool
}

// bridges shows each bridge, and the sums of each project.
func (o *out) bridges(f *facts) {
	projects := map[string]*projectSum{}
	uses := make(map[string]use, len(f.readings))
	for i := range f.readings {
		r := &f.readings[i]
		name := r.Instance.Instance
		own := owner{pair("bridge", name), pair("project", r.Project)}
		labels := own.and(nil, nil)
		o.lifecycle(r, own, labels)
		if w, ok := f.watchdogs[r.Unit]; ok {
			o.tell(famWatchdog, w.Age.Seconds(), labels)
		}
		if !r.known {
			continue
		}
		o.usage(r, labels)
		o.pressure(r, own)
		u := r.use()
		uses[name] = u
		p := projects[r.Project]
		if p == nil {
			p = &projectSum{}
			projects[r.Project] = p
		}
		if rate, ok := u.since(o.page.before[name]); ok {
			p.cpu, p.hasCPU = p.cpu+rate.cpuPercent, true
		}
		if r.Resident.Known {
			p.rss, p.hasRSS = p.rss+float64(r.Resident.N), true
		}
	}
	o.page.before = uses
	for name, p := range projects {
		if p.hasCPU {
			o.put(famCPUPercent, p.cpu, name)
		}
		if p.hasRSS {
			o.put(famRSS, p.rss, name)
		}
	}
}

func (o *out) lifecycle(r *reading, own owner, labels []*dto.LabelPair) {
	if !r.Since.IsZero() {
		o.tell(famState, max(0, time.Since(r.Since.Time).Seconds()), own.and(nil, o.pair("status", string(r.Status))))
	}
	if r.Restarts != nil {
		o.tell(famRestarts, float64(*r.Restarts), labels)
	}
	if r.Health == "" {
		return
	}
	for _, word := range sortedHealths() {
		o.tell(famHealth, truth(word == r.Health), own.and(o.pair("health", string(word)), nil))
	}
}

func (o *out) usage(r *reading, labels []*dto.LabelPair) {
	if r.CPUMicros.Known {
		o.tell(famCPU, float64(r.CPUMicros.N)/1e6, labels)
	}
	if r.Memory.Known {
		o.tell(famMemory, float64(r.Memory.N), labels)
	}
	if r.MemoryPeak.Known {
		o.tell(famMemoryPeak, float64(r.MemoryPeak.N), labels)
	}
	if r.EventsKnown {
		o.tell(famMemoryHigh, float64(r.Events.High), labels)
		o.tell(famOOMKills, float64(r.Events.OOMKill), labels)
	}
	if r.IORead.Known {
		o.tell(famIORead, float64(r.IORead.N), labels)
	}
	if r.IOWritten.Known {
		o.tell(famIOWrite, float64(r.IOWritten.N), labels)
	}
	if r.Pids.Known {
		o.tell(famPids, float64(r.Pids.N), labels)
	}
}

func (o *out) pressure(r *reading, own owner) {
	for _, p := range r.Pressure {
		o.tell(famPressure, float64(p.Full.TotalMicros)/1e6, own.and(o.pair("kind", "full"), o.pair("resource", p.Resource)))
	}
	for _, p := range r.Pressure {
		o.tell(famPressure, float64(p.Some.TotalMicros)/1e6, own.and(o.pair("kind", "some"), o.pair("resource", p.Resource)))
	}
}
