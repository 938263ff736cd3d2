package keeper

import (
	"fmt"
	"strconv"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
)

// apiErrorGap keeps a session that retries for hours from filling the journal.
const apiErrorGap = time.Minute

func (l *loop) apiError(e claude.APIError) {
	now := time.Now()
	if at, seen := l.apiSeen[e.Name]; seen && now.Sub(at) < apiErrorGap {
		return
	}
	l.apiSeen[e.Name] = now // a closed list of names
	l.event(bridge.EventAPIError, e.Text, fields{bridge.FieldCause: e.Name})
}

func (l *loop) evidence() evidence {
	r := l.st.Run
	return evidence{mode: r.Record.Mode, log: r.Log, screen: l.screen, session: l.session, frozen: l.frozen, spawned: !r.Spawned.IsZero()}
}

// react draws the conclusions of what has changed: ready, held, health.
func (l *loop) react() {
	r := l.st.Run
	e := l.evidence()
	switch {
	case r.Asked || r.Held:
	case r.Ready.IsZero() && e.ready():
		l.becomeReady(e)
	case r.Ready.IsZero():
		l.whileStarting(e)
	default:
		l.followHealth(e)
	}
	l.publish()
}

func (l *loop) becomeReady(e evidence) {
	r := l.st.Run
	if r.ClaudePID == 0 { // its first markers overtook the reaper's word: spawn is told before ready
		l.story, _ = readStory(l.fds[fdStory])
		l.heard(l.story)
	}
	r.Ready = time.Now().UTC()
	r.Link = e.link(r.Record.SpawnMode)
	l.holdAt, l.lookAt = time.Time{}, time.Time{}
	r.Health, r.Why = e.health()
	l.st.Intent = nil
	l.mustSave()
	failpoint("ready-saved")
	l.sayReady()
	l.tell(string(r.Health), r.Why, "READY=1")
}

// sayReady writes the ready event, once: a predecessor may have died over it.
func (k *keeper) sayReady() {
	r := k.st.Run
	k.once(bridge.EventReady, fmt.Sprintf("ready after %s", r.Ready.Sub(r.Launched).Round(time.Millisecond)),
		fields{bridge.FieldHealth: string(r.Health), bridge.FieldPID: strconv.Itoa(r.ClaudePID), bridge.FieldClaudeVersion: r.ClaudeVersion})
}

// whileStarting shows what is waited for, and arms the hold.
func (l *loop) whileStarting(e evidence) {
	r := l.st.Run
	c, held := e.hold()
	word, why := bridge.Health(bridge.Starting), "waiting for claude to register"
	switch {
	case held && e.screen.Prompt != "":
		word, why = bridge.Waiting, c.Reason
	case held:
		why = c.Reason
	}
	if held && l.holdAt.IsZero() {
		l.holdAt = time.Now().Add(promptPatience)
	}
	if !held {
		l.holdAt = time.Time{}
	}
	if l.lookAt.IsZero() && r.Record.Mode == bridge.PTY {
		l.lookAt = time.Now().Add(sessionLook)
	}
	if r.Why != why {
		r.Health, r.Why = word, why
		l.mustSave()
		l.tell(string(word), why, extend(r.Settings.Grace+intWait+termWait+launchWait))
	}
}

// Pacing of a changed health: short flickers never show, and an agent that
// makes its screen flip all day fills neither the journal nor systemd's ear.
const (
	healthSettle = 500 * time.Millisecond
	healthGap    = 5 * time.Second
)

// followHealth tells a health that has changed and stayed so for a while.
func (l *loop) followHealth(e evidence) {
	r := l.st.Run
	if link := e.link(r.Record.SpawnMode); link != "" && link != r.Link {
		r.Link = link
		l.mustSave()
	}
	health, why := e.health()
	now := time.Now()
	switch {
	case health == r.Health && why == r.Why:
		l.healthAt = time.Time{}
		return
	case l.healthAt.IsZero() || health != r.Health && l.awaited == r.Health:
		l.armHealth(health, now)
		return
	case now.Before(l.healthAt):
		return
	}
	changed := health != r.Health
	l.healthAt, l.toldAt = time.Time{}, now
	r.Health, r.Why = health, why
	l.mustSave()
	if changed {
		l.changedAt = now
		l.event(bridge.EventHealth, string(health)+": "+why, fields{bridge.FieldHealth: string(health), bridge.FieldReason: why})
	}
	l.tell(string(health), why)
}

// armHealth sets when a health is told. A word waits for the last word only:
// the number of sessions on the screen, which may come just behind READY, would
// else hide a connection lost within the seconds after.
func (l *loop) armHealth(health bridge.Health, now time.Time) {
	last := l.toldAt
	if health != l.st.Run.Health {
		last = l.changedAt
	}
	l.awaited, l.healthAt = health, now.Add(healthSettle)
	if next := last.Add(healthGap); next.After(l.healthAt) {
		l.healthAt = next
	}
}

// giveUp ends a bridge that is not ready and will not be.
func (l *loop) giveUp(c bridge.Cause) {
	r := l.st.Run
	r.Held, r.Cause = true, c
	l.mustSave()
	l.startLadder()
}
