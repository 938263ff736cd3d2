package systemd

import (
	"context"
	"fmt"
	"time"

	"golang.org/x/sys/unix"
)

// Watchdog is what systemd holds of a service's signs of life.
type Watchdog struct {
	Every time.Duration // WatchdogSec=: systemd kills a service that is silent for longer
	Age   time.Duration // since the last ping
}

// Watchdogs reads the watchdogs of services, all calls in flight at once.
// Services without one, or that have not pinged yet, are left out: so are
// units that went away meanwhile.
func (b *Bus) Watchdogs(ctx context.Context, units []string) (map[string]Watchdog, error) {
	rows, err := b.readMany(ctx, units, [][2]string{{serviceIf, "WatchdogTimestampMonotonic"}, {serviceIf, "WatchdogUSec"}})
	if err != nil {
		return nil, err
	}
	now, err := monotonic()
	if err != nil {
		return nil, err
	}
	out := make(map[string]Watchdog, len(rows))
	for unit, v := range rows {
		age, pinged := since(now, v[0])
		every, _ := v[1].(uint64)
		const none = 1<<64 - 1 // USEC_INFINITY
		if pinged && every != 0 && every != none {
			out[unit] = Watchdog{Every: time.Duration(every) * time.Microsecond, Age: age}
		}
	}
	return out, nil
}

// WatchdogAges reads only how long ago services pinged: half the messages, for
// collectors that ask about hundreds again and again.
func (b *Bus) WatchdogAges(ctx context.Context, units []string) (map[string]time.Duration, error) {
	rows, err := b.readMany(ctx, units, [][2]string{{serviceIf, "WatchdogTimestampMonotonic"}})
	if err != nil {
		return nil, err
	}
	now, err := monotonic()
	if err != nil {
		return nil, err
	}
	out := make(map[string]time.Duration, len(rows))
	for unit, v := range rows {
		if age, pinged := since(now, v[0]); pinged {
			out[unit] = age
		}
	}
	return out, nil
}

// monotonic reads the clock of systemd's …Monotonic properties: a step of the
// wall clock makes nobody late.
func monotonic() (time.Duration, error) {
	var t unix.Timespec
	if err := unix.ClockGettime(unix.CLOCK_MONOTONIC, &t); err != nil {
		return 0, fmt.Errorf("cannot read the monotonic clock: %w", err)
	}
	return time.Duration(t.Nano()), nil
}

func since(now time.Duration, v any) (age time.Duration, ok bool) {
	us, ok := v.(uint64)
	if !ok || us == 0 {
		return 0, false
	}
	return max(0, now-time.Duration(us)*time.Microsecond), true
}
