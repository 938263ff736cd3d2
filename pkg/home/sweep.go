package home

import (
	"log/slog"
	"os"
	"path"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/cgroup"
)

// unitName is the only control group that is ever swept: started by hand, this
// program shares one with the shell that started it.
const unitName = "clauster-home.service"

// dying is how long a killed process is given before it is looked for again.
const dying = 5 * time.Millisecond

// sweeper ends what a program has left behind. claude is a file of the bridge
// user's: an agent can replace it, and what it started would live here, outside
// of its bridge's limits and stop.
type sweeper struct {
	group *cgroup.Group // nil where there is nothing to sweep
	full  chan struct{} // can be received from when sweeping was not enough
	log   *slog.Logger
}

func newSweeper(log *slog.Logger) *sweeper {
	s := &sweeper{full: make(chan struct{}, 1), log: log}
	own, err := cgroup.Path(os.Getpid())
	if err != nil || path.Base(own) != unitName {
		return s
	}
	if s.group, err = cgroup.System().Open(own); err != nil {
		log.Warn("what programs leave behind stays until this process ends: " + err.Error())
	}
	return s
}

// sweep kills every other process of the unit. One that forks faster than it
// is killed is left to systemd, which has the control group's own kill: the
// server ends, and the next question starts another.
func (s *sweeper) sweep() {
	if s.group == nil {
		return
	}
	const rounds = 20
	killed := 0
	for range rounds {
		pids, whole, err := s.group.Procs()
		if err != nil {
			break
		}
		others := 0
		for _, pid := range pids {
			if pid != os.Getpid() && unix.Kill(pid, unix.SIGKILL) == nil {
				others++
			}
		}
		killed += others
		if others > 0 {
			time.Sleep(dying)
		}
		if others == 0 && whole {
			if killed > 0 {
				s.log.Warn("claude left processes behind, which were killed", "signals", killed)
			}
			return
		}
	}
	s.log.Warn("claude left processes behind that cannot be killed one by one: this process ends, and systemd kills them")
	select {
	case s.full <- struct{}{}:
	default:
	}
}
