package keeper

import (
	"fmt"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
)

// evidence is everything that health and readiness are judged by. It is a
// value, and judging it is pure.
type evidence struct {
	mode    bridge.Mode
	log     claude.Log
	screen  claude.ScreenState
	session bool // pty: the session file says that it is connected
	frozen  string
	spawned bool // claude was started
}

// ready reports whether the bridge serves, by evidence of registration; being
// alive proves nothing. The debug file comes first. On the screen of a
// standard bridge nobody but claude itself writes, so its pane together with
// its link is proof too, for a debug file that an agent has removed. The
// screen of a pty bridge shows an agent's words and proves nothing.
func (e evidence) ready() bool {
	if e.log.Ready(e.mode) {
		return true
	}
	if e.mode == bridge.PTY {
		return e.session
	}
	pane := e.screen.Pane == claude.PaneReady || e.screen.Pane == claude.PaneConnected
	return pane && e.screen.Link != ""
}

// link is where the bridge is reached, "" while unknown.
func (e evidence) link(spawn bridge.SpawnMode) string {
	if l := e.log.Link(e.mode, spawn); l != "" {
		return l
	}
	return e.screen.Link
}

// hold names a cause for which a bridge that is not ready is given up at once
// instead of at the end of its grace: it waits for a person, or it has said
// that it will never register.
func (e evidence) hold() (bridge.Cause, bool) {
	if e.screen.Prompt != "" {
		return claude.CauseNamed(e.screen.Prompt), true
	}
	if e.log.Ignored {
		if c := e.log.Cause(); c.Name != "" {
			return c, true // it said why
		}
		return claude.CauseNamed("flag-not-logged-in"), true
	}
	if e.mode == bridge.PTY && e.screen.RC == claude.RCFailed {
		return claude.CauseNamed("flag-init-failed"), true
	}
	if c := e.log.Cause(); c.Class == bridge.ClassPermanent || c.Class == bridge.ClassConfig {
		return c, true
	}
	return bridge.Cause{}, false
}

// late names the cause where the grace is over without any other. The network
// is at fault, which time heals, only where claude says that it tries again:
// the pane Connecting is drawn before anything is tried and proves nothing.
func (e evidence) late() bridge.Cause {
	if e.log.Offline || e.retrying() {
		return claude.CauseNamed("offline")
	}
	if c := e.log.Cause(); c.Name != "" {
		return c
	}
	if e.frozen != "" {
		// By then it is ended: no command wakes it any more.
		what, _, _ := strings.Cut(e.frozen, ": ")
		return bridge.Cause{Name: "frozen", Class: bridge.ClassUnknown, Reason: strings.Replace(what, " is ", " was ", 1) + " and never became ready"}
	}
	if !e.spawned { // a boot on a busy machine; the conversation to continue is not to blame
		return bridge.Cause{Name: "launch-slow", Class: bridge.ClassTemporary, Reason: "the machine was too busy to start claude in time"}
	}
	return bridge.Cause{}
}

// retrying reports whether claude says that its connection is gone and that
// it tries to have it again.
func (e evidence) retrying() bool {
	return e.screen.Pane == claude.PaneReconnecting || e.mode == bridge.PTY && e.screen.RC == claude.RCReconnecting ||
		e.log.State == "reconnecting" || e.log.State == "disconnected"
}

// health judges a bridge that was ready.
func (e evidence) health() (bridge.Health, string) {
	switch {
	case e.frozen != "":
		return bridge.Frozen, e.frozen
	case e.retrying():
		return bridge.Reconnecting, "claude lost its connection and tries again"
	case e.mode == bridge.PTY && e.screen.RC == claude.RCFailed || e.log.State == "failed":
		return bridge.Wedged, "claude runs but Remote Control failed and does not try again; restart it"
	case e.log.Poisoned:
		return bridge.Wedged, "the session it reattached to was ended for good; restart it fresh"
	// The questions of a start are answered once it is ready, whatever stands on
	// the screen for a moment more.
	case e.screen.Prompt == "prompt-permission" || e.screen.Prompt == "prompt":
		return bridge.Waiting, claude.CauseNamed(e.screen.Prompt).Reason
	}
	if c := e.worst(); c.Name != "" {
		return bridge.Wedged, c.Reason
	}
	return bridge.OK, e.service()
}

// worst is a failure after which a bridge that was ready no longer serves,
// although it lives.
func (e evidence) worst() bridge.Cause {
	for _, c := range []bridge.Cause{e.screen.Failure, e.log.Cause()} {
		switch {
		case c.Name == "spawn-enoent", c.Class == bridge.ClassPermanent, c.Class == bridge.ClassConfig:
			return c
		}
	}
	return bridge.Cause{}
}

// service says what a healthy bridge is doing.
func (e evidence) service() string {
	s := e.screen
	switch {
	case e.mode == bridge.PTY || s.Capacity == 0:
		return "connected" + e.noSession()
	case s.Sessions >= s.Capacity:
		return fmt.Sprintf("connected, all %d sessions in use", s.Capacity)
	}
	return fmt.Sprintf("connected, %d of %d sessions in use%s", s.Sessions, s.Capacity, e.noSession())
}

// noSession tells of a bridge that serves but could not make the session it
// begins with: an operator who looks for it in claude.ai/code looks in vain.
func (e evidence) noSession() string {
	if e.log.SessionID != "" || e.screen.Sessions > 0 {
		return ""
	}
	switch e.log.Trouble.Cause().Name {
	case "overloaded":
		return "; the service was too busy to make its first session"
	case "session-refused":
		return "; the service refused to make its first session"
	}
	return ""
}

// Patience of the judge.
const (
	promptPatience = 5 * time.Second // a question nobody at a terminal answers
	sessionLook    = time.Second     // between looks at the session file before READY
)
