package cgroup

import "os"

// Figures is everything that collectors show of a cgroup.
type Figures struct {
	Usage
	Resident    Count // bytes of the processes themselves: page cache is left out
	Events      MemoryEvents
	EventsKnown bool
	Pressure    []Stalled // none on a kernel without pressure stall information
}

// Stalled is the pressure on one resource: cpu, memory or io.
type Stalled struct {
	Resource string
	Pressure
}

// Figures reads all figures in one pass: about ten files of 2 to 8 µs. The
// error, which wraps fs.ErrNotExist, is for a cgroup that is gone.
//
// Unlike Usage it never reads a proportional share: the kernel walks page
// tables for it, 0.1 ms a process, and 200 bridges are read at each scrape.
func (g *Group) Figures() (Figures, error) {
	brief, err := g.Brief()
	if err != nil {
		return Figures{}, err
	}
	f := Figures{Usage: brief}
	if f.Memory.Known {
		f.MemoryPeak = g.single("memory.peak")
		f.Events, f.EventsKnown = g.MemoryEvents()
		f.Resident = g.anonymous()
	} else {
		f.Resident = g.residents()
		f.Memory, f.MemorySource = f.Resident, MemoryRSS
	}
	f.Pids = g.single("pids.current")
	f.IORead, f.IOWritten = g.traffic()
	for _, resource := range [...]string{"cpu", "io", "memory"} {
		if p, ok := g.Pressure(resource); ok {
			f.Pressure = append(f.Pressure, Stalled{resource, p})
		}
	}
	return f, nil
}

// Figures opens, reads and closes the cgroup at path.
func (h Host) Figures(path string) (Figures, error) {
	g, err := h.Open(path)
	if err != nil {
		return Figures{}, err
	}
	defer g.Close()
	return g.Figures()
}

// anonymous is what memory.stat counts as the processes' own and as files that
// they have mapped: the resident set without counting a shared page twice.
func (g *Group) anonymous() Count {
	var buf [4 * fileSize]byte
	data, err := g.ReadInto("memory.stat", buf[:])
	if err != nil {
		return Count{}
	}
	anon, ok := field(data, "anon")
	mapped, _ := field(data, "file_mapped")
	return count(anon+mapped, ok)
}

// residents sums up the processes' resident sets, for hosts without the memory
// controller. Shared pages count for each.
func (g *Group) residents() Count {
	pids, whole, err := g.Procs()
	if err != nil || !whole {
		return Count{}
	}
	var pages uint64
	for _, pid := range pids {
		if n, ok := resident(g.host.procDir(pid)); ok {
			pages += n
		}
	}
	return count(pages*uint64(os.Getpagesize()), true)
}
