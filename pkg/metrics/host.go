package metrics

import (
	"bytes"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"sync"
	"time"

	"clauster/pkg/wire"

	"golang.org/x/sys/unix"
)

// Host reads what the machine has left. CPU is the mean since the look before,
// the first time since NewHost.
type Host struct {
	proc, disk string

	mu     sync.Mutex
	before cpuTimes
	at     time.Time
	cpu    float64 // percent
}

// cpuTimes are ticks of all CPUs since boot.
type cpuTimes struct{ busy, all uint64 }

// minCPUSpan is the shortest span that a mean is made of: ticks are 10 ms.
const minCPUSpan = 500 * time.Millisecond

// NewHost makes a Host of a proc file system and of a path on the disk that is
// watched.
func NewHost(proc, disk string) *Host {
	h := &Host{proc: proc, disk: disk, at: time.Now()}
	h.before, _ = h.times()
	return h
}

// Resources looks. What cannot be read is 0.
func (h *Host) Resources() wire.Resources {
	used, total := h.memory()
	return wire.Resources{CPUPercent: h.cpuPercent(), MemoryUsedMB: used >> 20, MemoryTotalMB: total >> 20, DiskUsedPercent: h.diskPercent()}
}

func (h *Host) cpuPercent() float64 {
	h.mu.Lock()
	defer h.mu.Unlock()
	if time.Since(h.at) < minCPUSpan {
		return h.cpu
	}
	now, err := h.times()
	if err != nil || now.all <= h.before.all || now.busy < h.before.busy {
		return h.cpu
	}
	h.cpu = tenths(100 * float64(now.busy-h.before.busy) / float64(now.all-h.before.all))
	h.before, h.at = now, time.Now()
	return h.cpu
}

// times reads the first line of /proc/stat: user, nice, system, idle, iowait,
// irq, softirq, steal; guest times are in user and nice already.
func (h *Host) times() (cpuTimes, error) {
	data, err := readHead(filepath.Join(h.proc, "stat"))
	if err != nil {
		return cpuTimes{}, err
	}
	return parseTimes(data)
}

func parseTimes(data []byte) (cpuTimes, error) {
	line, _, _ := bytes.Cut(data, []byte("\n"))
	words := bytes.Fields(line)
	if len(words) < 5 || string(words[0]) != "cpu" {
		return cpuTimes{}, fmt.Errorf("cannot read the CPU times: %.60q", line)
	}
	const idle, iowait = 4, 5
	var t cpuTimes
	for i, w := range words[1:min(len(words), 9)] {
		n, err := strconv.ParseUint(string(w), 10, 64)
		if err != nil {
			return cpuTimes{}, fmt.Errorf("cannot read the CPU times: %w", err)
		}
		t.all += n
		if i+1 != idle && i+1 != iowait {
			t.busy += n
		}
	}
	return t, nil
}

// memory gives bytes in use and in all. Cache that can be given back is free.
func (h *Host) memory() (used, total int64) {
	data, err := readHead(filepath.Join(h.proc, "meminfo"))
	if err != nil {
		return 0, 0
	}
	return parseMemory(data)
}

func parseMemory(data []byte) (used, total int64) {
	var free int64
	for line := range bytes.Lines(data) {
		words := bytes.Fields(line)
		if len(words) < 2 {
			continue
		}
		kib, err := strconv.ParseInt(string(words[1]), 10, 64)
		if err != nil || kib < 0 || kib > math.MaxInt64>>10 {
			continue
		}
		switch string(words[0]) {
		case "MemTotal:":
			total = kib << 10
		case "MemAvailable:":
			free = kib << 10
		}
	}
	return max(0, total-free), total
}

// diskPercent counts as df does: of what users may fill.
func (h *Host) diskPercent() float64 {
	var s unix.Statfs_t
	if err := unix.Statfs(h.disk, &s); err != nil {
		return 0
	}
	used := s.Blocks - s.Bfree
	if used+s.Bavail == 0 {
		return 0
	}
	return tenths(100 * float64(used) / float64(used+s.Bavail))
}

// readHead reads the beginning of a file of /proc, 4 KiB: more than the parts
// that are looked at.
func readHead(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	buf := make([]byte, 4096)
	n, err := f.Read(buf)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return buf[:n], nil
}

func tenths(f float64) float64 { return math.Round(f*10) / 10 }
