package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strconv"
	"time"
)

// Names of facts in table meta.
const (
	metaCreated = "created" // when this database was made
	metaPruned  = "pruned"  // events before this time were deleted
	metaProbed  = "probed"  // when it was last tried whether this can be written again
)

// Created is when the database was made: what happened before is history to
// it, not news.
func (s *Store) Created(ctx context.Context) (time.Time, error) {
	return s.metaTime(ctx, metaCreated)
}

// Pruned is the time before which events were deleted, zero where none were.
func (s *Store) Pruned(ctx context.Context) (time.Time, error) {
	return s.metaTime(ctx, metaPruned)
}

func (s *Store) metaTime(ctx context.Context, name string) (time.Time, error) {
	var text string
	err := s.reader.QueryRowContext(ctx, "SELECT value FROM meta WHERE name = ?", name).Scan(&text)
	if errors.Is(err, sql.ErrNoRows) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, s.note(fmt.Errorf("cannot read %s of the database: %w", name, err))
	}
	us, err := strconv.ParseInt(text, 10, 64)
	if err != nil {
		return time.Time{}, fmt.Errorf("cannot read %s of the database: %w", name, err)
	}
	return moment(us), nil
}

func setMetaTime(ctx context.Context, tx *sql.Tx, name string, t time.Time) error {
	_, err := tx.ExecContext(ctx, "INSERT INTO meta (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
		name, strconv.FormatInt(stamp(t), 10))
	return err
}
