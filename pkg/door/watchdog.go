package door

import (
	"context"
	"log/slog"
	"time"
)

// Watchdog asks every interval and pings systemd after each answer: what is
// alive but does not serve is shot and started again. It returns with ctx.
func Watchdog(ctx context.Context, log *slog.Logger, interval time.Duration, ask func(context.Context) error, ping func() error) {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	for {
		asking, cancel := context.WithTimeout(ctx, interval)
		err := ask(asking)
		cancel()
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			log.Warn("the watchdog's own request was not answered", "error", err)
		default:
			if err := ping(); err != nil {
				log.Warn("cannot tell systemd that the API serves", "error", err)
			}
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}
