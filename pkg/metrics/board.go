package metrics

import (
	"context"
	"fmt"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"
)

// Finding is what a check found.
type Finding struct {
	Status wire.HealthWord
	Detail string // one plain sentence
	Hint   string // the next command
	// At is when the finding was true, where that is before the look: home gives
	// answers that it was given earlier.
	At time.Time
}

// found makes a Finding of the moment.
func found(status wire.HealthWord, detail, hint string) Finding {
	return Finding{Status: status, Detail: detail, Hint: hint}
}

// check is one service that is looked after. A critical one that is unhealthy
// makes all of it unhealthy; anything else degrades it.
type check struct {
	name     string
	critical bool
	look     *Cached[Finding]
	patience time.Duration // how long a question waits for a look; 0 for not at all
}

// Board is the checks of GET /health. Each is looked at when somebody asks and
// the last look is a second old; one that hangs is shown as it was, with its
// age, and makes nobody wait for more than its patience.
type Board struct {
	src    *Sources
	checks []check
}

const (
	checkFresh    = time.Second
	checkLimit    = 10 * time.Second
	checkPatience = time.Second
	// stuck is how old a look may get that another one should replace.
	stuck = 30 * time.Second
)

// NewBoard makes the Board; Close ends it.
func NewBoard(src *Sources) *Board {
	b := &Board{src: src}
	keep := func(name string, critical bool, fresh time.Duration, look func(context.Context) Finding) {
		fetch := func(ctx context.Context) (Finding, error) { return look(ctx), nil }
		b.checks = append(b.checks, check{name, critical, NewCached(fresh, checkLimit, fetch), checkPatience})
	}
	add := func(name string, critical bool, look func(context.Context) Finding) {
		keep(name, critical, checkFresh, look)
	}
	add("systemd", true, b.systemd)
	add("journal", false, b.journal)
	add("store", true, b.store)
	add("home", false, b.home)
	add("deliveries", false, b.deliveries)
	add("bridges", false, b.bridges)
	// These cost nothing, and whoever has just reloaded asks about them.
	keep("config", false, 0, b.config)
	if src.WebClosed != nil {
		keep("web", false, 0, b.web)
	}
	return b
}

// Close ends the looks under way and waits for them.
func (b *Board) Close() {
	for _, c := range b.checks {
		c.look.Close()
	}
}

// Look runs the checks that are due, all at once, and sums them up.
func (b *Board) Look(ctx context.Context) (wire.HealthWord, []wire.HealthCheck) {
	ctx, cancel := context.WithTimeout(ctx, checkPatience)
	defer cancel()
	for _, c := range b.checks {
		c.look.Get()
	}
	status := wire.Healthy
	all := make([]wire.HealthCheck, 0, len(b.checks))
	for _, c := range b.checks {
		h := b.show(c.name, c.look.Wait(ctx), time.Now())
		all = append(all, h)
		status = worse(status, h.Status, c.critical)
	}
	return status, all
}

func (b *Board) show(name string, l Look[Finding], now time.Time) wire.HealthCheck {
	if l.At.IsZero() {
		return wire.HealthCheck{Name: name, Status: wire.Degraded, Detail: "no answer yet", LatencySeconds: checkPatience.Seconds()}
	}
	at := l.At
	if !l.Value.At.IsZero() {
		at = l.Value.At
	}
	h := wire.HealthCheck{Name: name, Status: l.Value.Status, LatencySeconds: l.Took.Seconds(), AgeSeconds: now.Sub(at).Seconds(), Detail: l.Value.Detail, Hint: l.Value.Hint}
	if b.src.UserMode {
		h.Hint = bridge.ForUser(h.Hint)
	}
	if age := now.Sub(l.At); age > stuck {
		h.Status, h.Detail = worse(wire.Degraded, h.Status, true), fmt.Sprintf("%s; %d seconds ago: %s", unanswered(l, now), int(age.Seconds()), h.Detail)
	}
	return h
}

// unanswered tells a look that hangs from one that only takes longer than
// anybody waits. The age of the look before it tells neither: after a quiet hour
// each answer of more than a second was once said not to end.
func unanswered(l Look[Finding], now time.Time) string {
	if !l.Began.IsZero() && now.Sub(l.Began) > stuck {
		return "the last look does not end"
	}
	return "no answer yet"
}

// worse sums up two words.
func worse(sum, part wire.HealthWord, critical bool) wire.HealthWord {
	switch {
	case sum == wire.Unhealthy, part == wire.Unhealthy && critical:
		return wire.Unhealthy
	case part != wire.Healthy:
		return wire.Degraded
	}
	return sum
}

// Health is the answer of GET /health.
func (b *Board) Health(ctx context.Context) wire.Health {
	status, checks := b.Look(ctx)
	h := wire.Health{Status: status, Version: b.src.Version, UptimeSeconds: b.src.uptime(), Host: b.src.Host, Services: map[string]wire.HealthWord{},
		Checks: checks, Resources: b.src.Machine.Resources(), Watchdogs: b.watchdogs(ctx), AgentMetrics: b.src.Agents(ctx)}
	for _, c := range checks {
		h.Services[c.Name] = c.Status
	}
	return h
}
