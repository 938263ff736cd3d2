// Package store is the API's SQLite database: event history, outbox, tokens,
// sessions, counters. It holds what systemd and the journal cannot know and
// nothing that a bridge needs: losing it loses no bridge. One file, WAL, one
// writer; every noun has its queries in a file of its own here, and no SQL is
// anywhere else.
package store

import (
	"context"
	"database/sql"
	"fmt"
	"net/url"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// Store is an open database. Its methods may be called from several
// goroutines.
type Store struct {
	Path   string
	writer *sql.DB // one connection: SQLite has one writer, and waiting in Go is fair
	reader *sql.DB
}

// Open opens the database, makes it where there is none and brings its schema
// up to date.
func Open(ctx context.Context, path string) (*Store, error) {
	s := &Store{Path: path}
	var err error
	if s.writer, err = connect(path, "rwc"); err != nil {
		return nil, err
	}
	s.writer.SetMaxOpenConns(1)
	if err := s.migrate(ctx); err != nil {
		s.writer.Close()
		return nil, err
	}
	if s.reader, err = connect(path, "ro"); err != nil {
		s.writer.Close()
		return nil, err
	}
	s.reader.SetMaxOpenConns(4)
	return s, nil
}

// connect opens a pool. _txlock=immediate: a transaction that reads before it
// writes would fail at once where another one writes (SQLITE_BUSY_SNAPSHOT).
func connect(path, mode string) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: "mode=" + mode +
		"&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)&_txlock=immediate"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("cannot open the database %s: %w", path, err)
	}
	return db, nil
}

// Close closes the database.
func (s *Store) Close() error {
	_ = s.reader.Close()
	return s.writer.Close()
}

// Write runs f in a transaction of the one writer; f's error undoes it.
func (s *Store) Write(ctx context.Context, f func(tx *sql.Tx) error) error {
	tx, err := s.writer.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("cannot write to the database: %w", err)
	}
	defer tx.Rollback() // nothing after Commit
	if err := f(tx); err != nil {
		return err
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("cannot write to the database: %w", err)
	}
	return nil
}

// stamp is a time as the database keeps it; 0 is unknown.
func stamp(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// moment undoes stamp.
func moment(us int64) time.Time {
	if us == 0 {
		return time.Time{}
	}
	return time.UnixMicro(us).UTC()
}
