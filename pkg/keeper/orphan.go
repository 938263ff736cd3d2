package keeper

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/journal"
	"clauster/pkg/records"
	"clauster/pkg/redact"
	"clauster/pkg/systemd"
)

// orphan is a run whose keeper died and will have no successor: a stop was
// asked for and systemd has dropped what was in the fd store, or the machine
// went down. What is left is its scope, its launch record and its events in the
// journal.
type orphan struct {
	inst    bridge.Instance
	dirs    dirs
	manager systemd.Manager
}

// endGently asks the bridge to end as its keeper would have done, by the same
// ladder, into which the stop is already for the given time. What is left after
// that is the caller's to kill.
func (o *orphan) endGently(scope string, into time.Duration) {
	group, err := cgroup.System().Open(scope)
	if err != nil {
		return // gone already
	}
	defer group.Close()
	mode := bridge.Standard
	if r, err := o.record(); err == nil {
		mode = r.Mode
	}
	for _, step := range remaining(ladder(mode), into) {
		if group.WaitEmpty(step.wait) == nil || step.signal == unix.SIGKILL {
			return
		}
		pids, _, err := group.Procs()
		if err != nil {
			return
		}
		for _, pid := range pids {
			// Claude alone is asked, through its reaper; it asks its children.
			if step.signal == unix.SIGCONT || !slices.Contains(pids, parentOf(pid)) {
				_ = unix.Kill(pid, step.signal)
			}
		}
	}
}

// remaining gives the steps from the last request that was due; it is made
// again, because the keeper may have died before it made it.
func remaining(steps []rung, into time.Duration) []rung {
	if into < 0 || into > intWait+termWait+killWait { // not of this stop
		return steps
	}
	at, from := time.Duration(0), 0
	left := slices.Clone(steps)
	for i, step := range steps {
		at += step.wait
		if left[i].wait = min(max(at-into, 0), step.wait); at <= into && step.signal != unix.SIGCONT {
			from = i
		}
	}
	return left[from:]
}

// settleUnseen tells the end of the run before, where nothing of ours was there
// to see it: the machine went down without a shutdown, or systemd dropped it in
// the moment between a keeper's death and its successor. The spool that nobody
// removed gives the latter away.
func (k *keeper) settleUnseen(ctx context.Context, record *bridge.Record) {
	if record == nil || k.st.Run != nil {
		return
	}
	o := &orphan{inst: k.inst, dirs: k.dirs, manager: k.manager}
	if record.BootID != k.boot {
		o.tellPowerCut(ctx)
	} else if _, err := os.Lstat(k.dirs.spool); err == nil {
		o.tellStop(ctx, "stopped on request between two keepers (exit status unknown)")
	}
}

// parentOf reads proc(5): the fourth field of stat, after the last parenthesis.
func parentOf(pid int) int {
	stat := oneLine("/proc/" + strconv.Itoa(pid) + "/stat")
	f := strings.Fields(stat[strings.LastIndexByte(stat, ')')+1:])
	if len(f) < 2 {
		return 0
	}
	parent, _ := strconv.Atoi(f[1]) // 0 for none
	return parent
}

func (o *orphan) record() (bridge.Record, error) {
	return records.Dir{Path: filepath.Join(o.dirs.state, "instances"), UID: -1, GID: -1}.Read(o.inst)
}

// How long the journal is waited for: at the end of a stop it is in a hurry, in
// a boot it is as slow as everything else.
const (
	askJournal       = 5 * time.Second
	askJournalAtBoot = 30 * time.Second
)

// tellStop writes the stop event of the recorded run, if the journal shows
// that it began and does not show how it ended.
func (o *orphan) tellStop(ctx context.Context, reason string) {
	o.tellEnd(ctx, askJournal, func(bridge.Event) bridge.Verdict {
		return bridge.Verdict{Event: bridge.EventStop, Status: bridge.Stopped, Word: "asked", Reason: reason}
	})
}

// tellPowerCut writes the end of a recorded run that a machine without power, or
// a kernel's panic, took along. What a shutdown ended has told its end itself.
func (o *orphan) tellPowerCut(ctx context.Context) {
	o.tellEnd(ctx, askJournalAtBoot, func(last bridge.Event) bridge.Verdict {
		v := bridge.Verdict{Event: bridge.EventCrash, Status: bridge.Crashed, Word: "machine-down",
			Reason: "the machine went down while it ran"}
		if last == bridge.EventSpawn {
			v.Event, v.Status, v.Reason = bridge.EventError, bridge.Failed, "the machine went down before it was ready"
		}
		return v
	})
}

// tellEnd writes the end that verdict makes of the last event.
func (o *orphan) tellEnd(ctx context.Context, patience time.Duration, verdict func(last bridge.Event) bridge.Verdict) {
	r, err := o.record()
	if err != nil {
		return
	}
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	// What the dead keeper wrote last may still be in journald's socket.
	_ = exec.CommandContext(ctx, "journalctl", "--sync").Run()
	origin := journal.Origin{User: o.manager == systemd.User, UID: unix.Getuid()}
	last, err := journal.LastEvents(ctx, origin, []bridge.Instance{o.inst})
	e, found := last[o.inst]
	if err != nil || !found || e.Get(bridge.FieldRun) != r.Run || e.Event().Ends() {
		return
	}
	v := verdict(e.Event())
	w := journal.NewWriter(journal.Options{Identifier: "clauster-keeper", Base: journal.Fields{
		bridge.FieldInstance: o.inst.String(), bridge.FieldProject: o.inst.Project}})
	w.Event(journal.Event{Name: v.Event, Message: string(v.Status) + ": " + v.Reason, Fields: journal.Fields{
		bridge.FieldRun: r.Run, bridge.FieldLabel: redact.String(r.Label), bridge.FieldMode: string(r.Mode),
		bridge.FieldSpawnMode: string(r.SpawnMode), bridge.FieldPermissionMode: string(r.PermissionMode),
		bridge.FieldStatus: string(v.Status), bridge.FieldReason: v.Reason, bridge.FieldVerdict: v.Word}})
	_ = w.Close(ctx)
	// journald names the unit of a living process for sure, of a dead one not.
	_ = exec.CommandContext(ctx, "journalctl", "--sync").Run()
}
