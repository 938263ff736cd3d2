package systemd

import (
	"context"
	"fmt"
	"slices"
	"sync"

	"github.com/godbus/dbus/v5"
)

// jobWaiter matches JobRemoved signals with the calls that made the jobs. A
// fast job is removed before the call that made it has returned, and systemd
// answers several calls for one unit with one job: a result is for everybody
// who waits, and is kept for a while for who has not asked yet.
type jobWaiter struct {
	asking  sync.Mutex // held while the bus is asked for the signals
	heard   *attempt   // the last time it was; under asking
	mu      sync.Mutex
	waiting map[dbus.ObjectPath][]chan string
	recent  map[dbus.ObjectPath]ended
	order   []dbus.ObjectPath // of recent, oldest first
	owner   string            // systemd's connection, "" until it is known: anybody can send us a JobRemoved
}

// ended is what a signal says of a job.
type ended struct{ result, sender string }

// maxRecent bounds the results kept for calls that have not returned; other
// clients' jobs pass here too.
const maxRecent = 1024

func newJobWaiter(conn *dbus.Conn) *jobWaiter {
	w := &jobWaiter{waiting: map[dbus.ObjectPath][]chan string{}, recent: map[dbus.ObjectPath]ended{}}
	// godbus drops signals when the channel is full, so it is generous and
	// its only reader does nothing that can block. It ends when the
	// connection closes, which closes the channel.
	signals := make(chan *dbus.Signal, 1024)
	conn.Signal(signals)
	go w.read(signals)
	return w
}

func (w *jobWaiter) read(signals <-chan *dbus.Signal) {
	for s := range signals {
		if s.Name == dbusName+".NameOwnerChanged" {
			w.systemdMoved(s)
			continue
		}
		if s.Name != managerIf+".JobRemoved" || len(s.Body) < 4 {
			continue
		}
		path, ok1 := s.Body[1].(dbus.ObjectPath)
		result, ok2 := s.Body[3].(string)
		if ok1 && ok2 {
			w.done(path, ended{result, s.Sender})
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, all := range w.waiting {
		for _, c := range all {
			close(c)
		}
	}
	w.waiting = nil
}

// systemdMoved follows a systemd that was re-executed: its jobs go on under
// another connection.
func (w *jobWaiter) systemdMoved(s *dbus.Signal) {
	if name, owner, ok := ownerChange(s); ok && s.Sender == dbusName && name == busName && owner != "" {
		w.know(owner)
	}
}

// done takes a signal. One that cannot be judged yet is handed out when the
// owner is known.
func (w *jobWaiter) done(path dbus.ObjectPath, e ended) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.owner != "" && e.sender != w.owner {
		return
	}
	if _, again := w.recent[path]; !again {
		w.order = append(w.order, path)
	}
	if len(w.order) > maxRecent {
		delete(w.recent, w.order[0])
		w.order = w.order[1:]
	}
	w.recent[path] = e
	if w.owner != "" {
		w.hand(path, e.result)
	}
}

// hand gives a result to all who wait for it. A channel takes one without
// anybody reading.
func (w *jobWaiter) hand(path dbus.ObjectPath, result string) {
	for _, c := range w.waiting[path] {
		c <- result
	}
	delete(w.waiting, path)
}

// know tells who systemd is, and judges what came before that was known.
func (w *jobWaiter) know(owner string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.owner = owner
	w.order = slices.DeleteFunc(w.order, func(path dbus.ObjectPath) bool {
		e := w.recent[path]
		if e.sender == owner {
			w.hand(path, e.result)
			return false
		}
		delete(w.recent, path)
		return true
	})
}

// result gives the channel on which the job's result arrives; it is closed
// when the connection is lost.
func (w *jobWaiter) result(path dbus.ObjectPath) <-chan string {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan string, 1)
	if e, ok := w.recent[path]; ok && e.sender == w.owner {
		c <- e.result
		return c
	}
	if w.waiting == nil {
		close(c)
		return c
	}
	w.waiting[path] = append(w.waiting[path], c)
	return c
}

// runJob calls a manager method that makes a job and waits for its result:
// "done", "canceled", "timeout", "failed", "dependency" or "skipped".
func (b *Bus) runJob(ctx context.Context, method string, args ...any) (string, error) {
	job, err := b.makeJob(ctx, method, args...)
	if err != nil {
		return "", err
	}
	return b.awaitJob(ctx, job)
}

// makeJob calls a manager method that makes a job, listening for its result.
// No job waits until we listen: the bus takes a connection's messages in their
// order, and each round trip is 0.3 ms of a bridge's launch.
func (b *Bus) makeJob(ctx context.Context, method string, args ...any) (job dbus.ObjectPath, err error) {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	listening := b.listenForJobs(ctx)
	if err := b.manager(ctx, method, args...).Store(&job); err != nil {
		return "", err
	}
	select {
	case <-listening.over: // its answers came before the job's
	case <-ctx.Done():
		return "", fmt.Errorf("cannot listen for job results: %w", ctx.Err())
	}
	return job, explain("cannot listen for job results", listening.err)
}

// attempt is one attempt to listen for the results of jobs.
type attempt struct {
	over chan struct{} // closed once err is set
	err  error
}

func (a *attempt) failed() bool {
	select {
	case <-a.over:
		return a.err != nil
	default:
		return false
	}
}

// listenForJobs asks for the signals and for systemd's own name on the bus,
// unless that was done, and does not wait for the answers. It is asked for all
// who share the connection, so it does not end with ctx: when it did, a client
// that hung up early left the others waiting for results that nobody handed
// out. What failed is tried again with the next job.
func (b *Bus) listenForJobs(ctx context.Context) *attempt {
	w := b.jobs
	w.asking.Lock()
	defer w.asking.Unlock()
	if w.heard != nil && !w.heard.failed() {
		return w.heard
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), callTimeout)
	bus := b.conn.BusObject()
	const moved = "type='signal',sender='" + dbusName + "',interface='" + dbusName + "',member='NameOwnerChanged',arg0='" + busName + "'"
	const removed = "type='signal',sender='" + busName + "',interface='" + managerIf + "',member='JobRemoved'"
	calls := []*dbus.Call{
		bus.GoWithContext(ctx, dbusName+".AddMatch", 0, nil, moved),
		bus.GoWithContext(ctx, dbusName+".AddMatch", 0, nil, removed),
		bus.GoWithContext(ctx, dbusName+".GetNameOwner", 0, nil, busName),
	}
	a := &attempt{over: make(chan struct{})}
	w.heard = a
	go func() { // ends with the answers, the connection or the deadline
		defer cancel()
		defer close(a.over)
		a.err = w.answered(calls)
	}()
	return a
}

// answered waits for the answers to listenForJobs; the last one tells systemd's
// name.
func (w *jobWaiter) answered(calls []*dbus.Call) error {
	for _, c := range calls {
		if <-c.Done; c.Err != nil {
			return c.Err
		}
	}
	var owner string
	if err := calls[len(calls)-1].Store(&owner); err != nil {
		return err
	}
	w.know(owner)
	return nil
}

func (b *Bus) awaitJob(ctx context.Context, job dbus.ObjectPath) (string, error) {
	select {
	case r, ok := <-b.jobs.result(job):
		if !ok {
			return "", fmt.Errorf("cannot wait for the job: %w", ErrUnreachable)
		}
		return r, nil
	case <-ctx.Done():
		return "", fmt.Errorf("cannot wait longer for the job: %w", ctx.Err())
	}
}

// StartUnit starts a unit and waits for the job's result; anything but "done"
// means it did not start. The wait ends with ctx only.
func (b *Bus) StartUnit(ctx context.Context, unit string) (string, error) {
	r, err := b.runJob(ctx, "StartUnit", unit, "replace")
	return r, explain("cannot start "+unit, err)
}

// StopUnit stops a unit and waits like StartUnit.
func (b *Bus) StopUnit(ctx context.Context, unit string) (string, error) {
	r, err := b.runJob(ctx, "StopUnit", unit, "replace")
	return r, explain("cannot stop "+unit, err)
}

// RestartUnit restarts a unit and waits like StartUnit.
func (b *Bus) RestartUnit(ctx context.Context, unit string) (string, error) {
	r, err := b.runJob(ctx, "RestartUnit", unit, "replace")
	return r, explain("cannot restart "+unit, err)
}

// ResetFailed forgets a unit's failure.
func (b *Bus) ResetFailed(ctx context.Context, unit string) error {
	return explain("cannot reset "+unit, b.manager(ctx, "ResetFailedUnit", unit).Err)
}
