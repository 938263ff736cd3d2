package door

import (
	"context"
	"time"
)

// Idle waits until nothing has been in use for a while. busy reports whether
// something is in use now, lastUse when it last was. One timer runs, for the
// earliest moment at which it could be over; nothing polls. It returns false
// when ctx ends first.
func Idle(ctx context.Context, after time.Duration, busy func() bool, lastUse func() time.Time) bool {
	for {
		left := time.Until(lastUse().Add(after))
		if busy() {
			left = after
		} else if left <= 0 {
			return true
		}
		t := time.NewTimer(left)
		select {
		case <-t.C:
		case <-ctx.Done():
			t.Stop()
			return false
		}
	}
}
