package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
	"clauster/pkg/fleet"
)

// journalPatience bounds one run of journalctl.
const journalPatience = 10 * time.Second

// fromJournal gives the dead that systemd has forgotten their last word. A
// caller who may not read the journal sees them without.
func (w *world) fromJournal(ctx context.Context, bridges []fleet.Bridge) {
	dead := w.Forgotten(bridges)
	if len(dead) == 0 {
		return
	}
	if !w.app.userMode && !w.app.JournalReadable() {
		if w.app.entitled() {
			w.Warnings = append(w.Warnings, fmt.Errorf("the journal is closed to you, so it is not known how these ended: %s (%s)",
				nameSome(dead), journalGroupHint(w.app)))
		}
		return
	}
	ctx, cancel := context.WithTimeout(ctx, journalPatience)
	defer cancel()
	last, err := fleet.LastInJournal(ctx, w.app.origin(), dead)
	if err != nil {
		w.Warnings = append(w.Warnings, err)
	}
	w.TellPast(bridges, last)
}

// compareConfig marks the bridges whose configuration is another now.
func (w *world) compareConfig(bridges []fleet.Bridge) {
	var live bool
	for _, b := range bridges {
		live = live || b.Live
	}
	if !live || !w.app.entitled() {
		return
	}
	if cfg := w.app.configIfReadable(); cfg != nil {
		w.CompareConfig(bridges, cfg.BridgeHash)
	}
}

// cgroups is where to look for control groups.
func (a *App) cgroups() cgroup.Host {
	return cgroup.Host{Root: a.path("/sys/fs/cgroup"), Proc: a.path("/proc")}
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
