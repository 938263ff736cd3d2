package event

import (
	"context"
	"errors"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/store"
)

// Journal reads journal entries.
type Journal interface {
	// Read is journal.Read, After journal.After, Follow journal.Follower.Run.
	Read(ctx context.Context, q journal.Query, each func(journal.Entry) error) error
	After(ctx context.Context, q journal.Query, each func(journal.Entry) error) (known bool, err error)
	Follow(ctx context.Context, w journal.Follower, each func(journal.Entry) error) error
}

// journalctl is the real Journal.
type journalctl struct{}

func (journalctl) Read(ctx context.Context, q journal.Query, each func(journal.Entry) error) error {
	return journal.Read(ctx, q, each)
}

func (journalctl) After(ctx context.Context, q journal.Query, each func(journal.Entry) error) (bool, error) {
	return journal.After(ctx, q, each)
}

func (journalctl) Follow(ctx context.Context, w journal.Follower, each func(journal.Entry) error) error {
	return w.Run(ctx, each)
}

// errLost ends a following whose cursor is not in the journal any more.
var errLost = errors.New("the position in the journal is gone")

// read feeds items: history first, where there is no cursor, then what comes.
func (i *Ingester) read(ctx context.Context, cursor string, items chan<- item) error {
	for {
		if cursor == "" {
			var err error
			if cursor, err = i.readHistory(ctx, items); err != nil {
				return err
			}
		}
		w := journal.Follower{
			Query: journal.Query{Matches: matches(), After: cursor, Fields: readFields()},
			Lost:  func() error { return errLost },
			Trouble: func(err error) {
				if err != nil {
					i.Log.Warn("cannot follow the journal, trying again", "error", err)
				}
				i.trouble(&i.following, err)
			},
		}
		err := i.Journal.Follow(ctx, w, i.each(ctx, items, false))
		switch {
		case errors.Is(err, errLost):
			cursor = ""
			if err := i.lose(ctx, items); err != nil {
				return err
			}
		case err == nil:
			return errors.New("cannot follow the journal: it ended")
		default:
			return err
		}
	}
}

// readHistory reads all that the journal has, once it can be read, and gives
// the cursor of the last entry.
func (i *Ingester) readHistory(ctx context.Context, items chan<- item) (cursor string, err error) {
	each := i.each(ctx, items, true)
	var last store.Position
	for delay := firstRetry; ; delay = min(2*delay, lastRetry) {
		err := i.Journal.Read(ctx, journal.Query{Matches: matches(), Fields: readFields()}, func(e journal.Entry) error {
			last = store.Position{Cursor: e.Cursor, At: e.Time}
			return each(e)
		})
		if ctx.Err() != nil {
			return "", ctx.Err()
		}
		if err == nil {
			i.trouble(&i.following, nil) // a journal without events of ours says no more
			return last.Cursor, i.caughtUp(ctx, items, last)
		}
		i.Log.Warn("cannot read the journal, trying again", "error", err)
		i.trouble(&i.following, err)
		if err := pause(ctx, delay); err != nil {
			return "", err
		}
	}
}

func pause(ctx context.Context, d time.Duration) error {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

func matches() []string {
	var m []string
	for _, e := range bridge.Events() {
		m = append(m, "MESSAGE_ID="+e.MessageID())
	}
	return m
}
