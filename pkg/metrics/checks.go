package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/home"
	"clauster/pkg/wire"
)

func (b *Board) systemd(ctx context.Context) Finding {
	state, err := b.src.Systemd.SystemState(ctx)
	if err != nil {
		return Finding{wire.Unhealthy, err.Error(), "systemctl status dbus.service"}
	}
	return Finding{Status: wire.Healthy, Detail: "answers; the machine is " + state}
}

// maxLag is how far behind the journal may be: an event is taken in within
// milliseconds.
const maxLag = 30 * time.Second

func (b *Board) journal(context.Context) Finding {
	f := b.src.Journal()
	const hint = "journalctl -u clauster-api"
	switch {
	case f.Err != nil:
		return Finding{wire.Degraded, "events are not followed: " + f.Err.Error(), hint}
	case f.Lag > maxLag:
		return Finding{wire.Degraded, fmt.Sprintf("%d seconds behind", int(f.Lag.Seconds())), hint}
	case f.Gap != "":
		return Finding{wire.Healthy, "followed; " + f.Gap, ""}
	}
	return Finding{Status: wire.Healthy, Detail: "followed, nothing is waiting"}
}

func (b *Board) store(ctx context.Context) Finding {
	if p := b.src.StoreRefused(); p != nil {
		return Finding{wire.Unhealthy, p.Detail, p.Hint}
	}
	db := b.src.Store()
	if db == nil {
		return Finding{wire.Unhealthy, errNoStore.Error(), "clauster-ctl store check"}
	}
	f, err := db.Figures(ctx)
	if err != nil {
		return Finding{wire.Unhealthy, err.Error(), "clauster-ctl store check"}
	}
	return Finding{Status: wire.Healthy, Detail: fmt.Sprintf("%.1f MB", float64(f.Bytes)/(1<<20))}
}

// home waits for both of claude's answers.
func (b *Board) home(ctx context.Context) Finding {
	l, auth := b.src.Login(ctx)
	switch {
	case !l.ClaudeOK:
		return Finding{wire.Degraded, "claude cannot be run" + because(l.Err), cmp.Or(hintOf(l.Err), "clauster-ctl config check")}
	case l.Err != nil && !answered(l.Err):
		return Finding{wire.Degraded, l.Err.Error(), cmp.Or(hintOf(l.Err), "systemctl status clauster-home.service")}
	case !l.OK:
		return Finding{wire.Degraded, "claude " + l.ClaudeVersion + " is not logged in" + because(l.Err), b.loginHint(auth)}
	}
	return Finding{Status: wire.Healthy, Detail: strings.TrimSpace("claude " + l.ClaudeVersion + " is logged in " + method(l.Method))}
}

func because(err error) string {
	if err == nil {
		return ""
	}
	return ": " + err.Error()
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func (b *Board) loginHint(auth home.Auth) string {
	if auth.Cause != nil && auth.Cause.Hint != "" {
		return auth.Cause.Hint
	}
	if user := b.src.Config().User; user != "" {
		return "sudo -iu " + user + " claude auth login"
	}
	return "claude auth login"
}

func method(name string) string {
	if name == "" {
		return ""
	}
	return "(" + name + ")"
}

func (b *Board) deliveries(ctx context.Context) Finding {
	db := b.src.Store()
	if db == nil {
		return Finding{wire.Degraded, "there is no database to deliver from", "clauster-ctl store check"}
	}
	f, err := db.Figures(ctx)
	if err != nil {
		return Finding{wire.Degraded, err.Error(), "clauster-ctl store check"}
	}
	counts := map[wire.DeliveryState]int{}
	for _, d := range f.Deliveries {
		counts[d.State] += d.Count
	}
	detail := fmt.Sprintf("%d waiting, %d given up", counts[wire.DeliveryWaiting], counts[wire.DeliveryDead])
	if f.Failing > 0 {
		return Finding{wire.Degraded, fmt.Sprintf("%d targets fail; %s", f.Failing, detail), "clauster-ctl deliveries list"}
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
	if len(bad) == 0 {
		return Finding{Status: wire.Healthy, Detail: detail}
	}
	return Finding{wire.Degraded, detail, "clauster-ctl status " + bad[0]}
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
	if fault := b.src.ConfigFault(); fault != "" {
		return Finding{wire.Degraded, fault, "clauster-ctl config check"}
	}
	return Finding{Status: wire.Healthy, Detail: "as loaded"}
}

// watchdogs shows every unit of ours that lives.
func (b *Board) watchdogs(ctx context.Context) []wire.Watchdog {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	units := []string{b.src.OwnUnit}
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
