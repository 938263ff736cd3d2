package metrics

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"
)

func (b *Board) systemd(ctx context.Context) Finding {
	state, err := b.src.Systemd.SystemState(ctx)
	if err != nil {
		return found(wire.Unhealthy, err.Error(), "systemctl status dbus.service")
	}
	return Finding{Status: wire.Healthy, Detail: "answers; " + b.managed() + " is " + state}
}

// managed is whose state systemd tells.
func (b *Board) managed() string {
	if b.src.UserMode {
		return "the user's manager"
	}
	return "the machine"
}

func (b *Board) journal(context.Context) Finding {
	if p := b.src.StoreRefused(); p != nil {
		return found(wire.Degraded, "events are not stored: the database is not used", p.Hint)
	}
	f := b.src.Journal()
	switch {
	case f.Err != nil && f.Lag > 0:
		return found(wire.Degraded, fmt.Sprintf("no events were taken in for %d seconds: %v", int(f.Lag.Seconds()), f.Err), "journalctl -u clauster-api")
	case f.Err != nil:
		return found(wire.Degraded, "no events are taken in: "+f.Err.Error(), "journalctl -u clauster-api")
	}
	detail := "followed, nothing is waiting"
	if f.Busy {
		detail = "followed, events are being taken in"
	}
	if f.Gap != "" {
		return found(wire.Healthy, detail+"; "+f.Gap, "clauster-ctl events --kind gap")
	}
	return found(wire.Healthy, detail, "")
}

func (b *Board) store(ctx context.Context) Finding {
	if p := b.src.StoreRefused(); p != nil {
		return found(wire.Unhealthy, p.Detail, p.Hint)
	}
	db := b.src.Store()
	if db == nil {
		return found(wire.Unhealthy, errNoStore.Error(), "clauster-ctl store check")
	}
	f, err := db.Figures(ctx)
	if err != nil {
		return found(wire.Unhealthy, err.Error(), "clauster-ctl store check")
	}
	return Finding{Status: wire.Healthy, Detail: fmt.Sprintf("%.1f MB", float64(f.Bytes)/(1<<20))}
}

func (b *Board) deliveries(ctx context.Context) Finding {
	db := b.src.Store()
	if db == nil {
		return found(wire.Degraded, "there is no database to deliver from", "clauster-ctl store check")
	}
	f, err := db.Figures(ctx)
	if err != nil {
		return found(wire.Degraded, err.Error(), "clauster-ctl store check")
	}
	counts := map[wire.DeliveryState]int{}
	for _, d := range f.Deliveries {
		counts[d.State] += d.Count
	}
	detail := fmt.Sprintf("%d waiting, %d given up", counts[wire.DeliveryWaiting], counts[wire.DeliveryDead])
	if p := b.src.StoreRefused(); p != nil {
		return found(wire.Degraded, "nothing can be queued or marked as delivered: the database is not used; "+detail, p.Hint)
	}
	if f.Failing > 0 {
		what := fmt.Sprintf("%d targets fail", f.Failing)
		if f.Failing == 1 {
			what = "1 target fails"
		}
		return found(wire.Degraded, what+"; "+detail, "clauster-ctl deliveries list")
	}
	return Finding{Status: wire.Healthy, Detail: detail}
}

// bridges rolls up the bridges. One that waits for a person serves; it is
// counted, and no fault.
func (b *Board) bridges(context.Context) Finding {
	counts := map[string]int{}
	var bad []string
	for _, i := range b.src.Instances() {
		word := string(i.Status)
		if i.Health != "" && i.Health != bridge.OK {
			word = string(i.Health)
		}
		counts[word]++
		if ill(i) {
			bad = append(bad, i.Instance)
		}
	}
	detail := tally(counts)
	if away := b.src.InstancesAway(); away != nil {
		why := "cannot tell how the bridges are: " + away.Error()
		if len(counts) > 0 {
			why += "; before: " + detail
		}
		return found(wire.Degraded, why, "clauster-ctl list")
	}
	if len(bad) == 0 {
		return found(wire.Healthy, detail, "")
	}
	return found(wire.Degraded, detail, "clauster-ctl status "+bad[0])
}

// ill reports whether a bridge should serve and does not.
func ill(i wire.Instance) bool {
	switch i.Status {
	case bridge.Crashed, bridge.Failed:
		return true
	}
	return i.Health == bridge.Reconnecting || i.Health == bridge.Wedged || i.Health == bridge.Frozen
}

func tally(counts map[string]int) string {
	if len(counts) == 0 {
		return "no bridges"
	}
	var parts []string
	for word, n := range counts {
		parts = append(parts, fmt.Sprintf("%d %s", n, word))
	}
	slices.Sort(parts)
	return strings.Join(parts, ", ")
}

func (b *Board) config(context.Context) Finding {
	if p := b.src.ConfigFault(); p != nil {
		return found(wire.Degraded, p.Detail, p.Hint)
	}
	return found(wire.Healthy, "as loaded", "")
}

// web is the web door. The unix door serves while it is closed, so that is not
// all of it.
func (b *Board) web(context.Context) Finding {
	if p := b.src.WebClosed(); p != nil {
		return found(wire.Degraded, "closed: "+p.Detail, p.Hint)
	}
	return found(wire.Healthy, "open", "")
}

// homeUnit answers what only the bridge user can see. It leaves after a minute
// without a question, and is no watchdog's then.
const homeUnit = "clauster-home.service"

// watchdogs shows every unit of ours that lives and has one.
func (b *Board) watchdogs(ctx context.Context) []wire.Watchdog {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	units := []string{b.src.OwnUnit, homeUnit}
	for _, i := range b.src.Instances() {
		if lives(i) {
			units = append(units, i.Unit)
		}
	}
	list := []wire.Watchdog{}
	found, err := b.src.pings.look(ctx, b.src.Systemd, units)
	if err != nil {
		return list // the check of systemd says it
	}
	for unit, w := range found {
		list = append(list, wire.Watchdog{Unit: unit, WatchdogSeconds: w.Every.Seconds(), AgeSeconds: w.Age.Seconds(), Late: w.Age > w.Every*3/4})
	}
	slices.SortFunc(list, func(x, y wire.Watchdog) int { return cmp.Compare(x.Unit, y.Unit) })
	return list
}

// Ready reports why requests cannot be served in full, ok where they can.
func (b *Board) Ready(ctx context.Context) wire.Readiness {
	status, checks := b.Look(ctx)
	if status != wire.Unhealthy {
		return wire.Readiness{Ready: true}
	}
	for _, c := range checks {
		if c.Status == wire.Unhealthy {
			return wire.Readiness{Detail: c.Name + ": " + c.Detail, Hint: c.Hint}
		}
	}
	return wire.Readiness{Detail: "unhealthy"}
}

// Live is the answer of GET /healthz, from what is known already.
func (b *Board) Live() wire.Healthz {
	l := b.src.KnownLogin()
	live := wire.Healthz{Status: "ok", Version: b.src.Version, ClaudeOK: l.ClaudeOK, ClaudeLoginOK: l.OK,
		InstancesRunning: countStatus(b.src.Instances(), bridge.Running)}
	if l.ClaudeOK && l.ClaudeVersion != "" {
		live.ClaudeVersion = &l.ClaudeVersion
	}
	if l.Method != "" {
		live.ClaudeLoginMethod = &l.Method
	}
	if !l.Expires.IsZero() {
		ms := l.Expires.UnixMilli()
		live.ClaudeLoginExpiresAt = &ms
	}
	return live
}
