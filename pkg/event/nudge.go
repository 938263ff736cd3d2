package event

import (
	"context"
	"time"

	"clauster/pkg/bridge"
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
	select {
	case i.nudges <- struct{}{}:
	default: // one is waiting already, and will see this event too
	}
}

// hurry reads the journal after each nudge. What it finds, the follower finds
// too: the store knows events by their ids.
func (i *Ingester) hurry(ctx context.Context, items chan<- item) {
	room, last := idleReads, time.Now()
	for {
		select {
		case <-i.nudges:
		case <-ctx.Done():
			return
		}
		for _, delay := range nudgeDelays() {
			if back := int(time.Since(last) / idleReadEvery); back > 0 {
				room, last = min(idleReads, room+back), time.Now()
			}
			if room == 0 || pause(ctx, delay) != nil {
				break
			}
			if i.readAfter(ctx, items) {
				room = min(idleReads, room+2*len(nudgeDelays()))
				break
			}
			room--
		}
	}
}

// readAfter reads what is behind the newest entry, and reports whether there
// was an event of a keeper.
func (i *Ingester) readAfter(ctx context.Context, items chan<- item) (found bool) {
	i.mu.Lock()
	q := journal.Query{Matches: matches(), After: i.newest, Fields: readFields()}
	i.mu.Unlock()
	each := i.each(ctx, items, false)
	look := func(e journal.Entry) error {
		if _, ok := FromEntry(e, i.Origin, 0); ok && e.Event() != bridge.EventRequested {
			found = true
		}
		return each(e)
	}
	var err error
	switch {
	case q.After != "":
		_, err = i.Journal.After(ctx, q, look)
	case i.isFresh():
		err = i.Journal.Read(ctx, q, look) // there was none before
	default:
		return false // history is being read
	}
	if err != nil && ctx.Err() == nil {
		i.Log.Debug("cannot read the journal after a nudge; it is followed anyway", "error", err)
	}
	return found
}

// isFresh reports whether history has been read and held nothing.
func (i *Ingester) isFresh() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	return i.fresh
}
