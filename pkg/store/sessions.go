package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Session is a login by password.
type Session struct {
	Hash    string // made of the cookie's value, which is not kept
	Login   string
	Created time.Time
	Seen    time.Time // last use, to the minute or better
}

// ErrNoSession means that nobody is logged in with this cookie.
var ErrNoSession = errors.New("there is no such session")

// maxSessions bounds the table: the ones unused for longest go first.
const maxSessions = 500

// AddSession stores a new session.
func (s *Store) AddSession(ctx context.Context, n Session) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "INSERT INTO sessions (hash, login, created, seen) VALUES (?, ?, ?, ?)", n.Hash, n.Login, stamp(n.Created), stamp(n.Seen))
		if err != nil {
			return fmt.Errorf("cannot store the session: %w", err)
		}
		_, err = tx.ExecContext(ctx, "DELETE FROM sessions WHERE hash IN (SELECT hash FROM sessions ORDER BY seen DESC, created DESC LIMIT -1 OFFSET ?)", maxSessions)
		return err
	})
}

// Session finds a session.
func (s *Store) Session(ctx context.Context, hash string) (Session, error) {
	n := Session{Hash: hash}
	var created, seen int64
	err := s.reader.QueryRowContext(ctx, "SELECT login, created, seen FROM sessions WHERE hash = ?", hash).Scan(&n.Login, &created, &seen)
	if errors.Is(err, sql.ErrNoRows) {
		return n, ErrNoSession
	}
	if err != nil {
		return n, fmt.Errorf("cannot read the session: %w", err)
	}
	n.Created, n.Seen = moment(created), moment(seen)
	return n, nil
}

// TouchSession remembers when a session was last used.
func (s *Store) TouchSession(ctx context.Context, hash string, at time.Time) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE sessions SET seen = max(seen, ?) WHERE hash = ?", stamp(at), hash)
		return err
	})
}

// DropSession ends one session; one that is none is no error.
func (s *Store) DropSession(ctx context.Context, hash string) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions WHERE hash = ?", hash)
		return err
	})
}

// DropSessions ends every session.
func (s *Store) DropSessions(ctx context.Context) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "DELETE FROM sessions")
		return err
	})
}
