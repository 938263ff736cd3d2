package systemd

import (
	"context"
	"time"

	"github.com/godbus/dbus/v5"
)

const jobIf = busName + ".Job"

// Pending is a unit's job in the manager's queue.
type Pending struct {
	Type  string    // "start", "stop", "restart" …; "" without a job
	Since time.Time // when the unit left its active state last; zero if never
}

// PendingJob gives the unit's job. During the stop half of a restart its type
// is still "restart".
func (b *Bus) PendingJob(ctx context.Context, unit string) (Pending, error) {
	job, err := property[[]any](ctx, b, unitPath(unit), unitIf, "Job")
	if err != nil || len(job) < 2 {
		return Pending{}, err
	}
	id, _ := job[0].(uint32)
	path, ok := job[1].(dbus.ObjectPath)
	if id == 0 || !ok {
		return Pending{}, nil
	}
	left, err := property[uint64](ctx, b, unitPath(unit), unitIf, "ActiveExitTimestamp")
	if err != nil {
		return Pending{}, err
	}
	kind, err := property[string](ctx, b, path, jobIf, "JobType")
	return Pending{kind, microseconds(left)}, err
}
