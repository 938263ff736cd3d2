package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// snapshot copies the database beside itself as PATH.before-vN, and forgets
// all but the last few of such copies.
func (o opening) snapshot(ctx context.Context, db *sql.DB) error {
	final := fmt.Sprintf("%s%s%d", o.path, snapshotInfix, len(o.schemas))
	draft := final + ".tmp"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	f, err := os.OpenFile(draft, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600) // VACUUM INTO takes an empty file, and keeps its mode
	if err != nil {
		return err
	}
	defer f.Close()
	o.step("snapshot begun")
	if _, err := db.ExecContext(ctx, "VACUUM INTO ?", draft); err != nil {
		os.Remove(draft)
		return err
	}
	o.step("snapshot written")
	if err := f.Sync(); err != nil {
		return err
	}
	if err := os.Rename(draft, final); err != nil {
		return err
	}
	o.step("snapshot named")
	if err := syncDir(filepath.Dir(o.path)); err != nil {
		return err
	}
	if all := snapshots(o.path); len(all) > keptSnapshots {
		for _, old := range all[keptSnapshots:] {
			if err := os.Remove(old.path); err != nil {
				return err
			}
		}
	}
	o.step("snapshot kept")
	return nil
}

// newestSnapshot finds the snapshot made last that a program which knows the
// version below limit can read.
func newestSnapshot(path string, limit int) (string, bool) {
	for _, s := range snapshots(path) {
		if s.version <= limit {
			return s.path, true
		}
	}
	return "", false
}

// snapshot is a copy of the database from before it was brought to version.
type snapshot struct {
	path    string
	version int
}

// snapshots lists those of a database, the newest first.
func snapshots(path string) []snapshot {
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil {
		return nil
	}
	var all []snapshot
	prefix := filepath.Base(path) + snapshotInfix
	for _, e := range entries {
		rest, ok := strings.CutPrefix(e.Name(), prefix)
		var v int
		if n, err := fmt.Sscanf(rest, "%d", &v); ok && err == nil && n == 1 && fmt.Sprint(v) == rest {
			all = append(all, snapshot{filepath.Join(filepath.Dir(path), e.Name()), v})
		}
	}
	sortSnapshots(all)
	return all
}

func sortSnapshots(all []snapshot) {
	slices.SortFunc(all, func(a, b snapshot) int { return cmp.Compare(b.version, a.version) })
}

func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	defer d.Close()
	return d.Sync()
}
