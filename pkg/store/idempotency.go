package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// keepAnswers is how long an Idempotency-Key is remembered, and maxAnswers how
// many are: the oldest give way.
const (
	keepAnswers = 24 * time.Hour
	maxAnswers  = 10_000
)

// ErrOtherRequest means that a key was used for something else before.
var ErrOtherRequest = errors.New("the key was used for another request")

// Answer is what a request with an Idempotency-Key was answered.
type Answer struct {
	Status int // HTTP status; 0 where it was not answered yet
	Body   []byte
}

// ClaimKey begins a request of somebody's under a key; hash identifies what is
// asked. first is true where the key is new; else a is the answer that was
// given, with Status 0 for a request that is under way or that this program
// did not live to answer. The error is ErrOtherRequest for another hash.
func (s *Store) ClaimKey(ctx context.Context, who, key, hash string, now time.Time) (a Answer, first bool, err error) {
	err = s.Write(ctx, func(tx *sql.Tx) error {
		if err := pruneKeys(ctx, tx, now); err != nil {
			return err
		}
		var known, body string
		err := tx.QueryRowContext(ctx, "SELECT request, status, body FROM idempotency WHERE who = ? AND key = ?", who, key).Scan(&known, &a.Status, &body)
		switch {
		case errors.Is(err, sql.ErrNoRows):
			first = true
			_, err = tx.ExecContext(ctx, "INSERT INTO idempotency (who, key, request, created) VALUES (?, ?, ?, ?)", who, key, hash, stamp(now))
			return err
		case err == nil && known != hash:
			return ErrOtherRequest
		}
		a.Body = []byte(body)
		return err
	})
	if err != nil && !errors.Is(err, ErrOtherRequest) {
		err = fmt.Errorf("cannot claim an idempotency key: %w", err)
	}
	return a, first, err
}

func pruneKeys(ctx context.Context, tx *sql.Tx, now time.Time) error {
	_, err := tx.ExecContext(ctx, "DELETE FROM idempotency WHERE created < ?", stamp(now.Add(-keepAnswers)))
	if err != nil {
		return err
	}
	// Rowids count up.
	_, err = tx.ExecContext(ctx, "DELETE FROM idempotency WHERE rowid <= (SELECT max(rowid) FROM idempotency) - ?", maxAnswers)
	return err
}

// AnswerKey keeps the answer that was given under a claimed key.
func (s *Store) AnswerKey(ctx context.Context, who, key string, a Answer) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE idempotency SET status = ?, body = ? WHERE who = ? AND key = ?", a.Status, string(a.Body), who, key)
		if err != nil {
			return fmt.Errorf("cannot keep an answer: %w", err)
		}
		return nil
	})
}

// FreeKey gives a claimed key back: nothing was done under it.
func (s *Store) FreeKey(ctx context.Context, who, key string) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM idempotency WHERE who = ? AND key = ?", who, key)
		if err != nil {
			return fmt.Errorf("cannot give an idempotency key back: %w", err)
		}
		return nil
	})
}
