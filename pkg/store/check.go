package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"clauster/pkg/wire"
)

// maxFindings bounds what integrity_check tells.
const maxFindings = 100

// Report is what Check found.
type Report struct {
	Path      string           `json:"path"`
	OK        bool             `json:"ok"`
	Version   int              `json:"version"`  // of the schema
	Known     int              `json:"known"`    // the newest version of this program
	Findings  []string         `json:"findings"` // SQLite's words, and ours
	Bytes     int64            `json:"bytes"`
	WALBytes  int64            `json:"wal_bytes"`
	FreeBytes int64            `json:"free_bytes"` // inside the file, used again by later rows
	Created   wire.Time        `json:"created,omitzero"`
	Oldest    wire.Time        `json:"oldest_event,omitzero"`
	Newest    wire.Time        `json:"newest_event,omitzero"`
	Position  wire.Time        `json:"journal_read_to,omitzero"`
	Rows      map[string]int64 `json:"rows"`
	Snapshots []Snapshot       `json:"snapshots"`
	Hint      string           `json:"hint,omitempty"` // the way back where it is not OK
}

// Snapshot is a copy from before a migration.
type Snapshot struct {
	Path  string `json:"path"`
	Bytes int64  `json:"bytes"`
}

// Check reads a whole database, which may be in use, newer or damaged, without
// changing it (an empty -wal and a -shm may stay beside it, so that it is run as
// the owner): integrity_check, versions, sizes, counts. What is wrong with it
// is in the report; the error says that nothing could be read at all, as a
// *RefusedError.
func Check(ctx context.Context, path string) (Report, error) {
	r := Report{Path: path, Known: newestSchema(), Findings: []string{}, Rows: map[string]int64{}, Snapshots: []Snapshot{}}
	for _, s := range snapshots(path) {
		if info, err := os.Stat(s.path); err == nil {
			r.Snapshots = append(r.Snapshots, Snapshot{s.path, info.Size()})
		}
	}
	info, err := os.Lstat(path)
	if err != nil {
		return r, openRefusal(ctx, path, err)
	}
	r.Bytes = info.Size()
	if wal, err := os.Stat(path + "-wal"); err == nil {
		r.WALBytes = wal.Size()
	} else if !errors.Is(err, fs.ErrNotExist) {
		return r, openRefusal(ctx, path, err)
	}
	db, err := connect(path, "ro")
	if err != nil {
		return r, openRefusal(ctx, path, err)
	}
	defer db.Close()
	if err := r.read(ctx, db); err != nil {
		if ctx.Err() != nil {
			return r, err
		}
		var refused *RefusedError
		if err = openRefusal(ctx, path, err); errors.As(err, &refused) && refused.Reason != Damaged {
			return r, err
		}
		r.Findings = append(r.Findings, err.Error())
	}
	r.OK = len(r.Findings) == 0
	if !r.OK {
		why := &RefusedError{Reason: Damaged, Path: path}
		if r.Version > r.Known {
			why = &RefusedError{Reason: Newer, Path: path, Have: r.Version, Known: r.Known}
		}
		r.Hint = why.Hint()
	}
	return r, nil
}

func (r *Report) read(ctx context.Context, db *sql.DB) error {
	var err error
	if r.Version, err = versionOf(ctx, db); err != nil {
		return err
	}
	if r.Version > r.Known {
		r.Findings = append(r.Findings, (&RefusedError{Reason: Newer, Path: r.Path, Have: r.Version, Known: r.Known}).Error())
	}
	var free, size int64
	if err := db.QueryRowContext(ctx, "SELECT (SELECT freelist_count FROM pragma_freelist_count), (SELECT page_size FROM pragma_page_size)").Scan(&free, &size); err != nil {
		return fmt.Errorf("cannot read the database's size: %w", err)
	}
	r.FreeBytes = free * size
	if err := r.integrity(ctx, db); err != nil {
		return err
	}
	return r.count(ctx, db)
}

func (r *Report) integrity(ctx context.Context, db *sql.DB) error {
	rows, err := db.QueryContext(ctx, fmt.Sprintf("PRAGMA integrity_check(%d)", maxFindings))
	if err != nil {
		return fmt.Errorf("cannot check the database: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		var line string
		if err := rows.Scan(&line); err != nil {
			return fmt.Errorf("cannot check the database: %w", err)
		}
		if line != "ok" {
			r.Findings = append(r.Findings, line)
		}
	}
	return rows.Err()
}

func (r *Report) count(ctx context.Context, db *sql.DB) error {
	all, err := schemas()
	if err != nil {
		return err
	}
	for _, name := range tables(all[:min(len(all), max(r.Version, 0))]) {
		var n int64
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM "+name).Scan(&n); err != nil {
			return fmt.Errorf("cannot read table %s: %w", name, err)
		}
		r.Rows[name] = n
	}
	if r.Version == 0 {
		return nil // made and not filled yet
	}
	var created, oldest, newest, at sql.NullInt64
	err = db.QueryRowContext(ctx, `SELECT (SELECT CAST(value AS INTEGER) FROM meta WHERE name = ?), (SELECT min(at) FROM events),
		(SELECT max(at) FROM events), (SELECT at FROM journal)`, metaCreated).Scan(&created, &oldest, &newest, &at)
	if err != nil {
		return fmt.Errorf("cannot read the database's times: %w", err)
	}
	for _, p := range []struct {
		into *wire.Time
		from sql.NullInt64
	}{{&r.Created, created}, {&r.Oldest, oldest}, {&r.Newest, newest}, {&r.Position, at}} {
		*p.into = wire.Time{Time: moment(p.from.Int64)}
	}
	return nil
}
