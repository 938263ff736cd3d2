package auth

import (
	"context"
	"errors"
	"math"
	"net/netip"
	"time"

	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// The rules of failed logins.
const (
	throttleWindow  = 300 * time.Second // failures count together for this long
	lockAfter       = 5                 // failures of one key in the window: locked for another window
	sharedCeiling   = 20                // failures of everybody behind one address
	maxSharedDelay  = 60 * time.Second
	maxThrottleKeys = 1000
)

// sharedKey counts those who cannot be told apart: everybody behind the
// reverse proxy. A lock there would lock everybody out, so it only gets slower.
const sharedKey = "shared"

// throttleKey is what failures of a request count against.
func (p *policy) throttleKey(remote netip.Addr, proxyUser string) string {
	switch {
	case proxyUser != "" && p.cfg.Auth.ReverseProxy.RequireHMAC:
		return "user:" + proxyUser
	case !remote.IsValid() || p.trusts(remote):
		return sharedKey
	case remote.IsLoopback():
		// One person on this host has all of 127.0.0.0/8 to guess from.
		return "ip:loopback"
	case remote.Is6():
		// One person has a whole /64 to guess from.
		if n, err := remote.Prefix(64); err == nil {
			return "ip:" + n.String()
		}
	}
	return "ip:" + remote.String()
}

// failed is what one more failure makes of a count.
func failed(key string, t store.Throttle, now time.Time) store.Throttle {
	// A time ahead of ours is of a clock that was wrong.
	if t.Since.After(now) || now.Sub(t.Since) >= throttleWindow {
		t = store.Throttle{Since: now}
	}
	t.Count++
	switch {
	case key != sharedKey && t.Count >= lockAfter:
		t.Blocked = now.Add(throttleWindow)
	case key == sharedKey && t.Count >= sharedCeiling:
		delay := time.Duration(math.Pow(2, float64(min(t.Count-sharedCeiling, 10)))) * time.Second
		t.Blocked = now.Add(min(delay, maxSharedDelay))
	}
	return t
}

// waitOf is how long a count still blocks.
func waitOf(t store.Throttle, now time.Time) time.Duration {
	return min(max(t.Blocked.Sub(now), 0), throttleWindow)
}

// throttled refuses while a key is blocked.
func (g *Gate) throttled(ctx context.Context, key string) *wire.Problem {
	t, err := g.store.Throttle(ctx, key)
	if err != nil {
		return g.storeProblem(err)
	}
	if wait := waitOf(t, g.now()); wait > 0 {
		return tooMany(wait)
	}
	return nil
}

func tooMany(wait time.Duration) *wire.Problem {
	p := wire.NewProblem(wire.Throttled, "cannot check another password yet: too many wrong ones came from there",
		"wait, or use the unix socket on the host itself: clauster-ctl works meanwhile")
	p.RetryAfter = int(math.Ceil(wait.Seconds()))
	return p
}

// countFailure counts one; with no place left for another key it counts
// against everybody, so that many addresses do not wash out a lock.
func (g *Gate) countFailure(ctx context.Context, key string) error {
	now := g.now()
	stale := now.Add(-throttleWindow)
	change := func(key string, most int) error {
		_, err := g.store.ChangeThrottle(ctx, key, most, stale, func(t store.Throttle) store.Throttle { return failed(key, t, now) })
		return err
	}
	err := change(key, maxThrottleKeys)
	if errors.Is(err, store.ErrThrottleFull) {
		return change(sharedKey, math.MaxInt)
	}
	return err
}
