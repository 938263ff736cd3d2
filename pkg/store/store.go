// Package store is the API's SQLite database: event history, outbox, tokens,
// sessions, counters. It holds what systemd and the journal cannot know and
// nothing that a bridge needs: losing it loses no bridge. One file, WAL, one
// writer; every noun has its queries in a file of its own here, and no SQL is
// anywhere else.
//
// A database that cannot be used is a *RefusedError with the way back; the API
// then runs without it. docs/store.md tells operators the same.
package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"net/url"
	"os"
	"sync/atomic"
	"time"

	_ "modernc.org/sqlite" // the driver
)

// Store is an open database. Its methods may be called from several
// goroutines.
type Store struct {
	Path string
	// Host is the name of this machine in the wire objects that are read; it
	// is set before the first use.
	Host string

	writer  *sql.DB // one connection: SQLite has one writer, and waiting in Go is fair
	reader  *sql.DB
	file    os.FileInfo // what Path was when it was opened
	refused atomic.Pointer[RefusedError]
	prober  prober
}

// Open opens the database, makes it where there is none and brings its schema
// up to date, after a snapshot of what was there. Whatever keeps the database
// from being used is a *RefusedError; ctx's end is not.
func Open(ctx context.Context, path string) (*Store, error) {
	all, err := schemas()
	if err != nil {
		return nil, err
	}
	return opening{path: path, schemas: all, step: func(string) {}}.open(ctx)
}

// connect opens a pool. _txlock=immediate: a transaction that reads before it
// writes would fail at once where another one writes (SQLITE_BUSY_SNAPSHOT).
func connect(path, mode string) (*sql.DB, error) {
	dsn := url.URL{Scheme: "file", Opaque: (&url.URL{Path: path}).EscapedPath(), RawQuery: "mode=" + mode +
		"&_pragma=busy_timeout(5000)&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" +
		"&_pragma=journal_size_limit(4194304)&_txlock=immediate"}
	db, err := sql.Open("sqlite", dsn.String())
	if err != nil {
		return nil, fmt.Errorf("cannot open the database %s: %w", path, err)
	}
	return db, nil
}

// Close closes the database.
func (s *Store) Close() error {
	s.prober.close()
	var first error
	if s.reader != nil {
		first = s.reader.Close()
	}
	return errors.Join(first, s.writer.Close())
}

// Refused gives why the database is not used any more, nil while it is. A
// damaged one stays refused; a full disk or one that cannot be written is over
// with the next write that succeeds, which is a probe's where nobody else
// writes.
func (s *Store) Refused() error {
	if r := s.refused.Load(); r != nil {
		return r
	}
	return nil
}

// Write runs f in a transaction of the one writer; f's error undoes it. What
// SQLite says about damage, a full disk or lost access becomes a
// *RefusedError, here and in Refused.
func (s *Store) Write(ctx context.Context, f func(tx *sql.Tx) error) error {
	if r := s.refused.Load(); r != nil && !r.passes() {
		return r // each further write could make it worse
	}
	if err := s.inPlace(); err != nil {
		return err
	}
	err := s.write(ctx, f)
	if r := s.refused.Load(); err == nil && r != nil && r.passes() {
		s.refused.CompareAndSwap(r, nil)
	}
	return s.note(err)
}

// inPlace refuses a database whose file is not at its path any more: what is
// written into it is lost with the process, and tokens that clauster-ctl issues
// go into another file.
func (s *Store) inPlace() error {
	now, err := os.Stat(s.Path)
	if err == nil && os.SameFile(now, s.file) || err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil // another error is SQLite's to find
	}
	return s.note(&RefusedError{Reason: Replaced, Path: s.Path})
}

func (s *Store) write(ctx context.Context, f func(tx *sql.Tx) error) error {
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

// note remembers an error that means the database cannot be used, and gives it
// as a *RefusedError; others pass. Readers pass their errors through it too.
func (s *Store) note(err error) error {
	r := refusalOf(s.Path, err)
	if r == nil {
		return err
	}
	for {
		old := s.refused.Load()
		if old != nil && !old.passes() {
			return r
		}
		if s.refused.CompareAndSwap(old, r) {
			break
		}
	}
	if r.passes() {
		s.probe()
	}
	return r
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
