package metrics

import (
	"path"
	"runtime"
	"sync"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/wire"
)

// reading is what one instance's control group says.
type reading struct {
	wire.Instance
	cgroup.Figures
	at    time.Time
	known bool // it has a control group that could be read
}

// read reads the control groups of instances on all cores, in their order.
// Those that do not live cost no look.
func (s *Sources) read(instances []wire.Instance) []reading {
	all := make([]reading, len(instances))
	workers := min(runtime.GOMAXPROCS(0), len(instances)/8+1)
	var wg sync.WaitGroup
	for k := range workers {
		wg.Go(func() {
			for i := k; i < len(instances); i += workers {
				all[i] = s.readOne(instances[i])
			}
		})
	}
	wg.Wait()
	return all
}

func (s *Sources) readOne(i wire.Instance) reading {
	r := reading{Instance: i}
	if !lives(i) {
		return r
	}
	f, err := s.Cgroups.Figures(s.scopePath(i))
	if err != nil {
		return r
	}
	r.Figures, r.at, r.known = f, time.Now(), true
	return r
}

func (s *Sources) scopePath(i wire.Instance) string {
	return path.Join("/", s.ControlGroup, bridge.Slice, i.Scope)
}

// lives reports whether an instance can have processes.
func lives(i wire.Instance) bool { return i.Status == bridge.Running || i.Status == bridge.Starting }

// use is what an instance had used at a moment.
type use struct {
	run         string
	at          time.Time
	cpu         uint64 // µs
	read, wrote cgroup.Count
}

func (r *reading) use() use {
	return use{r.Run, r.at, r.CPUMicros.N, r.IORead, r.IOWritten}
}

// rates are means since an earlier reading of the same run.
type rates struct {
	span                          time.Duration
	cpuPercent                    float64
	readPerSecond, writePerSecond float64
	ioKnown                       bool
}

// minSpan is the shortest span that a mean is made of. cpu.stat counts in
// microseconds, but the kernel adds up running tasks only at a tick.
const minSpan = 10 * time.Millisecond

// since gives the means; ok is false where the two are no two readings of the
// same run. Counters that went backwards are those of another control group.
func (u use) since(before use) (r rates, ok bool) {
	span := u.at.Sub(before.at)
	if before.at.IsZero() || u.run != before.run || span < minSpan || u.cpu < before.cpu {
		return rates{}, false
	}
	seconds := span.Seconds()
	r = rates{span: span, cpuPercent: float64(u.cpu-before.cpu) / 1e4 / seconds}
	if u.read.Known && before.read.Known && u.wrote.Known && before.wrote.Known && u.read.N >= before.read.N && u.wrote.N >= before.wrote.N {
		r.ioKnown = true
		r.readPerSecond = float64(u.read.N-before.read.N) / seconds
		r.writePerSecond = float64(u.wrote.N-before.wrote.N) / seconds
	}
	return r, true
}
