package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"
)

// Token is an API token. Zero times are never.
type Token struct {
	ID      string // UUIDv7
	Label   string
	Scope   string // read or write
	Created time.Time
	Expires time.Time
	Used    time.Time // to the minute
	Revoked time.Time
}

// Live reports whether the token opens anything at a moment.
func (t Token) Live(now time.Time) bool {
	return t.Revoked.IsZero() && (t.Expires.IsZero() || now.Before(t.Expires))
}

// The refusals of tokens.
var (
	ErrNoToken    = errors.New("there is no such token")
	ErrTokenLabel = errors.New("there is a token with this label already")
	ErrTokensFull = errors.New("there are too many tokens")
)

// maxTokens bounds the table; the dead are removed when it is full.
const maxTokens = 1000

const tokenColumns = "id, label, scope, created, expires, used, revoked"

func scanToken(row interface{ Scan(...any) error }) (Token, error) {
	var t Token
	var created, expires, used, revoked int64
	err := row.Scan(&t.ID, &t.Label, &t.Scope, &created, &expires, &used, &revoked)
	if errors.Is(err, sql.ErrNoRows) {
		return t, ErrNoToken
	}
	t.Created, t.Expires, t.Used, t.Revoked = moment(created), moment(expires), moment(used), moment(revoked)
	return t, err
}

// AddToken stores a token with the hash of its secret. A label is given once
// among the living, so that it can stand for the id.
func (s *Store) AddToken(ctx context.Context, t Token, hash string) error {
	return s.Write(ctx, func(tx *sql.Tx) error { return addToken(ctx, tx, t, hash) })
}

func addToken(ctx context.Context, tx *sql.Tx, t Token, hash string) error {
	now := stamp(t.Created)
	var twins, all int
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM tokens WHERE label = ? AND revoked = 0 AND (expires = 0 OR expires > ?)", t.Label, now).Scan(&twins); err != nil {
		return fmt.Errorf("cannot read the tokens: %w", err)
	}
	if twins > 0 {
		return ErrTokenLabel
	}
	if err := tx.QueryRowContext(ctx, "SELECT count(*) FROM tokens").Scan(&all); err != nil {
		return fmt.Errorf("cannot read the tokens: %w", err)
	}
	if all >= maxTokens {
		res, err := tx.ExecContext(ctx, "DELETE FROM tokens WHERE revoked > 0 OR expires > 0 AND expires <= ?", now)
		if err != nil {
			return fmt.Errorf("cannot remove dead tokens: %w", err)
		}
		if n, err := res.RowsAffected(); err != nil || n == 0 {
			return ErrTokensFull
		}
	}
	_, err := tx.ExecContext(ctx, "INSERT INTO tokens (id, label, hash, scope, created, expires) VALUES (?, ?, ?, ?, ?, ?)",
		t.ID, t.Label, hash, t.Scope, now, stamp(t.Expires))
	if err != nil {
		return fmt.Errorf("cannot store the token: %w", err)
	}
	return nil
}

// TokenByHash finds a token by the hash of its secret, dead ones too.
func (s *Store) TokenByHash(ctx context.Context, hash string) (Token, error) {
	return scanToken(s.reader.QueryRowContext(ctx, "SELECT "+tokenColumns+" FROM tokens WHERE hash = ?", hash))
}

// TokenNamed finds a token by its id, or a living one by its label.
func (s *Store) TokenNamed(ctx context.Context, name string, now time.Time) (Token, error) {
	return scanToken(s.reader.QueryRowContext(ctx, "SELECT "+tokenColumns+` FROM tokens
		WHERE id = ?1 OR label = ?1 AND revoked = 0 AND (expires = 0 OR expires > ?2) ORDER BY id = ?1 DESC, created DESC LIMIT 1`, name, stamp(now)))
}

// Tokens lists every token, the newest first.
func (s *Store) Tokens(ctx context.Context) ([]Token, error) {
	rows, err := s.reader.QueryContext(ctx, "SELECT "+tokenColumns+" FROM tokens ORDER BY created DESC, id DESC")
	if err != nil {
		return nil, fmt.Errorf("cannot read the tokens: %w", err)
	}
	defer rows.Close()
	all := []Token{}
	for rows.Next() {
		t, err := scanToken(rows)
		if err != nil {
			return nil, fmt.Errorf("cannot read the tokens: %w", err)
		}
		all = append(all, t)
	}
	return all, rows.Err()
}

// TouchToken remembers when a token was last used.
func (s *Store) TouchToken(ctx context.Context, id string, at time.Time) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, "UPDATE tokens SET used = max(used, ?) WHERE id = ?", stamp(at), id)
		return err
	})
}

// RevokeToken ends a token at once and for good.
func (s *Store) RevokeToken(ctx context.Context, id string, at time.Time) error {
	return s.Write(ctx, func(tx *sql.Tx) error { return revokeToken(ctx, tx, id, at) })
}

func revokeToken(ctx context.Context, tx *sql.Tx, id string, at time.Time) error {
	res, err := tx.ExecContext(ctx, "UPDATE tokens SET revoked = ? WHERE id = ? AND revoked = 0", stamp(at), id)
	if err != nil {
		return fmt.Errorf("cannot revoke the token: %w", err)
	}
	if n, err := res.RowsAffected(); err != nil || n == 0 {
		return ErrNoToken
	}
	return nil
}

// RotateToken puts a new token in the place of an old one, which ends at once.
func (s *Store) RotateToken(ctx context.Context, old string, t Token, hash string) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		if err := revokeToken(ctx, tx, old, t.Created); err != nil {
			return err
		}
		return addToken(ctx, tx, t, hash)
	})
}
