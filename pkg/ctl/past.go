package ctl

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
)

// journalPatience bounds one run of journalctl.
const journalPatience = 10 * time.Second

// fromJournal gives the dead that systemd has forgotten their last word. A
// caller who may not read the journal sees them without.
func (w *world) fromJournal(ctx context.Context, views []View) {
	var dead []bridge.Instance
	for _, v := range views {
		if !v.live && !w.loaded(v.instance) {
			dead = append(dead, v.instance)
		}
	}
	if len(dead) == 0 {
		return
	}
	if !w.app.userMode && !w.app.JournalReadable() {
		if w.app.entitled() {
			w.warnings = append(w.warnings, fmt.Errorf("the journal is closed to you, so it is not known how these ended: %s (%s)",
				nameSome(dead), journalGroupHint(w.app)))
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, journalPatience)
	defer cancel()
	last, err := journal.LastEvents(ctx, w.app.origin(), dead)
	if err != nil {
		w.warnings = append(w.warnings, err)
	}
	for n := range views {
		v := &views[n]
		e, told := last[v.instance]
		r, recorded := w.records[v.instance]
		switch {
		case told && (!recorded || clean(e.Get(bridge.FieldRun)) == r.Run || e.Time.After(r.Launched)):
			v.endedAs(e, w.app.bootID())
		case recorded && !v.live && !w.loaded(v.instance):
			v.endUntold(r, told, w.app)
		}
	}
}

// endUntold tells of a recorded launch of which the journal knows nothing.
// journald writes to the disk every few minutes, so a power cut takes the last
// events with it, while the record is synced; and a volatile journal is gone
// with every boot.
func (v *View) endUntold(r bridge.Record, journalGoesBack bool, a *App) {
	v.Since = utc{r.Launched}
	v.Hint = "clauster-ctl start --resume " + v.Instance
	v.Reason = "the journal does not tell how it ended"
	if sameBoot(r.BootID, a.bootID()) {
		return
	}
	v.Reason = "it was launched before the machine went down, and the journal does not tell how it ended"
	if journalGoesBack { // to a launch before this one: what is missing was not written any more
		v.Status, v.Reason = bridge.Crashed, "the machine went down soon after it was launched, before the journal was on the disk"
	} else if _, err := os.Stat(a.path("/var/log/journal")); err != nil {
		v.Hint += "; to keep the journal across boots: mkdir /var/log/journal && journalctl --flush"
	}
}

// bootID is that of the running kernel, "" where it cannot be read.
func (a *App) bootID() string {
	data, err := os.ReadFile(a.path("/proc/sys/kernel/random/boot_id"))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// sameBoot compares boot ids: journald writes them without dashes.
func sameBoot(x, y string) bool {
	return strings.ReplaceAll(x, "-", "") == strings.ReplaceAll(y, "-", "")
}

// endedAs takes status, reason and time from the last event of a dead
// instance. Where that is no end, the machine went down before there was one.
func (v *View) endedAs(e journal.Entry, boot string) {
	v.Since = utc{e.Time}
	v.Run = cmp.Or(clean(e.Get(bridge.FieldRun)), v.Run)
	switch name := e.Event(); name {
	case bridge.EventSpawn, bridge.EventReady:
		v.Status, v.Reason = bridge.Crashed, "it was running when the machine went down"
		if sameBoot(e.Get("_BOOT_ID"), boot) {
			v.Reason = "its keeper ended without saying why"
		}
		v.Hint = "clauster-ctl start --resume " + v.Instance
	default:
		v.Status = map[bridge.Event]bridge.Status{bridge.EventStop: bridge.Stopped, bridge.EventCrash: bridge.Crashed,
			bridge.EventError: bridge.Failed}[name]
		v.Reason = clean(e.Get(bridge.FieldReason))
		v.Hint = clean(e.Get(bridge.FieldHint))
		v.VerdictWord = clean(e.Get(bridge.FieldVerdict))
	}
}

// compareConfig marks the bridges whose configuration is another now.
func (w *world) compareConfig(views []View) {
	var live bool
	for _, v := range views {
		live = live || v.live
	}
	if !live || !w.app.entitled() {
		return
	}
	cfg := w.app.configIfReadable()
	if cfg == nil {
		return
	}
	hashes := map[string]string{}
	for n := range views {
		v := &views[n]
		r, ok := w.records[v.instance]
		if !ok || !v.live || r.Config == "" {
			continue
		}
		if hashes[v.Project] == "" {
			hashes[v.Project] = cfg.BridgeHash(v.Project)
		}
		v.ConfigChanged = r.Config != hashes[v.Project]
	}
}

// nameSome names instances, the first few of many.
func nameSome(list []bridge.Instance) string {
	const most = 5
	var names []string
	for _, i := range list[:min(len(list), most)] {
		names = append(names, i.String())
	}
	if len(list) > most {
		names = append(names, fmt.Sprintf("and %d more", len(list)-most))
	}
	return strings.Join(names, ", ")
}
