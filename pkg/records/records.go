// Package records keeps launch records and launch requests on disk:
// INSTANCE.json and INSTANCE.json.request in /var/lib/clauster/instances
// (user mode ~/.local/state/clauster/instances). The directory belongs to
// clauster:clauster, so root treats what it finds there as input: no link is
// followed, sizes are bounded, contents are checked (bridge.DecodeRecord).
// Writes are atomic and durable: a power cut leaves the old file or the new.
package records

import (
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
)

const (
	recordSuffix  = ".json"
	requestSuffix = ".json.request" // no record ends like it: "a.request" is a project's name
	fileMode      = 0o640
)

// Dir is the directory of records. Its methods may be called from several
// goroutines and processes.
type Dir struct {
	Path string
	UID  int // owner of new files; -1 keeps the writer
	GID  int // group of new files; -1 keeps the writer's
}

// Read gives the launch record of an instance. The error is fs.ErrNotExist
// where there is none.
func (d Dir) Read(i bridge.Instance) (bridge.Record, error) {
	data, err := d.read(i.String() + recordSuffix)
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission) {
		return bridge.Record{}, err
	}
	var r bridge.Record
	if err == nil {
		r, err = bridge.DecodeRecord(data)
	}
	if err == nil && r.Instance != i.String() {
		err = fmt.Errorf("it names %s", r.Instance)
	}
	if err != nil {
		return bridge.Record{}, &BrokenError{i, filepath.Join(d.Path, i.String()+recordSuffix), err}
	}
	return r, nil
}

// BrokenError is a launch record that is there and cannot be used. Dropping it
// helps: see Remove.
type BrokenError struct {
	Instance bridge.Instance
	Path     string
	Err      error // what is wrong with it
}

func (e *BrokenError) Error() string {
	return fmt.Sprintf("cannot use the launch record %s: %s", e.Path, e.Err)
}

func (e *BrokenError) Unwrap() error { return e.Err }

// Write replaces the launch record of the instance it names.
func (d Dir) Write(r bridge.Record) error {
	if err := r.Validate(); err != nil {
		return fmt.Errorf("cannot write launch record: %w", err)
	}
	return d.write(r.Instance+recordSuffix, r)
}

// WriteRequest leaves a request for the next start of an instance.
func (d Dir) WriteRequest(r bridge.Request) error {
	if err := r.Validate(); err != nil {
		return err
	}
	return d.write(r.Instance+requestSuffix, r)
}

// ReadRequest gives the request for an instance; nil where there is none or it
// has expired (never, for the zero time).
func (d Dir) ReadRequest(i bridge.Instance, now time.Time) (*bridge.Request, error) {
	data, err := d.read(i.String() + requestSuffix)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	r, err := bridge.DecodeRequest(data)
	if err != nil {
		return nil, err
	}
	if r.Instance != i.String() {
		return nil, fmt.Errorf("cannot use launch request of %s: it names %s", i, r.Instance)
	}
	if now.After(r.Expires) {
		return nil, nil
	}
	return &r, nil
}

// RemoveRequest deletes the request for an instance; it is no error if there
// is none.
func (d Dir) RemoveRequest(i bridge.Instance) error { return d.remove(i.String() + requestSuffix) }

// Remove deletes what is kept of an instance; it is no error if there is
// nothing.
func (d Dir) Remove(i bridge.Instance) error {
	return errors.Join(d.remove(i.String()+recordSuffix), d.remove(i.String()+requestSuffix))
}

// List gives every readable record, and an error for each unreadable one, all
// joined: a *BrokenError where it is the record's fault. Files that are not
// records are passed over.
func (d Dir) List() ([]bridge.Record, error) {
	entries, err := os.ReadDir(d.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot list launch records: %w", err)
	}
	var all []bridge.Record
	var faults []error
	for _, e := range entries {
		name, is := strings.CutSuffix(e.Name(), recordSuffix)
		if !is {
			continue
		}
		i, err := bridge.ParseInstance(name)
		if err != nil {
			continue
		}
		r, err := d.Read(i)
		if err != nil {
			faults = append(faults, err)
			continue
		}
		all = append(all, r)
	}
	return all, errors.Join(faults...)
}

// read opens without following a link at the last component and without
// waiting on a FIFO, and takes regular files only.
func (d Dir) read(name string) ([]byte, error) {
	path := filepath.Join(d.Path, name)
	f, err := os.OpenFile(path, os.O_RDONLY|unix.O_NOFOLLOW|unix.O_NONBLOCK, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	defer f.Close()
	if st, err := f.Stat(); err != nil || !st.Mode().IsRegular() {
		return nil, fmt.Errorf("cannot read %s: it is not a regular file", path)
	}
	data, err := io.ReadAll(io.LimitReader(f, bridge.MaxRecordSize+1))
	if err != nil {
		return nil, fmt.Errorf("cannot read %s: %w", path, err)
	}
	return data, nil
}

func (d Dir) remove(name string) error {
	err := os.Remove(filepath.Join(d.Path, name))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("cannot remove launch record: %w", err)
	}
	return nil
}

func (d Dir) write(name string, v any) error {
	data, err := json.MarshalIndent(v, "", "  ")
	if err != nil {
		return fmt.Errorf("cannot encode %s: %w", name, err)
	}
	if err := d.replace(name, append(data, '\n')); err != nil {
		return fmt.Errorf("cannot write %s: %w", filepath.Join(d.Path, name), err)
	}
	return nil
}

// replace goes temp → write → owner → fsync → rename → fsync of the directory.
// The temporary name is not guessable and O_EXCL, so nobody who may write the
// directory can make root write through a planted link.
func (d Dir) replace(name string, data []byte) (err error) {
	temp := filepath.Join(d.Path, "."+rand.Text()+".tmp")
	f, err := os.OpenFile(temp, os.O_WRONLY|os.O_CREATE|os.O_EXCL|unix.O_NOFOLLOW, fileMode)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			os.Remove(temp)
		}
	}()
	_, werr := f.Write(data)
	merr := f.Chmod(fileMode) // whatever the umask was
	var oerr error
	if d.UID >= 0 || d.GID >= 0 {
		oerr = f.Chown(d.UID, d.GID)
	}
	if err := errors.Join(werr, merr, oerr, f.Sync(), f.Close()); err != nil {
		return err
	}
	if err := os.Rename(temp, filepath.Join(d.Path, name)); err != nil {
		return err
	}
	dir, err := os.Open(d.Path)
	if err != nil {
		return err
	}
	defer dir.Close()
	return dir.Sync()
}
