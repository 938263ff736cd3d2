package systemd

import (
	"context"
	"fmt"
	"time"

	"github.com/godbus/dbus/v5"
)

// UnitStatus is one row of ListUnitsByPatterns.
type UnitStatus struct {
	Name   string
	Load   string // LoadState
	Active string // ActiveState
	Sub    string // SubState
	Job    string // type of the job that waits or runs: "start", "stop" …; "" none
}

// ListUnits gives the units in systemd's memory whose names match a pattern,
// in one call (2 ms for 300 units).
func (b *Bus) ListUnits(ctx context.Context, patterns ...string) ([]UnitStatus, error) {
	var rows []struct {
		Name, Description, Load, Active, Sub, Following string
		Path                                            dbus.ObjectPath
		JobID                                           uint32
		JobType                                         string
		JobPath                                         dbus.ObjectPath
	}
	if err := b.manager(ctx, "ListUnitsByPatterns", []string{}, patterns).Store(&rows); err != nil {
		return nil, explain("cannot list units", err)
	}
	units := make([]UnitStatus, len(rows))
	for i, r := range rows {
		units[i] = UnitStatus{r.Name, r.Load, r.Active, r.Sub, r.JobType}
	}
	return units, nil
}

// ServiceProperties are the properties of one service that a list shows.
type ServiceProperties struct {
	ActiveState, SubState, StatusText, Result string
	InvocationID                              string // 32 hex
	MainPID, Restarts                         int
	ExitCode                                  int // ExecMainStatus after a plain exit, else -1
	Since                                     time.Time
}

// serviceProps are read for each service, in the order of assignService.
var serviceProps = [...][2]string{
	{unitIf, "ActiveState"}, {unitIf, "SubState"}, {serviceIf, "StatusText"}, {serviceIf, "Result"},
	{unitIf, "InvocationID"}, {serviceIf, "MainPID"}, {serviceIf, "NRestarts"},
	{serviceIf, "ExecMainCode"}, {serviceIf, "ExecMainStatus"}, {unitIf, "StateChangeTimestamp"},
}

// Services reads the properties of many services over one connection with
// all calls in flight at once: GetAll costs 0.6–0.9 ms a unit, these single
// Gets 25–80 µs each, and pipelined they cost no round trips. Units that went
// away meanwhile are left out.
func (b *Bus) Services(ctx context.Context, units []string) (map[string]ServiceProperties, error) {
	rows, err := b.readMany(ctx, units, serviceProps[:])
	if err != nil {
		return nil, err
	}
	out := make(map[string]ServiceProperties, len(rows))
	for unit, values := range rows {
		if out[unit], err = assignService(values); err != nil {
			return nil, explain("cannot read the properties of "+unit, err)
		}
	}
	return out, nil
}

func assignService(v []any) (ServiceProperties, error) {
	var s ServiceProperties
	var ok [len(serviceProps)]bool
	var id []byte
	var pid, restarts uint32
	var code, status int32
	var since uint64
	s.ActiveState, ok[0] = v[0].(string)
	s.SubState, ok[1] = v[1].(string)
	s.StatusText, ok[2] = v[2].(string)
	s.Result, ok[3] = v[3].(string)
	id, ok[4] = v[4].([]byte)
	pid, ok[5] = v[5].(uint32)
	restarts, ok[6] = v[6].(uint32)
	code, ok[7] = v[7].(int32)
	status, ok[8] = v[8].(int32)
	since, ok[9] = v[9].(uint64)
	for i, good := range ok {
		if !good {
			return s, fmt.Errorf("cannot read systemd's property %s: it has an unexpected type", serviceProps[i][1])
		}
	}
	s.InvocationID = fmt.Sprintf("%x", id)
	s.MainPID, s.Restarts, s.ExitCode = int(pid), int(restarts), exitCode(code, status)
	if since != 0 {
		s.Since = time.UnixMicro(int64(since)).UTC()
	}
	return s, nil
}

// exitCode is a process's exit status, -1 where it did not exit by itself.
func exitCode(code, status int32) int {
	const exited = 1 // CLD_EXITED of waitid(2)
	if code == exited {
		return int(status)
	}
	return -1
}
