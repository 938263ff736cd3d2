package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Throttle counts the failed logins of one key. What they lead to is the
// caller's rule.
type Throttle struct {
	Count   int
	Since   time.Time // of the first one that counts
	Blocked time.Time // until
}

// ErrThrottleFull means that the table has no place for another key.
var ErrThrottleFull = errors.New("too many keys are throttled")

// Throttle is what is counted of a key: zero where it is nothing.
func (s *Store) Throttle(ctx context.Context, key string) (Throttle, error) {
	return readThrottle(s.reader.QueryRowContext(ctx, "SELECT count, since, blocked FROM throttle WHERE key = ?", key))
}

func readThrottle(row *sql.Row) (Throttle, error) {
	var t Throttle
	var since, blocked int64
	err := row.Scan(&t.Count, &since, &blocked)
	if errors.Is(err, sql.ErrNoRows) {
		return t, nil
	}
	if err != nil {
		return t, fmt.Errorf("cannot read the throttle: %w", err)
	}
	t.Since, t.Blocked = moment(since), moment(blocked)
	return t, nil
}

// ChangeThrottle replaces what is counted of a key by what f makes of it, in
// one transaction. Keys older than stale that block nobody any more go first;
// a new key beside most others is refused with ErrThrottleFull.
func (s *Store) ChangeThrottle(ctx context.Context, key string, most int, stale time.Time, f func(Throttle) Throttle) (Throttle, error) {
	var changed Throttle
	err := s.Write(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, "DELETE FROM throttle WHERE since < ?1 AND blocked < ?1", stamp(stale)); err != nil {
			return fmt.Errorf("cannot clear the throttle: %w", err)
		}
		old, err := readThrottle(tx.QueryRowContext(ctx, "SELECT count, since, blocked FROM throttle WHERE key = ?", key))
		if err != nil {
			return err
		}
		var others int
		if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM throttle WHERE key != ?", key).Scan(&others); err != nil {
			return fmt.Errorf("cannot read the throttle: %w", err)
		}
		if old.Count == 0 && others >= most {
			return ErrThrottleFull
		}
		changed = f(old)
		_, err = tx.ExecContext(ctx, "INSERT OR REPLACE INTO throttle (key, count, since, blocked) VALUES (?, ?, ?, ?)",
			key, changed.Count, stamp(changed.Since), stamp(changed.Blocked))
		if err != nil {
			return fmt.Errorf("cannot write the throttle: %w", err)
		}
		return nil
	})
	return changed, err
}

// ClearThrottle forgets what was counted of a key.
func (s *Store) ClearThrottle(ctx context.Context, key string) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM throttle WHERE key = ?", key)
		return err
	})
}
