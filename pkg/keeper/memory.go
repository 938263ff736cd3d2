package keeper

import (
	"fmt"
	"strconv"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/gate"
)

// scopeMemory reads the OOM kills of the run's scope and their figures; nothing
// where the scope is gone or there is no memory controller.
func (k *keeper) scopeMemory() (kills int, m bridge.Memory) {
	group, err := cgroup.System().Open(k.st.Run.Cgroup)
	if err != nil {
		return 0, m
	}
	defer group.Close()
	return gate.Memory(group)
}

// memoryGap keeps a bridge whose children are killed all the time from filling
// the journal.
const memoryGap = time.Minute

// lookAtMemory warns where the kernel killed processes of a bridge that lives
// on: a session dies there without a word, and claude's own log says no more
// than «exit_code=137». No signal tells, so it is looked at with the freezer.
func (l *loop) lookAtMemory(now time.Time) {
	r := l.st.Run
	if now.Sub(l.memoryAt) < memoryGap {
		return
	}
	kills, m := l.scopeMemory()
	if kills <= r.OOMKills {
		return
	}
	// Where claude itself was the victim its end is about to be told: the
	// reaper's report comes within milliseconds, this look every 15 s.
	if l.reaperGone() {
		return
	}
	l.memoryAt = now
	text := fmt.Sprintf("the kernel killed processes of this bridge %s: %d so far in this run; claude itself lives", m.Lack(), kills)
	r.OOMKills = kills
	l.mustSave()
	more := fields{}
	addMemory(more, kills, m)
	l.event(bridge.EventWarning, text, more)
}

// addMemory adds the figures of an OOM kill to an event's fields.
func addMemory(f fields, kills int, m bridge.Memory) {
	if kills == 0 {
		return
	}
	f[bridge.FieldOOMKills] = strconv.Itoa(kills)
	for name, bytes := range map[string]uint64{bridge.FieldMemoryPeak: m.Peak, bridge.FieldMemoryMax: m.Max} {
		if bytes > 0 {
			f[name] = strconv.FormatUint(bytes, 10)
		}
	}
}

// exitOf gives the end of the bridge as its reaper reported it. The kernel may
// have killed the reaper as well: then the scope tells, if something in it
// still lives, about kills that were not there before.
func (k *keeper) exitOf(s gate.Story) bridge.Exit {
	if s.Ended != nil {
		return *s.Ended
	}
	exit := bridge.Exit{}
	if kills, m := k.scopeMemory(); kills > k.st.Run.OOMKills {
		exit.OOM, exit.Memory = kills, m
	}
	return exit
}
