package store

import (
	"database/sql"
	"errors"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func openTemp(t *testing.T) *Store {
	t.Helper()
	s, err := Open(t.Context(), filepath.Join(t.TempDir(), "clauster.db"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func TestTokens(t *testing.T) {
	s, ctx, now := openTemp(t), t.Context(), time.UnixMicro(1_800_000_000_000_000).UTC()
	first := Token{ID: "1", Label: "ci", Scope: "read", Created: now, Expires: now.Add(time.Hour)}
	must(t, s.AddToken(ctx, first, "hash1"))
	got, err := s.TokenByHash(ctx, "hash1")
	if err != nil || !cmp.Equal(got, first) {
		t.Error(cmp.Diff(first, got), err)
	}
	if !first.Live(now) || first.Live(now.Add(time.Hour)) {
		t.Error("live")
	}
	if err := s.AddToken(ctx, Token{ID: "2", Label: "ci", Created: now}, "hash2"); !errors.Is(err, ErrTokenLabel) {
		t.Error(err)
	}
	// The label is free when the token has expired, and means the living one.
	later := now.Add(2 * time.Hour)
	must(t, s.AddToken(ctx, Token{ID: "2", Label: "ci", Scope: "write", Created: later}, "hash2"))
	if got, err := s.TokenNamed(ctx, "ci", later); err != nil || got.ID != "2" {
		t.Error(got, err)
	}
	if got, err := s.TokenNamed(ctx, "1", later); err != nil || got.ID != "1" {
		t.Error(got, err)
	}
	must(t, s.RotateToken(ctx, "2", Token{ID: "3", Label: "ci", Scope: "write", Created: later}, "hash3"))
	if old, err := s.TokenByHash(ctx, "hash2"); err != nil || old.Live(later) || !old.Revoked.Equal(later) {
		t.Error(old, err)
	}
	// A rotation that cannot be finished ends nothing.
	if err := s.RotateToken(ctx, "3", Token{ID: "3", Label: "ci", Created: later}, "hash4"); err == nil {
		t.Error("the same id twice")
	}
	if n, err := s.TokenNamed(ctx, "ci", later); err != nil || n.ID != "3" || !n.Live(later) {
		t.Error(n, err)
	}
	must(t, s.TouchToken(ctx, "3", later))
	must(t, s.TouchToken(ctx, "3", now))
	if n, _ := s.TokenByHash(ctx, "hash3"); !n.Used.Equal(later) {
		t.Error(n.Used)
	}
	must(t, s.RevokeToken(ctx, "3", later))
	for _, err := range []error{s.RevokeToken(ctx, "3", later), s.RevokeToken(ctx, "none", later), s.RotateToken(ctx, "3", Token{ID: "9"}, "x")} {
		if !errors.Is(err, ErrNoToken) {
			t.Error(err)
		}
	}
	if _, err := s.TokenNamed(ctx, "ci", later); !errors.Is(err, ErrNoToken) {
		t.Error(err)
	}
	if all, err := s.Tokens(ctx); err != nil || len(all) != 3 || all[2].ID != "1" {
		t.Error(all, err)
	}
}

func TestSessionsAreBounded(t *testing.T) {
	s, ctx, now := openTemp(t), t.Context(), time.Unix(1_800_000_000, 0).UTC()
	must(t, s.Write(ctx, func(tx *sql.Tx) error { // in one transaction: 500 are slow
		for i := range maxSessions + 2 {
			if _, err := tx.Exec("INSERT INTO sessions VALUES (?, 'admin', ?, ?)", fmt.Sprint(i), stamp(now), stamp(now.Add(time.Duration(i)*time.Second))); err != nil {
				return err
			}
		}
		return nil
	}))
	must(t, s.AddSession(ctx, Session{Hash: "last", Login: "admin", Created: now, Seen: now.Add(time.Hour)}))
	if _, err := s.Session(ctx, "2"); !errors.Is(err, ErrNoSession) {
		t.Error(err)
	}
	must(t, s.TouchSession(ctx, "3", now.Add(time.Hour)))
	if n, err := s.Session(ctx, "3"); err != nil || !n.Seen.Equal(now.Add(time.Hour)) || n.Login != "admin" || !n.Created.Equal(now) {
		t.Error(n, err)
	}
	must(t, s.DropSession(ctx, "3"))
	if _, err := s.Session(ctx, "3"); !errors.Is(err, ErrNoSession) {
		t.Error(err)
	}
	must(t, s.DropSessions(ctx))
	if _, err := s.Session(ctx, "4"); !errors.Is(err, ErrNoSession) {
		t.Error(err)
	}
}

func TestThrottleIsBounded(t *testing.T) {
	s, ctx, now := openTemp(t), t.Context(), time.Unix(1_800_000_000, 0).UTC()
	count := func(n Throttle) Throttle { return Throttle{n.Count + 1, now, now.Add(time.Minute)} }
	const most = 3
	for i := range most {
		_, err := s.ChangeThrottle(ctx, fmt.Sprint(i), most, time.Time{}, count)
		must(t, err)
	}
	if n, err := s.ChangeThrottle(ctx, "0", most, time.Time{}, count); err != nil || n.Count != 2 {
		t.Error(n, err)
	}
	if _, err := s.ChangeThrottle(ctx, "new", most, time.Time{}, count); !errors.Is(err, ErrThrottleFull) {
		t.Error(err)
	}
	// What blocks nobody any more makes room.
	if n, err := s.ChangeThrottle(ctx, "new", most, now.Add(2*time.Minute), count); err != nil || n.Count != 1 {
		t.Error(n, err)
	}
	must(t, s.ClearThrottle(ctx, "new"))
	if n, err := s.Throttle(ctx, "new"); err != nil || n != (Throttle{}) {
		t.Error(n, err)
	}
}
