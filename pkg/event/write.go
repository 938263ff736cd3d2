package event

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"time"

	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// store stores a batch, trying again while that is of any use: a full disk has
// room one day. What waits meanwhile waits in the journal.
func (i *Ingester) store(ctx context.Context, batch []item) error {
	for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
		var err error
		batch, err = i.storeSome(ctx, batch)
		var refused *store.RefusedError
		switch {
		case err == nil:
			i.trouble(&i.storing, nil)
			return nil
		case ctx.Err() != nil:
			return ctx.Err()
		case errors.As(err, &refused) && refused.Reason == store.Damaged:
			return err
		}
		i.Log.Error("cannot store events, trying again", "error", err)
		i.trouble(&i.storing, err)
		if err := pause(ctx, delay); err != nil {
			return err
		}
	}
}

// storeSome is one transaction for each stretch of a batch without a lost
// position in it. It gives back what is still to be stored.
func (i *Ingester) storeSome(ctx context.Context, batch []item) ([]item, error) {
	for len(batch) > 0 {
		if batch[0].lost {
			if err := i.storeGap(ctx); err != nil {
				return batch, err
			}
			batch = batch[1:]
			continue
		}
		n := 1
		for n < len(batch) && !batch[n].lost {
			n++
		}
		if err := i.storeEntries(ctx, batch[:n]); err != nil {
			return batch, err
		}
		batch = batch[n:]
	}
	return nil, nil
}

// storeEntries stores the events of a batch, and the position that it leads to,
// but none while the journal is read from its beginning: behind a position
// everything is news, so that a process killed within history would make news
// of the rest of it.
func (i *Ingester) storeEntries(ctx context.Context, batch []item) error {
	pruned, err := i.cutoff(ctx, batch)
	if err != nil {
		return err
	}
	var events []wire.Event
	var last store.Position
	live := map[string]bool{} // by id: a repeat is as live as the first
	ignored, history, ended := 0, i.history, false
	for _, it := range batch {
		switch {
		case it.repeat:
			continue // nor its position: the event came with one that may be further on
		case it.end:
			history, ended = false, it.to.Cursor != ""
		case !it.ok:
			ignored++
		case it.old && it.event.At.Before(pruned):
			// Deleted for its age, or to be deleted at once.
		default:
			events = append(events, it.event)
			// Behind the cursor everything is news, whatever the clock says.
			live[it.event.ID] = !it.old || !it.event.At.Before(i.created)
		}
		last = it.to
	}
	i.seqless += ignored
	if len(events) == 0 && !ended && (history || i.seqless < ignoredStep) {
		i.history = history
		i.update(func(s *State) { s.Ignored += int64(ignored) })
		return nil // foreign entries cost no write; they are read again after a restart
	}
	to := last
	if history {
		to = store.Position{}
	}
	if err := i.commit(ctx, events, to, live); err != nil {
		i.seqless -= ignored
		return err
	}
	i.seqless, i.history = 0, history
	i.update(func(s *State) { s.Ignored += int64(ignored); s.LastAt = last.At })
	return i.prune(ctx)
}

// cutoff is the time before which history is not stored.
func (i *Ingester) cutoff(ctx context.Context, batch []item) (time.Time, error) {
	if !slices.ContainsFunc(batch, func(it item) bool { return it.old }) {
		return time.Time{}, nil
	}
	pruned, err := i.Store.Pruned(ctx)
	if keep := i.Retention(); err == nil && keep > 0 {
		if t := time.Now().Add(-keep); t.After(pruned) {
			pruned = t
		}
	}
	return pruned, err
}

// storeGap says that the position is gone, and forgets it, in one transaction:
// killed behind it we read from the beginning without saying it again.
func (i *Ingester) storeGap(ctx context.Context) error {
	from, err := i.Store.Position(ctx)
	if err != nil {
		return err
	}
	gap := gapEvent(from.At, time.Now().UTC().Truncate(time.Microsecond))
	i.Log.Warn(gap.Message)
	if err := i.commit(ctx, []wire.Event{gap}, store.Position{}, map[string]bool{gap.ID: true}); err != nil {
		return err
	}
	i.history = true
	i.update(func(s *State) { s.Gaps++ })
	return nil
}

func (i *Ingester) commit(ctx context.Context, events []wire.Event, to store.Position, live map[string]bool) error {
	var each func(*sql.Tx, wire.Event) error
	if i.OnStored != nil {
		each = func(tx *sql.Tx, e wire.Event) error { return i.OnStored(ctx, tx, Event{e, live[e.ID]}) }
	}
	added, err := i.Store.AddEvents(ctx, events, to, each)
	if err != nil {
		return fmt.Errorf("cannot store events: %w", err)
	}
	i.update(func(s *State) { s.Stored += int64(len(added)) })
	if i.Hub != nil {
		i.Hub.Publish(added)
	}
	if i.OnCommit != nil && len(added) > 0 {
		all := make([]Event, len(added))
		for n, e := range added {
			all[n] = Event{e, live[e.ID]}
		}
		i.OnCommit(all)
	}
	return nil
}

// prune deletes a few thousand of what is too old; where there is more, the
// next event goes on with it.
func (i *Ingester) prune(ctx context.Context) error {
	keep := i.Retention()
	if keep <= 0 || time.Since(i.pruned) < pruneEvery {
		return nil
	}
	deleted, more, err := i.Store.DeleteEventsBefore(ctx, time.Now().Add(-keep))
	if err != nil {
		// What was to be stored is stored: no reason to store it again.
		i.Log.Warn("cannot delete old events", "error", err)
		return ctx.Err()
	}
	if !more {
		i.pruned = time.Now()
	}
	if deleted > 0 {
		i.Log.Info("old events were deleted", "events", deleted)
	}
	return nil
}
