package main

import (
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"clauster/pkg/cgroup"
	"clauster/pkg/config"
	"clauster/pkg/fleet"
)

// runnersFresh is how long the uids of living bridges are believed.
const runnersFresh = time.Second

// runners tell as which uids bridges run now. The configuration may name another
// user than the one they were started as, or by a typo nobody; agents do not go
// away by that. Who is asked is the kernel, about the processes in the bridges'
// control groups, which an agent cannot leave: a record could be another's.
type runners struct {
	config  func() *config.Config
	scopes  func() []string // control groups of the bridges that live
	cgroups cgroup.Host

	mu   sync.Mutex
	of   *config.Config // that was in force when they were read
	at   time.Time
	last []int
}

// uids are those of the bridges that live, at most a second old and never older
// than the configuration: what was started after a reload runs as the user of it.
func (r *runners) uids() []int {
	r.mu.Lock()
	defer r.mu.Unlock()
	now := r.config()
	if r.of == now && time.Since(r.at) < runnersFresh {
		return r.last
	}
	// Another slice each time: callers still read the last one.
	var all []int
	for _, path := range r.scopes() {
		if uid := r.uidIn(path); uid > 0 && !slices.Contains(all, uid) {
			all = append(all, uid)
		}
	}
	r.of, r.at, r.last = now, time.Now(), all
	return all
}

// uidIn is whose the processes of a control group are: of the first that is not
// root's, as a helper that is set-uid may be; 0 where there is none.
func (r *runners) uidIn(path string) int {
	g, err := r.cgroups.Open(path)
	if err != nil {
		return 0 // it has just ended
	}
	defer g.Close()
	pids, _, err := g.Procs()
	if err != nil {
		return 0
	}
	for _, pid := range pids {
		status, err := os.ReadFile(filepath.Join(r.cgroups.Proc, strconv.Itoa(pid), "status"))
		if err != nil {
			continue
		}
		if uid := realUID(string(status)); uid > 0 {
			return uid
		}
	}
	return 0
}

// realUID reads the first of the four in /proc/PID/status; 0 where there is none.
func realUID(status string) int {
	for line := range strings.Lines(status) {
		rest, found := strings.CutPrefix(line, "Uid:")
		if f := strings.Fields(rest); found && len(f) == 4 {
			uid, _ := strconv.Atoi(f[0])
			return uid
		}
	}
	return 0
}

// scopes are the control groups of the bridges that live.
func scopes(t *fleet.Table) []string {
	var all []string
	for _, i := range t.Known() {
		if path, ok := t.ScopePath(i); ok {
			all = append(all, path)
		}
	}
	return all
}
