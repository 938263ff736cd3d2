package cgroup

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"golang.org/x/sys/unix"
)

var errNotExist = fs.ErrNotExist

// MaxProcs bounds how many processes of a cgroup are looked at.
const MaxProcs = 512

// Procs lists the processes of the cgroup itself, not of those below it: at
// most MaxProcs, whole is false where there are more. The error wraps
// fs.ErrNotExist where the cgroup is gone.
func (g *Group) Procs() (pids []int, whole bool, err error) {
	var buf [MaxProcs * 8]byte
	data, err := g.read("cgroup.procs", buf[:], true)
	if err != nil {
		return nil, false, g.fail("list processes of", err)
	}
	whole = len(data) < len(buf)
	if !whole { // the last number may be cut
		data = data[:bytes.LastIndexByte(data, '\n')+1]
	}
	for line := range bytes.Lines(data) {
		if pid, ok := number(line); ok && pid > 0 && len(pids) < MaxProcs {
			pids = append(pids, int(pid))
		}
	}
	return pids, whole, nil
}

func (h Host) procDir(pid int) string { return filepath.Join(h.Proc, strconv.Itoa(pid)) }

// processMemory sums up the memory of the processes, for hosts without the
// memory controller. One whose proportional share may not be read (another
// user's, or one that cannot be traced) counts with all it maps.
func (g *Group) processMemory() (Count, MemorySource) {
	pids, whole, err := g.Procs()
	if err != nil || !whole {
		return Count{}, MemoryUnknown
	}
	total, source := uint64(0), MemoryPSS
	for _, pid := range pids {
		dir := g.host.procDir(pid)
		if kib, ok := pss(dir); ok {
			total += kib << 10
		} else if pages, ok := resident(dir); ok {
			total += pages * uint64(os.Getpagesize())
			source = MemoryRSS
		} // else it has just ended
	}
	return Count{N: total, Known: true}, source
}

// pss reads KiB. A kernel thread or a zombie has an empty file.
func pss(dir string) (kib uint64, ok bool) {
	var buf [2 * fileSize]byte
	data, err := readInto(unix.AT_FDCWD, filepath.Join(dir, "smaps_rollup"), buf[:], false)
	if err != nil {
		return 0, false
	}
	for line := range bytes.Lines(data) {
		if rest, found := bytes.CutPrefix(line, []byte("Pss:")); found {
			return number(bytes.TrimLeft(rest, " "))
		}
	}
	return 0, false
}

// resident reads the second number of statm: resident pages.
func resident(dir string) (pages uint64, ok bool) {
	var buf [256]byte
	data, err := readInto(unix.AT_FDCWD, filepath.Join(dir, "statm"), buf[:], false)
	if err != nil {
		return 0, false
	}
	_, rest, _ := bytes.Cut(data, []byte{' '})
	return number(rest)
}
