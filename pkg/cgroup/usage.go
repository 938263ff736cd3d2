package cgroup

import (
	"errors"
	"fmt"
	"time"
)

// fileSize is ample for every file here but io.stat and cgroup.procs.
const fileSize = 1024

// Count is a figure that may be unknown, because its controller is not enabled
// or the kernel is too old.
type Count struct {
	N     uint64
	Known bool
}

// MemorySource says where a memory figure comes from.
type MemorySource string

// The sources of memory figures.
const (
	MemoryUnknown MemorySource = ""
	MemoryCgroup  MemorySource = "cgroup" // memory.current: page cache included
	MemoryPSS     MemorySource = "pss"    // sum over processes of their proportional share
	MemoryRSS     MemorySource = "rss"    // sum over processes; shared pages count for each, where a PSS could not be read
)

// Usage is what a cgroup uses now or used so far.
type Usage struct {
	Memory       Count // bytes
	MemorySource MemorySource
	MemoryPeak   Count // bytes, the most it ever was; kernel 5.19
	CPUMicros    Count // µs on all CPUs since the cgroup was made
	IORead       Count // bytes
	IOWritten    Count // bytes
	Pids         Count // processes and threads
}

// CPU is the time on all CPUs, 0 if unknown.
func (u Usage) CPU() time.Duration { return time.Duration(u.CPUMicros.N) * time.Microsecond }

// Usage reads all figures. The error, which wraps fs.ErrNotExist, is for a
// cgroup that is gone; figures without a file are unknown.
func (g *Group) Usage() (Usage, error) {
	var u Usage
	var buf [fileSize]byte
	cpu, err := g.ReadInto("cpu.stat", buf[:])
	if err != nil && g.gone() {
		return Usage{}, g.fail("read usage of", err)
	}
	u.CPUMicros = count(field(cpu, "usage_usec"))
	if u.Memory = g.single("memory.current"); u.Memory.Known {
		u.MemorySource = MemoryCgroup
		u.MemoryPeak = g.single("memory.peak")
	} else {
		u.Memory, u.MemorySource = g.processMemory()
	}
	u.Pids = g.single("pids.current")
	u.IORead, u.IOWritten = g.traffic()
	return u, nil
}

// Usage opens, reads and closes the cgroup at path.
func (h Host) Usage(path string) (Usage, error) {
	g, err := h.Open(path)
	if err != nil {
		return Usage{}, err
	}
	defer g.Close()
	return g.Usage()
}

// traffic reads the bytes read and written, over all block devices.
func (g *Group) traffic() (read, written Count) {
	var buf [8 * fileSize]byte // a line per block device
	data, err := g.ReadInto("io.stat", buf[:])
	if err != nil {
		return Count{}, Count{}
	}
	if len(data) == 0 { // nothing was read or written yet
		return Count{Known: true}, Count{Known: true}
	}
	return count(sum(data, "rbytes")), count(sum(data, "wbytes"))
}

// single reads a file of one number.
func (g *Group) single(file string) Count {
	var buf [32]byte
	data, err := g.ReadInto(file, buf[:])
	if err != nil {
		return Count{}
	}
	return count(number(data))
}

func count(n uint64, ok bool) Count { return Count{N: n, Known: ok} }

// gone reports whether the cgroup was removed: every one has cgroup.procs.
func (g *Group) gone() bool {
	var buf [1]byte
	_, err := g.ReadInto("cgroup.procs", buf[:])
	return errors.Is(err, errNotExist)
}

func (g *Group) fail(verb string, err error) error {
	return fmt.Errorf("cannot %s cgroup %s: %w", verb, g.path, err)
}

// Stall is one line of a pressure file: the share of time, in percent, in which
// tasks waited for a resource, over the last seconds, and the total.
type Stall struct {
	Avg10, Avg60, Avg300 float64
	TotalMicros          uint64
}

// Pressure is pressure stall information: Some for time in which at least one
// task waited, Full for time in which all did.
type Pressure struct{ Some, Full Stall }

// Pressure reads the pressure on "memory", "cpu" or "io". ok is false on a
// kernel without it.
func (g *Group) Pressure(resource string) (p Pressure, ok bool) {
	var buf [fileSize]byte
	data, err := g.ReadInto(resource+".pressure", buf[:])
	if err != nil || len(data) == 0 {
		return Pressure{}, false
	}
	return Pressure{Some: stall(data, "some"), Full: stall(data, "full")}, true
}

// MemoryEvents counts, since the cgroup was made, what its memory limits did.
type MemoryEvents struct {
	High    uint64 // throttled at memory.high
	Max     uint64 // about to go over memory.max
	OOM     uint64 // an allocation was about to fail
	OOMKill uint64 // processes killed
}

// MemoryEvents is the evidence of an OOM kill; read it before the cgroup goes.
// ok is false without the memory controller.
func (g *Group) MemoryEvents() (e MemoryEvents, ok bool) {
	var buf [fileSize]byte
	data, err := g.ReadInto("memory.events", buf[:])
	if err != nil {
		return MemoryEvents{}, false
	}
	e.High, _ = field(data, "high")
	e.Max, _ = field(data, "max")
	e.OOM, _ = field(data, "oom")
	e.OOMKill, ok = field(data, "oom_kill")
	return e, ok
}

// MemoryPeak is the most memory the cgroup ever used, in bytes; kernel 5.19.
func (g *Group) MemoryPeak() Count { return g.single("memory.peak") }

// MemoryMax is the cgroup's own hard limit in bytes, unknown where it has none.
func (g *Group) MemoryMax() Count { return g.single("memory.max") }

// State reads cgroup.events: whether any process lives in the cgroup or below
// it, and whether it is frozen. The error wraps fs.ErrNotExist where it is gone.
func (g *Group) State() (populated, frozen bool, err error) {
	var buf [fileSize]byte
	data, err := g.ReadInto("cgroup.events", buf[:])
	if err != nil {
		return false, false, g.fail("read", err)
	}
	p, _ := field(data, "populated")
	f, _ := field(data, "frozen")
	return p == 1, f == 1, nil
}
