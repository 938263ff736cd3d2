package store

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"

	"golang.org/x/sys/unix"
	"modernc.org/sqlite"
	sqlite3 "modernc.org/sqlite/lib"
)

// Reason is why a database is refused.
type Reason string

// The reasons.
const (
	Newer      Reason = "newer"      // a newer Clauster wrote it
	Damaged    Reason = "damaged"    // what is in the file is not what was written there
	Unreadable Reason = "unreadable" // it may not be opened, or not be written
	Full       Reason = "full"       // no room on the disk
	Replaced   Reason = "replaced"   // the file was removed or replaced while it was in use
)

// RefusedError means that the database cannot be used. Hint is the way back.
type RefusedError struct {
	Reason      Reason
	Path        string
	Have, Known int   // of Newer: the database's version, and the newest of this program
	Err         error // the cause; nil for Newer
}

// Error is one sentence.
func (e *RefusedError) Error() string {
	switch e.Reason {
	case Newer:
		return fmt.Sprintf("cannot use the database %s: a newer Clauster wrote it (version %d; this one knows %d)", e.Path, e.Have, e.Known)
	case Damaged:
		return fmt.Sprintf("cannot use the database %s: it is damaged: %v", e.Path, e.Err)
	case Full:
		return fmt.Sprintf("cannot write the database %s: the disk is full", e.Path)
	case Replaced:
		return fmt.Sprintf("cannot use the database %s any longer: the file was removed or replaced while it was in use", e.Path)
	}
	return fmt.Sprintf("cannot read or write the database %s: %v", e.Path, e.Err)
}

// Unwrap gives the cause.
func (e *RefusedError) Unwrap() error { return e.Err }

// passes reports whether it may be over without anybody touching the database.
func (e *RefusedError) passes() bool { return e.Reason == Full || e.Reason == Unreadable }

// Hint gives the commands that lead back, for a root shell in system mode and
// the user's own in user mode.
func (e *RefusedError) Hint() string {
	dir, name := filepath.Dir(e.Path), filepath.Base(e.Path)
	switch e.Reason {
	case Full:
		return "df -h " + dir + " # free some space there; Clauster goes on by itself"
	case Replaced:
		return "systemctl restart clauster-api # goes on with the file that is there then; events are read from the journal again"
	case Unreadable:
		if errors.Is(e.Err, errBusy) {
			return "fuser -v " + e.Path + " # something else holds it; then: systemctl restart clauster-api"
		}
		return "ls -la " + dir + " && findmnt -T " + dir + " # the directory and its files belong to the user of the API, 0600, on a disk that can be written; then: systemctl restart clauster-api"
	}
	known := e.Known
	if known == 0 {
		known = newestSchema()
	}
	// The running API neither reads nor writes a refused database, so it may be
	// moved under it; no socket is stopped, or a closed web door would be opened.
	aside := "cd " + dir + " && mkdir -p aside && mv " + name + "* aside/"
	const begin = " && systemctl restart clauster-api"
	way := aside + begin + " # begins with an empty history; no bridge is touched"
	if snapshot, ok := newestSnapshot(e.Path, known+1); ok {
		way = aside + " && cp -p aside/" + filepath.Base(snapshot) + " " + name + begin + " # goes back to the snapshot; no bridge is touched"
	}
	if e.Reason == Newer {
		return "install the newer Clauster again, or: " + way
	}
	return way
}

// errBusy marks a database that another process kept locked.
var errBusy = errors.New("another program holds it")

// refusalOf gives the refusal that an error of SQLite means, nil for others:
// a broken rule of a table, a busy database, the end of a context.
func refusalOf(path string, err error) *RefusedError {
	var already *RefusedError
	if errors.As(err, &already) {
		return already
	}
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return nil
	}
	r := &RefusedError{Path: path, Err: err}
	switch e.Code() & 0xff { // the rest says which page or call
	case sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB:
		r.Reason = Damaged
	case sqlite3.SQLITE_FULL:
		r.Reason = Full
	case sqlite3.SQLITE_IOERR:
		r.Reason = Unreadable
		if noRoom(filepath.Dir(path)) { // only a write that fails says FULL; growing -shm and fsync do not
			r.Reason = Full
		}
	case sqlite3.SQLITE_READONLY, sqlite3.SQLITE_CANTOPEN, sqlite3.SQLITE_PERM:
		r.Reason = Unreadable
	default:
		return nil
	}
	return r
}

// openRefusal is refusalOf for the time of opening, when every failure means
// that the database cannot be used.
func openRefusal(ctx context.Context, path string, err error) error {
	if err == nil || ctx.Err() != nil {
		return err
	}
	if r := refusalOf(path, err); r != nil {
		return r
	}
	r := &RefusedError{Path: path, Err: err, Reason: Damaged}
	var e *sqlite.Error
	var number unix.Errno
	switch {
	case errors.As(err, &e) && (e.Code()&0xff == sqlite3.SQLITE_BUSY || e.Code()&0xff == sqlite3.SQLITE_LOCKED):
		r.Reason, r.Err = Unreadable, fmt.Errorf("%w: %w", errBusy, err)
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		r.Reason = Full
	case errors.As(err, &number), errors.Is(err, errNotRegular):
		r.Reason = Unreadable
	}
	return r
}

// noRoom reports whether a file system has no block left for us.
func noRoom(dir string) bool {
	var s unix.Statfs_t
	return unix.Statfs(dir, &s) == nil && s.Bavail < 16
}
