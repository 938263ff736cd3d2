package event

import (
	"context"
	"errors"
	"time"

	"clauster/pkg/journal"
)

// journald tells those who follow it of new entries only every 250 ms, so that
// an event would be old before we see it. After a wake datagram the journal is
// therefore read at once, and again shortly after, since journald may not have
// written the entry yet. Anybody among the bridge user's processes can send
// datagrams, so reads that find nothing are counted: a few, then one a second.
// What a real event gives back pays for the nudges of others read with it: a
// bridge that restarts sends three at once, and the next crash is not to wait.
const (
	idleReads     = 30 // reads for nothing that may come at once
	idleReadEvery = time.Second
)

// nudgeDelays are when the journal is read after a nudge.
func nudgeDelays() []time.Duration {
	return []time.Duration{0, 10 * time.Millisecond, 30 * time.Millisecond, 80 * time.Millisecond}
}

// Nudge says that there is an event in the journal, or soon will be. It never
// waits; its being untrue costs little.
func (i *Ingester) Nudge() {
	i.update(func(*State) { i.use.asked = true })
	select {
	case i.nudges <- struct{}{}:
	default: // one is waiting already, and will see this event too
	}
}

// hurry reads the journal after each nudge, and once for each Look. What it
// finds, the follower finds too: events are known by their ids.
func (i *Ingester) hurry(ctx context.Context, items chan<- item) {
	room, last := idleReads, time.Now()
	for {
		select {
		case <-i.nudges:
		case answer := <-i.looks:
			_, err := i.readAfter(ctx, items)
			answer <- err
			continue
		case <-ctx.Done():
			return
		}
		i.update(func(*State) { i.use.asked, i.use.hurrying = false, true })
		for _, delay := range nudgeDelays() {
			if back := int(time.Since(last) / idleReadEvery); back > 0 {
				room, last = min(idleReads, room+back), time.Now()
			}
			if room == 0 || pause(ctx, delay) != nil {
				break
			}
			if found, _ := i.readAfter(ctx, items); found {
				room = min(idleReads, room+2*len(nudgeDelays()))
				break
			}
			room--
		}
		i.update(func(*State) { i.use.hurrying = false })
	}
}

// readAfter reads what is behind the newest entry, and reports whether there
// was an event of a keeper that is news.
func (i *Ingester) readAfter(ctx context.Context, items chan<- item) (found bool, err error) {
	i.feeding.Lock()
	after, fresh, losses := i.newest, i.fresh, i.losses
	i.feeding.Unlock()
	q := journal.Query{Matches: matches(), After: after, Fields: readFields()}
	each := func(e journal.Entry) error {
		i.feeding.Lock()
		defer i.feeding.Unlock()
		if i.losses != losses {
			return journal.ErrStop // history is read meanwhile, this entry with it
		}
		news, err := i.feed(ctx, items, e, false)
		found = found || news
		return err
	}
	switch {
	case after != "":
		_, err = i.Journal.After(ctx, q, each)
	case fresh:
		err = i.Journal.Read(ctx, q, each) // there was none before
	default:
		return false, nil // history is being read
	}
	if errors.Is(err, journal.ErrStop) {
		err = nil
	}
	if err != nil && ctx.Err() == nil {
		i.Log.Debug("cannot read the journal after a nudge; it is followed anyway", "error", err)
	}
	return found, err
}
