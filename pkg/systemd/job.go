package systemd

import (
	"context"
	"fmt"
	"sync"

	"github.com/godbus/dbus/v5"
)

// jobWaiter matches JobRemoved signals with the calls that made the jobs. A
// fast job is removed before the call that made it has returned, so results
// that nobody asked for yet are kept for a while.
type jobWaiter struct {
	mu      sync.Mutex
	match   sync.Once
	waiting map[dbus.ObjectPath]chan string
	early   map[dbus.ObjectPath]string
	owner   string // systemd's connection: anybody can send us a JobRemoved
}

// maxEarly bounds the results kept for calls that have not returned; other
// clients' jobs pass here too.
const maxEarly = 4096

func newJobWaiter(conn *dbus.Conn) *jobWaiter {
	w := &jobWaiter{waiting: map[dbus.ObjectPath]chan string{}, early: map[dbus.ObjectPath]string{}}
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
		if s.Name != managerIf+".JobRemoved" || len(s.Body) < 4 || !w.believes(s.Sender) {
			continue
		}
		path, ok1 := s.Body[1].(dbus.ObjectPath)
		result, ok2 := s.Body[3].(string)
		if ok1 && ok2 {
			w.done(path, result)
		}
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, c := range w.waiting {
		close(c)
	}
	w.waiting = nil
}

// systemdMoved follows a systemd that was re-executed: its jobs go on under
// another connection.
func (w *jobWaiter) systemdMoved(s *dbus.Signal) {
	if name, owner, ok := ownerChange(s); ok && s.Sender == dbusName && name == busName && owner != "" {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.owner = owner
	}
}

func (w *jobWaiter) believes(sender string) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	return sender == w.owner
}

func (w *jobWaiter) done(path dbus.ObjectPath, result string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if c, ok := w.waiting[path]; ok {
		c <- result // buffered: one result per job
		delete(w.waiting, path)
		return
	}
	if len(w.early) >= maxEarly {
		clear(w.early)
	}
	w.early[path] = result
}

// result gives the channel on which the job's result arrives; it is closed
// when the connection is lost.
func (w *jobWaiter) result(path dbus.ObjectPath) <-chan string {
	w.mu.Lock()
	defer w.mu.Unlock()
	c := make(chan string, 1)
	if r, ok := w.early[path]; ok {
		delete(w.early, path)
		c <- r
		return c
	}
	if w.waiting == nil {
		close(c)
		return c
	}
	w.waiting[path] = c
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
func (b *Bus) makeJob(ctx context.Context, method string, args ...any) (job dbus.ObjectPath, err error) {
	b.jobs.match.Do(func() { err = b.listenForJobs(ctx) })
	if err != nil {
		return "", explain("cannot listen for job results", err)
	}
	err = b.manager(ctx, method, args...).Store(&job)
	return job, err
}

func (b *Bus) listenForJobs(ctx context.Context) error {
	ctx, cancel := withDeadline(ctx)
	defer cancel()
	rules := [][]dbus.MatchOption{ownerRule(),
		{dbus.WithMatchSender(busName), dbus.WithMatchInterface(managerIf), dbus.WithMatchMember("JobRemoved")}}
	for _, rule := range rules {
		if err := b.conn.AddMatchSignalContext(ctx, rule...); err != nil {
			return err
		}
	}
	owner, err := b.owner(ctx)
	b.jobs.mu.Lock()
	defer b.jobs.mu.Unlock()
	b.jobs.owner = owner
	return err
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
