package project

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
)

// Max bounds how many projects there are, MaxEntries how many names below
// projects_root are looked at.
const (
	Max        = 4096
	MaxEntries = 1 << 16
)

// Root is projects_root, held open. Its methods may be called from several
// goroutines.
type Root struct {
	path string   // as configured
	dir  *os.File // the directory
}

// OpenRoot opens projects_root, whose own links are followed: root named it.
// The error keeps the system's for errors.Is.
func OpenRoot(path string) (*Root, error) {
	fd, err := unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open projects_root: %w", &fs.PathError{Op: "open", Path: path, Err: err})
	}
	return &Root{path, os.NewFile(uintptr(fd), path)}, nil
}

// Close closes the directory.
func (r *Root) Close() error { return r.dir.Close() }

// Names lists the projects, sorted: real directories whose names can be an
// instance's. Links are left out, for the keeper refuses to start in one.
func (r *Root) Names() ([]string, error) {
	again, err := os.Open(procPath(int(r.dir.Fd()))) // an own offset, for several readers
	if err != nil {
		return nil, fmt.Errorf("cannot list projects: %w", err)
	}
	defer again.Close()
	entries, err := again.ReadDir(MaxEntries)
	if len(entries) == 0 && err != nil && !isEnd(err) {
		return nil, fmt.Errorf("cannot list projects: %w", err)
	}
	names := []string{}
	for _, e := range entries {
		if bridge.CheckProject(e.Name()) == nil && e.IsDir() {
			names = append(names, e.Name())
		}
	}
	slices.Sort(names)
	return names[:min(len(names), Max)], nil
}

// dir is one project's directory, held open.
type dir struct {
	root *os.Root // nothing outside is reached through it
	path string   // with all links resolved: claude's key
}

func (d dir) close() { d.root.Close() }

// ErrNotFound means that there is no such project.
var ErrNotFound = errors.New("there is no such project")

// open opens a project without following a link of its name.
func (r *Root) open(name string) (dir, error) {
	if err := bridge.CheckProject(name); err != nil {
		return dir{}, err
	}
	fd, err := unix.Openat(int(r.dir.Fd()), name, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	switch {
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ELOOP), errors.Is(err, unix.ENOTDIR):
		return dir{}, ErrNotFound
	case err != nil:
		return dir{}, fmt.Errorf("cannot open the project: %w", &fs.PathError{Op: "open", Path: filepath.Join(r.path, name), Err: err})
	}
	defer unix.Close(fd)
	path, err := os.Readlink(procPath(fd))
	if err != nil {
		return dir{}, fmt.Errorf("cannot find the project's path: %w", err)
	}
	// Through the descriptor, so that what was looked at is what is opened.
	root, err := os.OpenRoot(procPath(fd))
	if err != nil {
		return dir{}, fmt.Errorf("cannot open the project: %w", err)
	}
	return dir{root, path}, nil
}

func procPath(fd int) string { return "/proc/self/fd/" + strconv.Itoa(fd) }
