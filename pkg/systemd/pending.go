package systemd

import (
	"context"

	"github.com/godbus/dbus/v5"
)

const jobIf = busName + ".Job"

// PendingJob gives the type of the unit's job in the manager's queue, as in
// systemd.unit(5): "start", "stop", "restart" …; "" where it has none. During
// the stop half of a restart it is still "restart".
func (b *Bus) PendingJob(ctx context.Context, unit string) (string, error) {
	job, err := property[[]any](ctx, b, unitPath(unit), unitIf, "Job")
	if err != nil || len(job) < 2 {
		return "", err
	}
	id, _ := job[0].(uint32)
	path, ok := job[1].(dbus.ObjectPath)
	if id == 0 || !ok {
		return "", nil
	}
	return property[string](ctx, b, path, jobIf, "JobType")
}
