package systemd

import (
	"context"
	"fmt"
)

// Verb is what is asked of a unit.
type Verb string

// The verbs, as systemctl names them.
const (
	Start   Verb = "start"
	Stop    Verb = "stop"
	Restart Verb = "restart"
)

// Enqueue makes the job and does not wait for its result.
func (b *Bus) Enqueue(ctx context.Context, v Verb, unit string) error {
	method := map[Verb]string{Start: "StartUnit", Stop: "StopUnit", Restart: "RestartUnit"}[v]
	return explain(fmt.Sprintf("cannot %s %s", v, unit), b.manager(ctx, method, unit, "replace").Err)
}

// Do makes the job and waits for its result, like StartUnit.
func (b *Bus) Do(ctx context.Context, v Verb, unit string) (string, error) {
	switch v {
	case Start:
		return b.StartUnit(ctx, unit)
	case Stop:
		return b.StopUnit(ctx, unit)
	}
	return b.RestartUnit(ctx, unit)
}
