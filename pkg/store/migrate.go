package store

import (
	"context"
	"database/sql"
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

const (
	// applicationID is in the file's header, so that file(1) and we know our
	// databases from others: "Clau".
	applicationID = 0x436c6175

	snapshotInfix = ".before-v"
	keptSnapshots = 3
)

// schemas are the files of schema/ in order: schemas()[0] makes version 1.
func schemas() ([]string, error) {
	var all []string
	for v := 1; ; v++ {
		text, err := schemaFiles.ReadFile(fmt.Sprintf("schema/%04d.sql", v))
		if errors.Is(err, fs.ErrNotExist) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("cannot read schema %d: %w", v, err)
		}
		all = append(all, string(text))
	}
}

// newestSchema is the newest version that this program knows.
func newestSchema() int {
	all, err := schemas()
	if err != nil {
		return 0
	}
	return len(all)
}

// opening is one attempt to open a database; step is called between what a
// power cut can come between, for the tests that make one.
type opening struct {
	path    string
	schemas []string
	step    func(name string)
}

func (o opening) open(ctx context.Context) (*Store, error) {
	if err := o.prepare(); err != nil {
		return nil, openRefusal(ctx, o.path, err)
	}
	s := &Store{Path: o.path}
	var err error
	if s.writer, err = connect(o.path, "rw"); err != nil {
		return nil, openRefusal(ctx, o.path, err)
	}
	s.writer.SetMaxOpenConns(1)
	if err := o.bringUp(ctx, s.writer); err != nil {
		s.Close()
		return nil, openRefusal(ctx, o.path, err)
	}
	if s.reader, err = connect(o.path, "ro"); err != nil {
		s.Close()
		return nil, openRefusal(ctx, o.path, err)
	}
	s.reader.SetMaxOpenConns(4)
	if s.file, err = os.Stat(o.path); err != nil {
		s.Close()
		return nil, openRefusal(ctx, o.path, err)
	}
	return s, nil
}

// errNotRegular marks a database that is a directory, a link or a device.
var errNotRegular = errors.New("it is no regular file")

// prepare makes the file where there is none, so that it has its mode from the
// first byte; SQLite gives -wal and -shm the same. An existing file is not
// opened here: closing it again would take SQLite's locks away from every
// connection of this process (POSIX locks belong to process and inode).
func (o opening) prepare() error {
	info, err := os.Lstat(o.path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		f, err := os.OpenFile(o.path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
		if errors.Is(err, fs.ErrExist) {
			return nil // another of us was faster
		}
		if err != nil {
			return err
		}
		o.step("created")
		return f.Close()
	case err != nil:
		return err
	case !info.Mode().IsRegular():
		return errNotRegular
	case info.Size() > 0 && info.Size() < 512: // SQLite would take it for an empty one
		return fmt.Errorf("it has %d bytes, and no database is that short", info.Size())
	case info.Mode().Perm()&0o077 != 0:
		return os.Chmod(o.path, 0o600)
	}
	return nil
}

// bringUp migrates where that is due, and looks whether the tables are there
// and begin like tables.
func (o opening) bringUp(ctx context.Context, db *sql.DB) error {
	have, err := versionOf(ctx, db)
	if err != nil {
		return err
	}
	if have > len(o.schemas) {
		return &RefusedError{Reason: Newer, Path: o.path, Have: have, Known: len(o.schemas)}
	}
	if have < len(o.schemas) {
		if err := o.migrate(ctx, db); err != nil {
			return err
		}
	}
	return o.look(ctx, db)
}

func versionOf(ctx context.Context, db *sql.DB) (int, error) {
	var v int
	if err := db.QueryRowContext(ctx, "PRAGMA user_version").Scan(&v); err != nil {
		return 0, fmt.Errorf("cannot read the database's version: %w", err)
	}
	return v, nil
}

// migrate brings the schema forward in one transaction, after a snapshot of a
// database that holds something. The lock keeps a second process of ours from
// taking a snapshot of what the first has changed already.
func (o opening) migrate(ctx context.Context, db *sql.DB) error {
	unlock, err := lockDir(filepath.Dir(o.path))
	if err != nil {
		return err
	}
	defer unlock()
	o.step("locked")
	have, err := versionOf(ctx, db)
	if err != nil || have >= len(o.schemas) {
		return err
	}
	if have == 0 {
		var objects int
		if err := db.QueryRowContext(ctx, "SELECT count(*) FROM sqlite_schema").Scan(&objects); err != nil {
			return fmt.Errorf("cannot read the database's schema: %w", err)
		}
		if objects > 0 {
			return errors.New("it has tables but no version: it is not a database of Clauster's")
		}
	} else if err := o.snapshot(ctx, db); err != nil {
		return fmt.Errorf("cannot keep a snapshot before the migration: %w", err)
	}
	return o.apply(ctx, db, have)
}

// apply is the one transaction. The version is SQLite's own user_version.
func (o opening) apply(ctx context.Context, db *sql.DB, have int) error {
	tx, err := db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("cannot begin the migration: %w", err)
	}
	defer tx.Rollback() // nothing after Commit
	o.step("begun")
	for v := have + 1; v <= len(o.schemas); v++ {
		if _, err := tx.ExecContext(ctx, o.schemas[v-1]); err != nil {
			return fmt.Errorf("cannot bring the database to version %d: %w", v, err)
		}
		o.step(fmt.Sprintf("schema %d", v))
	}
	if have == 0 {
		created := "INSERT INTO meta (name, value) VALUES ('" + metaCreated + "', ?)"
		if _, err := tx.ExecContext(ctx, created, fmt.Sprint(stamp(time.Now()))); err != nil {
			return fmt.Errorf("cannot note when the database was made: %w", err)
		}
	}
	for _, p := range []string{fmt.Sprintf("application_id = %d", applicationID), fmt.Sprintf("user_version = %d", len(o.schemas))} {
		if _, err := tx.ExecContext(ctx, "PRAGMA "+p); err != nil {
			return fmt.Errorf("cannot set the database's version: %w", err)
		}
	}
	o.step("versioned")
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("cannot commit the migration: %w", err)
	}
	o.step("committed")
	return nil
}

// lockDir waits for the lock of a directory and gives what unlocks it. The
// kernel unlocks it too when the holder dies.
func lockDir(dir string) (unlock func(), err error) {
	d, err := os.Open(dir)
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(d.Fd()), unix.LOCK_EX); err != nil {
		d.Close()
		return nil, fmt.Errorf("cannot lock %s: %w", dir, err)
	}
	return func() { d.Close() }, nil
}

var tableStatement = regexp.MustCompile(`(?mi)^(CREATE|DROP) TABLE (?:IF (?:NOT )?EXISTS )?(\w+)`)

// tables lists the tables that schemas lead to.
func tables(schemas []string) []string {
	var names []string
	for _, m := range tableStatement.FindAllStringSubmatch(strings.Join(schemas, "\n"), -1) {
		names = slices.DeleteFunc(names, func(n string) bool { return n == m[2] })
		if strings.EqualFold(m[1], "CREATE") {
			names = append(names, m[2])
		}
	}
	return names
}

// look reads the first row of every table: cheap enough for each start, and a
// truncated file, a broken schema or a lost table is seen. All pages are read
// by Check.
func (o opening) look(ctx context.Context, db *sql.DB) error {
	for _, name := range tables(o.schemas) {
		rows, err := db.QueryContext(ctx, "SELECT 1 FROM "+name+" LIMIT 1")
		if err != nil {
			return fmt.Errorf("cannot read table %s: %w", name, err)
		}
		for rows.Next() {
		}
		err = rows.Err()
		rows.Close()
		if err != nil {
			return fmt.Errorf("cannot read table %s: %w", name, err)
		}
	}
	return nil
}
