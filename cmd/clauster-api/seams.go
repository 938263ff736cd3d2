package main

import (
	"context"
	"time"

	"clauster/pkg/config"
	"clauster/pkg/systemd"
)

// figuresOfSystemd are what figures ask of systemd, over a connection that is
// made again when it was lost.
type figuresOfSystemd struct{ link *systemd.Link }

// SystemState is systemd's own.
func (s figuresOfSystemd) SystemState(ctx context.Context) (state string, err error) {
	err = s.link.Do(ctx, func(b *systemd.Bus) error { state, err = b.SystemState(ctx); return err })
	return state, err
}

// Watchdogs are the units' watchdogs.
func (s figuresOfSystemd) Watchdogs(ctx context.Context, units []string) (dogs map[string]systemd.Watchdog, err error) {
	err = s.link.Do(ctx, func(b *systemd.Bus) error { dogs, err = b.Watchdogs(ctx, units); return err })
	return dogs, err
}

// WatchdogAges are how long ago units pinged.
func (s figuresOfSystemd) WatchdogAges(ctx context.Context, units []string) (ages map[string]time.Duration, err error) {
	err = s.link.Do(ctx, func(b *systemd.Bus) error { ages, err = b.WatchdogAges(ctx, units); return err })
	return ages, err
}

// retention is how long events are kept.
func retention(cfg func() *config.Config) func() time.Duration {
	return func() time.Duration { return time.Duration(cfg().Events.RetentionDays) * 24 * time.Hour }
}
