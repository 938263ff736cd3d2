package bridge

import (
	"fmt"
	"strings"
	"time"
)

// UnitFacts are what systemd knows of one instance: its service and its
// scope. They come from ListUnits and unit properties (org.freedesktop.systemd1,
// systemd 249 and later); zero fields mean systemd did not say.
type UnitFacts struct {
	Scope      string // name of the scope, for commands
	Loaded     bool   // the service is in systemd's memory
	Active     string // ActiveState of the service
	Sub        string // SubState of the service
	StatusText string // StatusText: the keeper's last STATUS=
	ExitCode   int    // ExecMainStatus where ExecMainCode is CLD_EXITED, else -1
	Result     string // Result of the service
	MainPID    int
	Restarts   int       // NRestarts
	Run        string    // InvocationID
	Since      time.Time // StateChangeTimestamp of the service
	ScopeAlive bool      // the scope is active
	Frozen     bool      // FreezerState of the scope is frozen
}

// StatusWord is the machine-readable beginning of the keeper's STATUS= text,
// "WORD: sentence". It carries a Health while the bridge serves and a Status
// otherwise, so that systemctl status, which shows the text, and our own
// tools, which cut it, read the same line.
type StatusWord string

// StatusLine renders a STATUS= text. systemd takes every backslash out of it:
// the commands in it have none (Word).
func StatusLine[T ~string](word T, sentence string) string {
	return string(word) + ": " + sentence
}

// hintMark stands between a reason and what to do about it.
const hintMark = " — "

// WithHint joins a reason and its hint for a place that holds one sentence.
func WithHint(reason, hint string) string {
	if hint == "" {
		return reason
	}
	return reason + hintMark + hint
}

// CutHint undoes WithHint.
func CutHint(sentence string) (reason, hint string) {
	reason, hint, _ = strings.Cut(sentence, hintMark)
	return reason, hint
}

// cutStatusLine splits a STATUS= text; text of another form is all sentence.
func cutStatusLine(text string) (word, sentence string) {
	word, sentence, found := strings.Cut(text, ": ")
	if !found || strings.ContainsAny(word, " \t") {
		return "", text
	}
	return word, sentence
}

// State is what the surfaces show of an instance.
type State struct {
	Status Status
	Health Health
	Reason string // one plain sentence, "" where there is nothing to say
}

// Judge turns unit facts into the words of DESIGN §4. It never guesses: an
// unloaded service says nothing about its last end, which is in the journal
// (see EndFacts), so it is reported as stopped without a reason, or, with a
// living scope, as orphaned.
func Judge(f UnitFacts) State {
	word, sentence := cutStatusLine(f.StatusText)
	switch f.Active {
	case "active", "reloading":
		return judgeActive(f, word, sentence)
	case "activating":
		switch {
		case f.ScopeAlive && (f.Restarts > 0 || f.Sub == "auto-restart") && word != string(Starting):
			return reattaching()
		case word == string(Crashed) || word == string(Failed):
			return State{Status(word), "", sentence}
		}
		return State{Starting, startingHealth(word), sentence}
	case "deactivating":
		if word == string(Crashed) || word == string(Failed) || word == string(Stopped) {
			return State{Status(word), "", sentence}
		}
		// ExecStopPost of a keeper that died by itself: one that was asked to
		// stop says so first.
		if f.ScopeAlive && word != string(Starting) && f.Sub != "stop-sigterm" && f.Sub != "stop" {
			return reattaching()
		}
		return State{Stopped, "", "it is stopping"}
	case "failed":
		return judgeFailed(f, word, sentence)
	}
	if f.ScopeAlive {
		return State{Running, Wedged, "the bridge lives without its keeper (orphan): clauster-ctl keepers"}
	}
	if word == string(Stopped) {
		return State{Stopped, "", sentence}
	}
	return State{Status: Stopped}
}

func reattaching() State {
	return State{Running, Reattaching, "the keeper is being started again over the living bridge"}
}

func judgeActive(f UnitFacts, word, sentence string) State {
	switch {
	case !f.ScopeAlive && word != string(Crashed) && word != string(Failed):
		return State{Crashed, "", "the bridge's scope is gone"}
	case f.Frozen:
		return State{Running, Frozen, "its scope is frozen: systemctl thaw " + f.Scope}
	}
	switch h := Health(word); h {
	case OK:
		return State{Running, OK, sentence}
	case Reattaching, Reconnecting, Waiting, Wedged, Frozen:
		return State{Running, h, sentence}
	}
	switch s := Status(word); s {
	case Crashed, Failed, Stopped:
		return State{s, "", sentence}
	}
	return State{Running, OK, sentence}
}

func startingHealth(word string) Health {
	if h := Health(word); h == Waiting || h == Frozen {
		return h
	}
	return ""
}

func judgeFailed(f UnitFacts, word, sentence string) State {
	if word == string(Crashed) || word == string(Failed) {
		return State{Status(word), "", sentence}
	}
	switch f.ExitCode {
	case ExitCrashed, ExitGaveUp:
		return State{Crashed, "", "the bridge crashed"}
	case ExitNotReady, ExitTemporary, ExitPermanent, ExitConfig:
		return State{Failed, "", fmt.Sprintf("the bridge did not become ready (keeper exit %d)", f.ExitCode)}
	}
	return State{Failed, "", fmt.Sprintf("the unit failed with result %q", f.Result)}
}
