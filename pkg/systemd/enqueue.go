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

func (v Verb) method() string {
	return map[Verb]string{Start: "StartUnit", Stop: "StopUnit", Restart: "RestartUnit"}[v]
}

// Enqueue makes the job and does not wait for its result.
func (b *Bus) Enqueue(ctx context.Context, v Verb, unit string) error {
	return explain(fmt.Sprintf("cannot %s %s", v, unit), b.manager(ctx, v.method(), unit, "replace").Err)
}

// Begin makes the job. wait gives its result, like Do; it may be left alone.
func (b *Bus) Begin(ctx context.Context, v Verb, unit string) (wait func(context.Context) (string, error), err error) {
	what := fmt.Sprintf("cannot %s %s", v, unit)
	job, err := b.makeJob(ctx, v.method(), unit, "replace")
	if err != nil {
		return nil, explain(what, err)
	}
	return func(ctx context.Context) (string, error) {
		r, err := b.awaitJob(ctx, job)
		return r, explain(what, err)
	}, nil
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
