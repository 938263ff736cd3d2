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
	Exit      Exit
	Ready     bool          // READY was reached in this run
	Asked     bool          // systemd asked the unit to stop
	ByPerson  bool          // a person with a writing terminal ended it
	Spawn     SpawnMode     //
	Cause     Cause         // zero where nothing was recognised
	Held      bool          // ended by us: not ready in time, or held by a prompt
	Waited    time.Duration // how long READY was waited for
	Policy    RestartPolicy //
	BudgetOut bool          // the crash budget is spent
	Evidence  string        // by which evidence an unknown exit was decided
}

// Verdict is the judgement over an ended run: one event, one status, one exit
// code of the keeper, one sentence.
type Verdict struct {
	Event    Event
	Status   Status
	ExitCode int    // of the keeper
	Word     string // CLAUSTER_VERDICT: "asked", "exit", "signal", "oom", "unknown", "not-ready" or the cause's name
	Reason   string
	Hint     string
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
		return Verdict{EventStop, Stopped, ExitStopped, "asked", "stopped on request (" + e.Exit.String() + ")", ""}
	case e.Ready && e.Exit.Known && e.Exit.Code == 0 && e.Spawn == Session:
		return Verdict{EventStop, Stopped, ExitStopped, "session-ended", "its single session ended", ""}
	case e.Ready && e.Exit.Known && e.Exit.Code == 0 && e.ByPerson:
		return Verdict{EventStop, Stopped, ExitStopped, "ended-by-person", "a person ended it at its terminal", ""}
	case e.Ready:
		return decideCrash(e)
	}
	return decideNotReady(e)
}

func decideCrash(e End) Verdict {
	v := Verdict{Event: EventCrash, Status: Crashed, ExitCode: ExitCrashed}
	v.Word, v.Reason = endWords(e)
	switch {
	case e.Cause.Class == ClassPermanent || e.Cause.Class == ClassConfig:
		v.ExitCode, v.Hint = ExitGaveUp, e.Cause.Hint
	case e.Policy == RestartNever:
		v.ExitCode, v.Hint = ExitGaveUp, `restart = "never" keeps it down: clauster-ctl start --resume INSTANCE`
	case e.BudgetOut && e.Cause.Class != ClassTemporary:
		v.ExitCode = ExitGaveUp
		v.Reason += "; it crashed too often and is not started again"
		v.Hint = "find the cause, then: clauster-ctl start --resume INSTANCE"
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
		v.ExitCode, v.Hint = ExitTemporary, e.Cause.Hint
	default:
		if e.Held {
			v.Word = "not-ready"
			v.Reason = fmt.Sprintf("claude did not register within %s", e.Waited.Round(time.Second))
			v.Hint = "look at what it said: clauster-ctl logs INSTANCE"
			break
		}
		v.Reason += " before it was ready"
	}
	return v
}

// endWords gives the verdict word and the sentence for an end that nobody
// asked for. An OOM kill outranks a recognised text, which outranks the bare
// exit status.
func endWords(e End) (word, reason string) {
	switch {
	case e.Exit.OOM > 0 && (!e.Exit.Known || e.Exit.Signal == "SIGKILL" || e.Exit.Code == 137):
		return "oom", fmt.Sprintf("the kernel killed it for exceeding its memory limit (%d OOM kills)", e.Exit.OOM)
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
	return "exit", fmt.Sprintf("claude ended with %s", e.Exit)
}
