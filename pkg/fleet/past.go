package fleet

import (
	"cmp"
	"context"
	"errors"
	"os"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/terminal"
	"clauster/pkg/wire"
)

// Last is the newest spawn, ready, stop, crash or error of an instance.
type Last struct {
	Event                 bridge.Event
	At                    time.Time
	Run                   string
	BootID                string // of the kernel it happened under, "" unknown
	Reason, Hint, Verdict string
}

// LastOfEntry reads a trusted journal entry.
func LastOfEntry(e journal.Entry) Last {
	return Last{Event: e.Event(), At: e.Time, Run: e.Get(bridge.FieldRun), BootID: e.Get("_BOOT_ID"),
		Reason: e.Get(bridge.FieldReason), Hint: e.Get(bridge.FieldHint), Verdict: e.Get(bridge.FieldVerdict)}
}

// LastOfEvent reads an event of the store.
func LastOfEvent(e wire.Event) Last {
	return Last{Event: bridge.Event(e.Kind), At: e.At.Time, Run: e.Run, BootID: e.Fields["boot_id"],
		Reason: e.Fields["reason"], Hint: e.Fields["hint"], Verdict: e.Fields["verdict"]}
}

// LastInJournal reads the last events in one run of journalctl.
func LastInJournal(ctx context.Context, o journal.Origin, instances []bridge.Instance) (map[bridge.Instance]Last, error) {
	entries, err := journal.LastEvents(ctx, o, instances)
	last := make(map[bridge.Instance]Last, len(entries))
	for i, e := range entries {
		last[i] = LastOfEntry(e)
	}
	return last, err
}

// LastFunc gives last events; instances without one are left out.
type LastFunc func(ctx context.Context, instances []bridge.Instance) (map[bridge.Instance]Last, error)

// LastInStore adapts the store's last events (store.LastLifeEvents).
func LastInStore(events func(ctx context.Context, instances []string) (map[string]wire.Event, error)) LastFunc {
	return func(ctx context.Context, instances []bridge.Instance) (map[bridge.Instance]Last, error) {
		names := make([]string, len(instances))
		for n, i := range instances {
			names[n] = i.String()
		}
		found, err := events(ctx, names)
		last := make(map[bridge.Instance]Last, len(found))
		for _, i := range instances {
			if e, ok := found[i.String()]; ok {
				last[i] = LastOfEvent(e)
			}
		}
		return last, err
	}
}

// LastOr asks one, and the other about those whose end the first does not
// know: the store is quick, but the journal is ahead of it and goes further
// back.
func LastOr(first, second LastFunc) LastFunc {
	return func(ctx context.Context, instances []bridge.Instance) (map[bridge.Instance]Last, error) {
		last, err := first(ctx, instances)
		var open []bridge.Instance
		for _, i := range instances {
			if !last[i].Event.Ends() {
				open = append(open, i)
			}
		}
		if len(open) == 0 {
			return last, err
		}
		more, err2 := second(ctx, open)
		if last == nil {
			last = more
		}
		for i, l := range more {
			if !l.At.Before(last[i].At) {
				last[i] = l
			}
		}
		return last, errors.Join(err, err2)
	}
}

// tellsLife reports whether an event says where a life stands.
func tellsLife(e bridge.Event) bool {
	return e == bridge.EventSpawn || e == bridge.EventReady || e.Ends()
}

// Forgotten gives those of the instances of which systemd knows nothing any
// more: how they ended is told by their last events alone.
func (w *World) Forgotten(views []Bridge) []bridge.Instance {
	var dead []bridge.Instance
	for _, v := range views {
		if !v.Live && !w.Loaded(v.Name) {
			dead = append(dead, v.Name)
		}
	}
	return dead
}

// TellPast gives the dead that systemd has forgotten their last word.
func (w *World) TellPast(views []Bridge, last map[bridge.Instance]Last) {
	boot := w.Place.boot()
	for n := range views {
		v := &views[n]
		if v.Live || w.Loaded(v.Name) {
			continue
		}
		var record *bridge.Record
		if r, ok := w.Records[v.Name]; ok {
			record = &r
		}
		var ending *Last
		if l, ok := last[v.Name]; ok {
			ending = &l
		}
		v.tellPast(record, ending, boot)
	}
}

// boot is what is known of the running kernel's boot, to judge the dead by.
type boot struct {
	id       string
	volatile bool // the journal does not outlive it
}

func (p *Place) boot() boot {
	_, err := os.Stat(p.path("/var/log/journal"))
	return boot{p.BootID(), err != nil}
}

// tellPast is about an instance of which systemd knows nothing.
func (b *Bridge) tellPast(r *bridge.Record, last *Last, now boot) {
	switch {
	case last != nil && (r == nil || terminal.Clean(last.Run) == r.Run || last.At.After(r.Launched)):
		b.endedAs(*last, r, now)
	case r != nil:
		b.endUntold(r, last != nil, now)
	}
}

// endUntold tells of a recorded launch of which the journal knows nothing.
// journald writes to the disk every few minutes, so a power cut takes the last
// events with it, while the record is synced; and a volatile journal is gone
// with every boot.
func (b *Bridge) endUntold(r *bridge.Record, journalGoesBack bool, now boot) {
	b.Since = wire.Time{Time: r.Launched}
	b.Hint = "clauster-ctl start --resume " + b.Name.String()
	b.Reason = "the journal does not tell how it ended"
	if sameBoot(r.BootID, now.id) {
		return
	}
	b.Reason = "it was launched before the machine went down, and the journal does not tell how it ended"
	if journalGoesBack { // to a launch before this one: what is missing was not written any more
		b.Status, b.Reason = bridge.Crashed, "the machine went down soon after it was launched, before the journal was on the disk"
	} else if now.volatile {
		b.Hint += "; to keep the journal across boots: mkdir /var/log/journal && journalctl --flush"
	}
}

// sameBoot compares boot ids: journald writes them without dashes.
func sameBoot(x, y string) bool {
	return strings.ReplaceAll(x, "-", "") == strings.ReplaceAll(y, "-", "")
}

// endedAs takes status, reason and time from the last event of a dead
// instance. Where that is no end, the machine went down before there was one.
func (b *Bridge) endedAs(l Last, r *bridge.Record, now boot) {
	b.Since = wire.Time{Time: l.At}
	b.Run = cmp.Or(terminal.Clean(l.Run), b.Run)
	switch l.Event {
	case bridge.EventSpawn, bridge.EventReady:
		under := l.BootID
		if under == "" && r != nil && r.Run == l.Run { // the store does not keep it
			under = r.BootID
		}
		b.Status, b.Reason = bridge.Crashed, "it was running when the machine went down"
		if sameBoot(under, now.id) {
			b.Reason = "its keeper ended without saying why"
		}
		b.Hint = "clauster-ctl start --resume " + b.Name.String()
	default:
		b.Status = map[bridge.Event]bridge.Status{bridge.EventStop: bridge.Stopped, bridge.EventCrash: bridge.Crashed,
			bridge.EventError: bridge.Failed}[l.Event]
		b.Reason = terminal.Clean(l.Reason)
		b.Hint = terminal.Clean(l.Hint)
		b.VerdictWord = terminal.Clean(l.Verdict)
	}
}
