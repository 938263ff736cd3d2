package metrics

import (
	"context"
	"maps"
	"sync"
	"time"

	"clauster/pkg/systemd"
)

// pings remembers when services last told systemd that they work. Whoever
// pings does so every half of WatchdogSec= (sd_watchdog_enabled(3)), so a ping
// that is younger than that is still the last one and systemd need not be asked
// again: at 200 bridges the question is half of a scrape's price, and it is
// PID 1 that pays most of it. A service that pings sooner, as a keeper that was
// reloaded does, looks older than it is for that long, and never late.
type pings struct {
	mu   sync.Mutex
	last map[string]ping // by unit
}

type ping struct {
	at    time.Time
	every time.Duration // WatchdogSec=
}

// look gives the watchdogs of units; without one, or without a ping so far,
// they are left out.
func (p *pings) look(ctx context.Context, from Systemd, units []string) (map[string]systemd.Watchdog, error) {
	all, unknown, due := p.known(units)
	found, err := from.Watchdogs(ctx, unknown)
	if err != nil {
		return nil, err
	}
	ages, err := from.WatchdogAges(ctx, due)
	if err != nil {
		return nil, err
	}
	for _, unit := range due {
		if age, ok := ages[unit]; ok {
			found[unit] = systemd.Watchdog{Every: all[unit].Every, Age: age}
		} else {
			delete(all, unit) // it ended meanwhile
		}
	}
	p.remember(found)
	maps.Copy(all, found)
	return all, nil
}

// known gives what is remembered of units, and which of them to ask about.
func (p *pings) known(units []string) (all map[string]systemd.Watchdog, unknown, due []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	all = make(map[string]systemd.Watchdog, len(units))
	for _, unit := range units {
		l, ok := p.last[unit]
		if !ok {
			unknown = append(unknown, unit)
			continue
		}
		age := time.Since(l.at)
		all[unit] = systemd.Watchdog{Every: l.every, Age: age}
		if age >= l.every/2 {
			due = append(due, unit)
		}
	}
	return all, unknown, due
}

// remember keeps what systemd said, and forgets what has not been asked about
// for long: units that are gone.
func (p *pings) remember(found map[string]systemd.Watchdog) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.last == nil {
		p.last = map[string]ping{}
	}
	now := time.Now()
	for unit, w := range found {
		p.last[unit] = ping{now.Add(-w.Age), w.Every}
	}
	for unit, l := range p.last {
		if now.Sub(l.at) > forgotten*l.every {
			delete(p.last, unit)
		}
	}
}

// forgotten is after how many silent spans of WatchdogSec= a unit is: systemd
// kills one after a single span.
const forgotten = 3
