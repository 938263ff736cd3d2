package fleet

import (
	"context"
	"time"

	"clauster/pkg/bridge"
)

const (
	// lastPatience bounds one question for last events.
	lastPatience = 10 * time.Second
	// settleAfter is how long an instance that ended waits for its last event:
	// the keeper writes it before systemd says that the unit is down, but it
	// comes through journal and store. Until then the unit's last status text
	// speaks.
	settleAfter = time.Second
)

// unsettle wakes settle.
func (t *Table) unsettle() {
	select {
	case t.unsettled <- struct{}{}:
	default:
	}
}

// settle asks for the last events of those that ended and whose event did not
// come by itself: a keeper that was killed has written none.
func (t *Table) settle(ctx context.Context) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-t.unsettled:
		}
		select { // once for an end, not again and again
		case <-ctx.Done():
			return
		case <-time.After(settleAfter):
		}
		t.settleNow(ctx)
	}
}

func (t *Table) settleNow(ctx context.Context) {
	t.mu.RLock()
	var dead []bridge.Instance
	for _, i := range t.names {
		if r := t.rows[i]; r.forgotten() && !r.settled {
			dead = append(dead, i)
		}
	}
	t.mu.RUnlock()
	last := t.askLast(ctx, dead)
	t.mu.Lock()
	defer t.mu.Unlock()
	for _, i := range dead {
		r := t.rows[i]
		if r == nil || !r.forgotten() {
			continue
		}
		if l, ok := last[i]; ok {
			r.learn(l)
		}
		r.settled = true
		t.show(r)
	}
}
