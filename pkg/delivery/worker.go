package delivery

import (
	"time"

	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// storePause is how long the outbox is left alone after it failed (a full
// disk, say).
const storePause = time.Minute

// notConfigured is why a delivery dies whose target is gone.
const notConfigured = "the target is no longer configured"

// retryDelay is how long to wait after the nth try failed; ok is false after
// the last one.
func retryDelay(tries int) (delay time.Duration, ok bool) {
	if tries < 1 || tries > 5 {
		return 0, false
	}
	return time.Minute << (tries - 1), true
}

// worker delivers to one target, one try at a time.
type worker struct {
	courier *Courier
	key     key
	wake    chan struct{}

	last    time.Time       // end of the last try
	at      time.Time       // when that was
	unsaved []store.Attempt // results that the outbox did not take yet
}

func (w *worker) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// run waits for a wake or for the next time something is due, and for nothing
// else.
func (w *worker) run() {
	c := w.courier
	for c.loops.Err() == nil {
		var due <-chan time.Time
		var timer *time.Timer
		if next := w.turn(); !next.IsZero() {
			timer = time.NewTimer(time.Until(next))
			due = timer.C
		}
		select {
		case <-c.loops.Done():
		case <-w.wake:
		case <-due:
		}
		if timer != nil {
			timer.Stop()
		}
	}
}

// turn delivers what is due and says when to look again (zero: when woken).
func (w *worker) turn() time.Time {
	c := w.courier
	for c.loops.Err() == nil {
		if !w.save() {
			return time.Now().Add(storePause)
		}
		l := c.plan.Load().lines[w.key]
		if l == nil {
			next, err := c.options.Outbox.AbandonDeliveries(c.loops, w.key.channel, w.key.target, time.Now(), notConfigured)
			return w.orPause(next, err)
		}
		rested := w.last.Add(l.pause)
		resting, most := !w.last.IsZero() && time.Now().Before(rested), l.most
		if resting {
			most = 1 // it is enough to know that there is one: a storm wakes us often
		}
		due, next, err := c.options.Outbox.DueDeliveries(c.loops, w.key.channel, w.key.target, time.Now(), most)
		switch {
		case err != nil || len(due) == 0:
			return w.orPause(next, err)
		case resting:
			return rested
		}
		w.try(l, due)
	}
	return time.Time{}
}

func (w *worker) orPause(next time.Time, err error) time.Time {
	if err == nil {
		return next
	}
	if w.courier.loops.Err() == nil {
		w.courier.options.Log.Error("cannot deliver", "target", w.key.target, "error", err)
	}
	return time.Now().Add(storePause)
}

// try sends what is due as one and remembers how it went. What was broken off
// by the end of the Courier was no try.
func (w *worker) try(l *line, due []store.Outgoing) {
	c := w.courier
	c.running.Add(1)
	defer c.running.Add(-1)
	r := l.send(c.attempts, due)
	if c.attempts.Err() != nil && r.err != "" {
		return
	}
	w.last = time.Now()
	w.at = w.last
	for _, o := range due {
		w.unsaved = append(w.unsaved, judgeTry(o, r, w.last))
	}
	if r.err != "" {
		c.options.Log.Warn("cannot deliver an event", "channel", w.key.channel, "target", w.key.target, "event", due[0].EventID, "more", len(due)-1,
			"try", due[0].Attempts+1, "error", r.err)
	}
	w.save()
}

// judgeTry says what a try makes of a delivery.
func judgeTry(o store.Outgoing, r result, at time.Time) store.Attempt {
	a := store.Attempt{ID: o.ID, State: wire.DeliveryDone, Code: r.code, Error: r.err}
	if r.err == "" {
		return a
	}
	a.State = wire.DeliveryDead
	if delay, again := retryDelay(o.Attempts + 1); again {
		a.State, a.Next = wire.DeliveryWaiting, at.Add(delay)
	}
	return a
}

// save writes the results of the last try. Until that works nothing else is
// sent: what was delivered would be delivered again every time. It is not cut
// short by the end of the Courier, for the same reason.
func (w *worker) save() bool {
	if len(w.unsaved) == 0 {
		return true
	}
	c := w.courier
	if err := c.options.Outbox.EndAttempts(c.attempts, w.key.channel, w.key.target, w.at, w.unsaved); err != nil {
		c.options.Log.Error("cannot keep the result of a delivery", "target", w.key.target, "error", err)
		return false
	}
	w.unsaved = nil
	return true
}
