package keeper

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
	"clauster/pkg/gate"
	"clauster/pkg/systemd"
	"clauster/pkg/terminal"
)

// reaperGone reports whether the reaper of the stored run has ended.
func (k *keeper) reaperGone() bool { return pidfdEnded(k.fds[fdReaper]) }

// settleDead reports the end of a bridge that died while no keeper looked, or
// whose keeper died before it had said so. done is false where a launch
// follows in this process: systemd asked for a start, or policy allows it.
func (k *keeper) settleDead() (code int, done bool) {
	var story gate.Story
	if fd, ok := k.fds[fdStory]; ok {
		story, _ = readStory(fd)
	}
	r := k.st.Run
	if story.Started == nil && story.Refused == nil && len(r.Events) == 0 {
		// The gate never opened: there was no bridge and nothing to tell.
		k.st.Run = nil
		return 0, false
	}
	failpoint("settling")
	k.heard(story)
	k.lastLook()
	if !r.Ready.IsZero() {
		k.sayReady()
	}
	byHand := !k.handed && k.startedByHand()
	// Only a restart that someone asked for keeps the store and comes here by
	// hand: its stop half met a dead keeper.
	r.Asked = r.Asked || byHand
	exit := k.exitOf(story)
	k.report(k.verdict(story, exit), exit)
	ended := bridge.Verdict{ExitCode: k.exit}
	// A reloaded image has no root left to launch anything with.
	return k.exit, k.handed || !ended.Restarts() && !byHand
}

// startedByHand reports whether this start was asked for, so that it has to
// launch whatever became of the run before.
func (k *keeper) startedByHand() bool {
	ctx, cancel := k.untilStopped()
	defer cancel()
	kind, err := k.kindOfStart(ctx, &bridge.Record{BootID: k.boot})
	if ctx.Err() != nil { // the signal was taken here, and is for whoever comes next
		k.again(unix.SIGTERM)
	}
	return err == nil && kind == manual
}

// again puts a signal back.
func (k *keeper) again(s unix.Signal) {
	select {
	case k.signals <- s:
	default: // there are others
	}
}

func (k *keeper) openRing() {
	fd, ok := k.fds[fdRing]
	if !ok || k.ring != nil {
		return
	}
	ring, err := terminal.OpenRing(fd)
	if err != nil {
		k.warn("the last screen is lost: " + err.Error())
		return
	}
	ring.Recover()
	k.ring = ring
}

// heard takes over what the gate has told.
func (k *keeper) heard(s gate.Story) {
	r := k.st.Run
	for _, w := range s.Warnings[min(r.WarningsSeen, len(s.Warnings)):] {
		k.warn(w)
	}
	r.WarningsSeen = len(s.Warnings)
	if s.Started != nil {
		r.ClaudePID, r.ClaudeVersion = s.Started.PID, s.Started.Version
		r.Dir, r.ConfigDir = s.Started.Dir, s.Started.ConfigDir
		if r.Spawned.IsZero() {
			r.Spawned = time.Now().UTC()
		}
		k.once(bridge.EventSpawn, fmt.Sprintf("claude %s was started as pid %d", r.ClaudeVersion, r.ClaudePID),
			fields{bridge.FieldPID: strconv.Itoa(r.ClaudePID), bridge.FieldClaudeVersion: r.ClaudeVersion})
	}
	if s.Refused != nil {
		r.Cause = *s.Refused
	}
	k.mustSave()
}

// verdict judges the ended run.
func (k *keeper) verdict(s gate.Story, exit bridge.Exit) bridge.Verdict {
	r := k.st.Run
	e := bridge.End{Instance: k.inst, Ready: !r.Ready.IsZero(), Asked: r.Asked, ByPerson: r.ByPerson, Mode: r.Record.Mode, Spawn: r.Record.SpawnMode,
		Cause: r.Cause, Held: r.Held, Waited: r.Settings.Grace, Policy: r.Settings.Policy,
		BudgetOut: k.st.budgetOut(r.Ready, time.Now()), Unattended: r.Unattended, Exit: exit}
	if s.Ended == nil {
		e.Evidence = "its reaper ended without a report"
		if r.Log.Stopping {
			e.Evidence = "its debug file ends with a shutdown"
		}
	}
	if e.Cause.Name == "" {
		e.Cause = k.lastWords()
	}
	e.Cause = claude.FillAt(e.Cause, k.inst, k.userForHints(), cmp.Or(r.Dir, r.Record.Path))
	v := bridge.Decide(e)
	if s.Refused != nil {
		v.Reason = e.Cause.Reason
	}
	return v
}

// userForHints is the bridge user where commands need sudo, "" in user mode.
func (k *keeper) userForHints() string {
	if k.manager == systemd.System && k.st.Run != nil {
		return k.st.Run.User.Name
	}
	return ""
}

// lastWords classifies what claude said last: its screen, then its log.
func (k *keeper) lastWords() bridge.Cause {
	r := k.st.Run
	size := 8 << 10
	if r.Ready.IsZero() {
		size = ringSize // a stack trace of many kilobytes follows some refusals
	}
	if c, ok := claude.LastWords(k.lastScreen(size), r.Record.Mode, !r.Ready.IsZero()); ok {
		return c
	}
	if c := r.Log.Cause(); c.Name != "" || !r.Ready.IsZero() {
		return c
	}
	return r.Log.Trouble.Cause()
}

// lastScreen is the end of the terminal's output as plain text.
func (k *keeper) lastScreen(bytes int) string {
	if k.ring == nil {
		return ""
	}
	raw, _ := k.ring.Tail(bytes)
	return terminal.StripString(string(raw))
}

const lastScreenBytes = 4 << 10

// report writes the end of the run and books it.
func (k *keeper) report(v bridge.Verdict, exit bridge.Exit) {
	r := k.st.Run
	more := fields{bridge.FieldCause: r.Cause.Name, bridge.FieldClaudeVersion: r.ClaudeVersion}
	if r.ClaudePID != 0 {
		more[bridge.FieldPID] = strconv.Itoa(r.ClaudePID)
	}
	switch {
	case !exit.Known:
	case exit.Signal != "":
		more[bridge.FieldExitSignal] = exit.Signal
	default:
		more[bridge.FieldExitCode] = strconv.Itoa(exit.Code)
	}
	addMemory(more, exit.OOM, exit.Memory)
	if v.Event != bridge.EventStop {
		more[bridge.FieldLastScreen] = lastLines(k.lastScreen(lastScreenBytes), 40)
	}
	switch {
	case v.Event == bridge.EventStop:
	case r.fallsBack(v, exit):
		k.st.Fresh, k.st.LastEnd, k.st.LastStatus = true, v.Reason, v.Status
		v.ExitCode, v.Hint = bridge.ExitTemporary, "nothing to do: it is started once more, without the conversation"
		k.event(bridge.EventFallback, "resuming the conversation failed ("+v.Reason+"); the next start is fresh",
			fields{bridge.FieldReason: v.Reason})
	case r.resumeFailed(v, exit):
		v.Hint = "without the conversation: clauster-ctl start " + k.inst.String()
	case v.Restarts() && r.Events[v.Event].ID == "": // not yet counted by a predecessor
		k.st.count(r.Ready, time.Now(), v)
		more[bridge.FieldRestarts] = strconv.Itoa(k.st.Tries)
	}
	k.exit = v.ExitCode
	k.finish(v, more)
}

// resumeFailed reports whether a bridge that was to go on with a conversation
// did not become ready because of it, as far as anyone can tell: for no known
// cause, and not because something killed or stopped it.
func (r *run) resumeFailed(v bridge.Verdict, exit bridge.Exit) bool {
	killed := !r.Held && (exit.Signal != "" || exit.Code > 128)
	return r.Record.Continue && v.Unexplained && v.Word != "frozen" && !killed
}

// fallsBack reports whether the next start follows by itself, fresh. Only where
// nobody asked: who says --resume wants that conversation, is told that it cannot
// be had, and did not ask for another one.
func (r *run) fallsBack(v bridge.Verdict, exit bridge.Exit) bool {
	return r.Unattended && r.resumeFailed(v, exit)
}

// lastLines gives the last n non-empty lines.
func lastLines(text string, n int) string {
	var lines []string
	for line := range strings.Lines(text) {
		if line = strings.TrimRight(line, " \r\n\t"); line != "" {
			lines = append(lines, line)
		}
	}
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// reap collects the reaper's zombie if it was this process that forked it.
func reap(pid int) {
	var ws unix.WaitStatus
	_, _ = unix.Wait4(pid, &ws, unix.WNOHANG, nil)
}
