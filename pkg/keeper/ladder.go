package keeper

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/claude"
)

// checkGap keeps an agent that sends signals without end from keeping the bus
// busy.
const checkGap = 250 * time.Millisecond

// onSignal checks who sent a SIGTERM before it obeys, one check at a time. A
// signal that comes during a check is checked after it: it may be systemd's,
// and the running check may have asked just before.
func (l *loop) onSignal(s os.Signal) {
	if s == unix.SIGHUP || l.st.Run.Asked {
		return
	}
	if l.checking {
		l.recheck = true
		return
	}
	l.checking = true
	go func() {
		if l.meant() {
			l.calls <- l.stop
			return
		}
		time.Sleep(checkGap)
		l.calls <- func() {
			l.checking = false
			if l.recheck {
				l.recheck = false
				l.onSignal(unix.SIGTERM)
			}
		}
	}()
}

// stop begins the graceful end that systemd asked for.
func (l *loop) stop() {
	r := l.st.Run
	if r.Asked {
		return
	}
	r.Asked = true
	l.mustSave()
	failpoint("asked")
	_ = l.notify.Send("STOPPING=1", "STATUS="+bridge.StatusLine(bridge.Stopped, "stopping"), extend(intWait+termWait+killWait+endWait))
	l.startLadder()
}

func (l *loop) startLadder() {
	if l.ladder != nil {
		return
	}
	if l.st.Run.ClaudePID == 0 { // it may have been started this instant
		l.story, _ = readStory(l.fds[fdStory])
		l.heard(l.story)
	}
	l.ladder = ladder(l.st.Run.Record.Mode)
	l.stepAt = time.Now().Add(l.ladder[0].wait)
	if l.ladder[0].wait == 0 {
		l.climb(time.Now())
	}
}

// climb takes the rungs that are due; true means that even SIGKILL did not
// help within killWait and the cgroup has to do it (ExecStopPost).
func (l *loop) climb(now time.Time) (over bool) {
	for len(l.ladder) > 0 {
		if now.Before(l.stepAt) {
			return false
		}
		l.signalBridge(l.ladder[0].signal)
		failpoint("rung-" + strings.ToLower(unix.SignalName(l.ladder[0].signal)))
		l.ladder = l.ladder[1:]
		if len(l.ladder) > 0 {
			l.stepAt = now.Add(l.ladder[0].wait)
		} else {
			l.ladder = []rung{}
			l.stepAt = now.Add(killWait)
			return false
		}
	}
	return !now.Before(l.stepAt)
}

// end drains what the dead bridge left behind and reports.
func (l *loop) end() int {
	failpoint("bridge-gone")
	r := l.st.Run
	l.stopReaders()
	deadline := time.Now().Add(drainWait)
	l.pump.drain(deadline)
	l.pump.scan(l.ctx, make([]byte, 4096))
	l.screen = l.pump.screen.State()
	l.chronicle.finish(r.Log.Add, deadline)
	if story, err := readStory(l.fds[fdStory]); err == nil {
		l.story = story
	}
	l.heard(l.story)
	r.ByPerson = r.ByPerson || l.server.personWrites()
	if e := l.evidence(); r.Ready.IsZero() && !r.Asked && !r.Held && e.ready() {
		l.becomeReady(e) // it was, and ended before the loop knew
	}
	failpoint("drained")
	exit := l.exitOf(l.story)
	v := l.verdict(l.story, exit)
	reap(r.ReaperPID)
	l.report(v, exit)
	l.server.close(v) // after the event: viewers may take a second to leave
	l.chronicle.spool.Close()
	return l.exit
}

// lookAtSession reads the flag form's session file, the second proof of
// readiness besides the debug file.
func (l *loop) lookAtSession(now time.Time) {
	r := l.st.Run
	l.lookAt = time.Time{}
	if r.Record.Mode != bridge.PTY || r.ClaudePID == 0 {
		return
	}
	f, err := claude.ReadSession(claude.Dirs{Home: r.User.Home, ConfigDir: r.ConfigDir}, r.ClaudePID)
	// A killed claude leaves its file behind, and PIDs come again.
	if err == nil && f.ProcStart == startTime(r.ClaudePID) {
		l.session = f.Bridge != ""
		if l.session && r.Log.SessionID == "" {
			r.Log.SessionID = f.Bridge
			l.mustSave()
		}
	}
	if r.Ready.IsZero() {
		l.lookAt = now.Add(sessionLook)
	}
}

// lookAtFreezer sees a frozen scope or a stopped claude, which say nothing by
// themselves. A stopped reaper is woken: claude's end would never be known.
func (l *loop) lookAtFreezer() {
	r := l.st.Run
	l.frozen = ""
	if scopeFrozen(r.Cgroup) {
		l.frozen = l.commands("its scope is frozen: systemctl thaw " + l.inst.Scope())
		return
	}
	if stoppedBySignal(r.ReaperPID) {
		_ = unix.PidfdSendSignal(l.fds[fdReaper], unix.SIGCONT, nil, 0)
	}
	if stoppedBySignal(r.ClaudePID) {
		l.frozen = "claude is stopped by a signal: kill -CONT " + strconv.Itoa(r.ClaudePID)
	}
}

// stoppedBySignal reads the state in /proc/PID/stat, which follows the last
// parenthesis of the name (proc_pid_stat(5)).
func stoppedBySignal(pid int) bool {
	fields := statFields(pid)
	return len(fields) > 0 && fields[0] == "T"
}

// startTime is field 22 of /proc/PID/stat: clock ticks since boot.
func startTime(pid int) string {
	if fields := statFields(pid); len(fields) > 19 {
		return fields[19]
	}
	return ""
}

// statFields are the fields from the third on, the state.
func statFields(pid int) []string {
	if pid == 0 {
		return nil
	}
	stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
	if err != nil {
		return nil
	}
	_, rest, _ := strings.Cut(string(stat[max(0, strings.LastIndexByte(string(stat), ')')):]), " ")
	return strings.Fields(rest)
}

func scopeFrozen(path string) bool {
	group, err := cgroup.System().Open(path)
	if err != nil {
		return false
	}
	defer group.Close()
	_, frozen, err := group.State()
	return err == nil && frozen
}
