package fleet

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"clauster/pkg/cgroup"
)

// Scope is what a scope's cgroup and /proc say of a bridge. Both are readable
// by everybody, and reading a file is a few microseconds, against a message to
// systemd or the keeper.
type Scope struct {
	PID    int      // of claude; 0 unknown
	Memory *uint64  // bytes
	CPU    *float64 // seconds
	Frozen bool
}

// ReadScope reads the facts of the scope at a path below the hierarchy's root;
// what cannot be read is left unknown. Where there is no memory controller,
// memory is what its processes hold: their proportional shares, or with brief,
// for lists, their resident sets, which count shared pages more than once.
func ReadScope(h cgroup.Host, path string, brief bool) Scope {
	return readScope(h, path, brief, 0)
}

// sampleScope is a brief ReadScope that believes who claude is, if pid is not
// 0: finding out means reading of every process in the scope.
func sampleScope(h cgroup.Host, path string, pid int) Scope { return readScope(h, path, true, pid) }

func readScope(h cgroup.Host, path string, brief bool, pid int) Scope {
	f := Scope{PID: pid}
	g, err := h.Open(path)
	if err != nil {
		return Scope{}
	}
	defer g.Close()
	usage := g.Usage
	if brief {
		usage = g.Brief
	}
	if u, err := usage(); err == nil {
		if u.Memory.Known {
			f.Memory = &u.Memory.N
		}
		if u.CPUMicros.Known {
			s := u.CPU().Seconds()
			f.CPU = &s
		}
	}
	if _, frozen, err := g.State(); err == nil {
		f.Frozen = frozen
	}
	if f.PID != 0 && f.Memory != nil {
		return f
	}
	if pids, _, err := g.Procs(); err == nil {
		procs := processes(h.Proc, pids)
		f.PID = claudeOf(procs)
		if f.Memory == nil && len(procs) > 0 {
			var sum uint64
			for _, p := range procs {
				sum += p.resident
			}
			f.Memory = &sum
		}
	}
	return f
}

// process is one line of /proc/PID/stat, as far as it is of use.
type process struct {
	pid, parent int
	comm        string
	started     uint64 // clock ticks after boot
	resident    uint64 // bytes
}

// keeperComm is the kernel's name of the reaper, the keeper's executable, in
// its 15 bytes.
const keeperComm = "clauster-keeper"

// claudeOf finds claude among a scope's processes: the first child of the
// reaper; or, with the reaper killed, the process that has been there longest.
func claudeOf(procs []process) int {
	reapers := map[int]bool{}
	for _, p := range procs {
		if p.comm == keeperComm {
			reapers[p.pid] = true
		}
	}
	var child, oldest *process
	for i := range procs {
		p := &procs[i]
		if reapers[p.pid] {
			continue
		}
		if reapers[p.parent] && (child == nil || p.started < child.started) {
			child = p
		}
		if oldest == nil || p.started < oldest.started {
			oldest = p
		}
	}
	switch {
	case child != nil:
		return child.pid
	case oldest != nil && len(reapers) == 0:
		return oldest.pid
	}
	return 0
}

func processes(proc string, pids []int) []process {
	procs := make([]process, 0, len(pids))
	for _, pid := range pids {
		stat, err := os.ReadFile(filepath.Join(proc, strconv.Itoa(pid), "stat"))
		if err != nil {
			continue // it has just ended
		}
		if p, ok := parseStat(pid, stat); ok {
			procs = append(procs, p)
		}
	}
	return procs
}

// parseStat reads /proc/PID/stat (proc_pid_stat(5)). The name stands in
// parentheses and may hold any byte, parentheses and spaces too, so fields are
// counted from the last ")".
func parseStat(pid int, data []byte) (process, bool) {
	open, end := bytes.IndexByte(data, '('), bytes.LastIndexByte(data, ')')
	if open < 0 || end < open {
		return process{}, false
	}
	f := strings.Fields(string(data[end+1:]))
	const parent, started, resident = 1, 19, 21 // fields 4, 22 and 24 of the manual
	if len(f) <= resident {
		return process{}, false
	}
	p := process{pid: pid, comm: string(data[open+1 : end])}
	var err1, err2, err3 error
	var pages uint64
	p.parent, err1 = strconv.Atoi(f[parent])
	p.started, err2 = strconv.ParseUint(f[started], 10, 64)
	pages, err3 = strconv.ParseUint(f[resident], 10, 64)
	p.resident = pages * uint64(os.Getpagesize())
	return p, err1 == nil && err2 == nil && err3 == nil
}
