package machine

import (
	"context"
	"time"
)

// waitContext calls cond until it holds or ctx ends, and reports which: the
// one loop with a pause of this package. The pause grows from 2 ms to 100 ms.
func waitContext(ctx context.Context, cond func() bool) bool {
	pause := 2 * time.Millisecond
	timer := time.NewTimer(pause)
	defer timer.Stop()
	for {
		if cond() {
			return true
		}
		select {
		case <-ctx.Done():
			return cond() // it may have come true in the last pause
		case <-timer.C:
		}
		pause = min(2*pause, 100*time.Millisecond)
		timer.Reset(pause)
	}
}

func waitFor(timeout time.Duration, cond func() bool) bool {
	ctx, cancel := context.WithTimeout(context.Background(), timeout)
	defer cancel()
	return waitContext(ctx, cond)
}
