package bridge

import (
	"fmt"
	"time"
)

// Class says what a known cause means for the next start.
type Class string

// The classes of a Cause.
const (
	ClassPermanent Class = "permanent" // a person must act: never started again by itself
	ClassTemporary Class = "temporary" // time heals it: started again, without end
	ClassConfig    Class = "config"    // installation or configuration: a person must act
	ClassUnknown   Class = ""          // says nothing about the next start
)

// Cause is why a bridge ended or was held, recognised in its own words
// (package claude) or found before it started.
type Cause struct {
	Name   string `json:"name"`           // short stable word: "logged-out", "untrusted" …
	Class  Class  `json:"class"`          //
	Reason string `json:"reason"`         // one plain sentence, lower case, no full stop
	Hint   string `json:"hint,omitempty"` // the next command, arguments filled in
}

// Exit is how the bridge process ended, as its reaper saw it.
type Exit struct {
	Known  bool   `json:"known"`               // false: nothing can know it (the reaper was killed too)
	Code   int    `json:"code"`                // exit status; -1 when killed by a signal
	Signal string `json:"signal,omitempty"`    // "SIGKILL" …
	OOM    int    `json:"oom_kills,omitempty"` // oom_kill of the scope's memory.events
	Memory Memory `json:"memory,omitzero"`
}

// Memory is what a scope's memory files said at the end, in bytes; 0 where
// there is no such figure or no limit.
type Memory struct {
	Peak    uint64 `json:"peak,omitempty"`
	Max     uint64 `json:"max,omitempty"`
	AtLimit bool   `json:"at_limit,omitempty"` // it was this scope's own limit that was hit
}

// Lack tells in words why the kernel had to kill.
func (m Memory) Lack() string {
	switch {
	case m.AtLimit && m.Max > 0:
		return fmt.Sprintf("at its memory limit of %d MiB", m.Max>>20)
	case m.AtLimit:
		return "at its memory limit"
	}
	return "because the machine, or the slice above it, ran out of memory"
}

// String gives "exit status 1", "signal SIGKILL" or "exit status unknown".
func (e Exit) String() string {
	switch {
	case !e.Known:
		return "exit status unknown"
	case e.Signal != "":
		return "signal " + e.Signal
	}
	return fmt.Sprintf("exit status %d", e.Code)
}

// End is everything a verdict is made from.
type End struct {
	Instance  Instance // for the commands in hints
	Exit      Exit
	Ready     bool          // READY was reached in this run
	Asked     bool          // systemd asked the unit to stop
	ByPerson  bool          // a person with a writing terminal ended it
	Mode      Mode          //
	Spawn     SpawnMode     //
	Cause     Cause         // zero where nothing was recognised
	Held      bool          // ended by us: not ready in time, or held by a prompt
	Waited    time.Duration // how long READY was waited for
	Policy    RestartPolicy //
	BudgetOut bool          // the crash budget is spent
	// Unattended: systemd started it after a crash or at boot, and nobody reads
	// the answer. What a person would try once more is tried once more.
	Unattended bool
	Evidence   string // by which evidence an unknown exit was decided
}

// Verdict is the judgement over an ended run: one event, one status, one exit
// code of the keeper, one sentence.
type Verdict struct {
	Event    Event
	Status   Status
	ExitCode int    // of the keeper
	Word     string // CLAUSTER_VERDICT: "asked", "exit", "signal", "oom", "unknown", "not-ready", "machine-down" or the cause's name
	Reason   string
	Hint     string

	Passing     bool // time heals it: it spends no crash budget
	Unexplained bool // before READY, for no known cause
}

// Restarts reports whether systemd will start the unit again
// (Restart=always less RestartPreventExitStatus of clauster@.service).
func (v Verdict) Restarts() bool {
	return v.ExitCode == ExitCrashed || v.ExitCode == ExitTemporary
}

// Decide makes the verdict: the golden table of docs/failures.md in one
// function. Order matters: what systemd asked for comes first, then what a
// person did, then READY or not.
func Decide(e End) Verdict {
	switch {
	case e.Asked:
		return Verdict{Event: EventStop, Status: Stopped, ExitCode: ExitStopped, Word: "asked", Reason: "stopped on request (" + e.Exit.String() + ")"}
	case e.Ready && e.Exit.Known && e.Exit.Code == 0 && e.Spawn == Session && e.Mode != PTY:
		return Verdict{Event: EventStop, Status: Stopped, ExitCode: ExitStopped, Word: "session-ended", Reason: "its single session ended"}
	case e.Ready && e.Exit.Known && e.Exit.Code == 0 && e.ByPerson:
		return Verdict{Event: EventStop, Status: Stopped, ExitCode: ExitStopped, Word: "ended-by-person", Reason: "a person ended it at its terminal"}
	case e.Ready:
		return decideCrash(e)
	}
	return decideNotReady(e)
}

func decideCrash(e End) Verdict {
	v := Verdict{Event: EventCrash, Status: Crashed, ExitCode: ExitCrashed}
	v.Word, v.Reason = endWords(e)
	v.Passing = e.Cause.Class == ClassTemporary
	switch {
	case e.Cause.Class == ClassPermanent || e.Cause.Class == ClassConfig:
		v.ExitCode, v.Hint = ExitGaveUp, e.Cause.Hint
	case e.Policy == RestartNever:
		v.ExitCode, v.Hint = ExitGaveUp, `restart = "never" keeps it down: clauster-ctl start --resume `+e.Instance.String()
	case e.BudgetOut && e.Cause.Class != ClassTemporary:
		v.ExitCode = ExitGaveUp
		v.Reason += "; it crashed too often and is not started again"
		v.Hint = "find the cause, then: clauster-ctl start --resume " + e.Instance.String()
	case v.Word == "oom" && e.Exit.Memory.AtLimit:
		v.Hint = "raise memory_max of its project (clauster.toml), or see what needs so much: journalctl -k -g oom-kill"
	case v.Word == "oom":
		v.Hint = "see what needs so much: journalctl -k -g oom-kill"
	}
	return v
}

func decideNotReady(e End) Verdict {
	v := Verdict{Event: EventError, Status: Failed, ExitCode: ExitNotReady}
	v.Word, v.Reason = endWords(e)
	switch e.Cause.Class {
	case ClassPermanent:
		v.ExitCode, v.Hint = ExitPermanent, e.Cause.Hint
	case ClassConfig:
		v.ExitCode, v.Hint = ExitConfig, e.Cause.Hint
	case ClassTemporary:
		v.ExitCode, v.Hint, v.Passing = ExitTemporary, e.Cause.Hint, true
	default:
		v.unexplained(e)
	}
	return v
}

// unexplained completes the verdict over a start whose failure has no known
// cause. A person who started it is told and decides. An unattended start is
// tried again: a bridge must not stay down because its one start at boot met a
// machine too busy to answer in time.
func (v *Verdict) unexplained(e End) {
	v.Unexplained = true
	switch {
	case e.Cause.Name != "":
		v.Hint = e.Cause.Hint
	case e.Held:
		v.Word = "not-ready"
		v.Reason = fmt.Sprintf("claude did not register within %s", e.Waited.Round(time.Second))
		v.Hint = "look at what it said: clauster-ctl logs " + e.Instance.String()
	default:
		v.Reason += " before it was ready"
	}
	switch {
	case !e.Unattended || e.Policy == RestartNever:
	case e.Held || !e.BudgetOut:
		v.ExitCode, v.Passing = ExitTemporary, e.Held
	default:
		v.Reason += "; it failed too often and is not started again"
	}
}

// endWords gives the verdict word and the sentence for an end that nobody
// asked for. An OOM kill outranks a recognised text, which outranks the bare
// exit status.
func endWords(e End) (word, reason string) {
	switch {
	case e.Exit.OOM > 0 && (!e.Exit.Known || e.Exit.Signal == "SIGKILL" || e.Exit.Code == 137):
		return "oom", fmt.Sprintf("the kernel killed it %s (%s)", e.Exit.Memory.Lack(), oomKills(e.Exit.OOM))
	case e.Cause.Name != "":
		return e.Cause.Name, e.Cause.Reason
	case !e.Exit.Known:
		reason = "claude ended, exit status unknown"
		if e.Evidence != "" {
			reason += " (" + e.Evidence + ")"
		}
		return "unknown", reason
	case e.Exit.Signal != "":
		return "signal", "claude was killed by " + e.Exit.Signal
	}
	reason = fmt.Sprintf("claude ended with %s", e.Exit)
	if e.Exit.OOM > 0 { // of its children, perhaps days ago: said, but no verdict
		reason += fmt.Sprintf("; the kernel had killed processes of it %s (%s)", e.Exit.Memory.Lack(), oomKills(e.Exit.OOM))
	}
	return "exit", reason
}

func oomKills(n int) string {
	if n == 1 {
		return "1 OOM kill"
	}
	return fmt.Sprintf("%d OOM kills", n)
}
