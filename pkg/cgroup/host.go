package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// ErrNoCgroup2 is in the chain of the error of a host whose hierarchy is not
// cgroup v2.
var ErrNoCgroup2 = errors.New("this host does not run the unified cgroup hierarchy (cgroup v2)")

// Host is where to look: the roots of the cgroup and proc file systems.
type Host struct {
	Root string // a cgroup2 mount
	Proc string
}

// System is this machine.
func System() Host { return Host{Root: "/sys/fs/cgroup", Proc: "/proc"} }

// Check reports why bridges cannot be told apart by cgroup on this host, nil if
// they can.
func (h Host) Check() error {
	if exists(filepath.Join(h.Root, "cgroup.controllers")) {
		return nil
	}
	found := "no cgroup file system is mounted there"
	switch {
	case exists(filepath.Join(h.Root, "unified", "cgroup.controllers")):
		found = "it is hybrid"
	case exists(filepath.Join(h.Root, "systemd")) || exists(filepath.Join(h.Root, "memory")):
		found = "it runs cgroup v1"
	}
	return fmt.Errorf("cannot use cgroups in %s: %w: %s; boot with systemd.unified_cgroup_hierarchy=1", h.Root, ErrNoCgroup2, found)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// Path is the cgroup of a process as an absolute path below Root, as in
// /clauster.slice/clauster-bridge-blog.scope. Only the version 2 line counts: a
// container on a hybrid host shows the host's version 1 lines beside it. The
// error wraps fs.ErrNotExist if the process, or its cgroup, is gone.
func (h Host) Path(pid int) (string, error) {
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("cannot find the cgroup of process %d: %w", pid, err)
	}
	var buf [4096]byte
	data, err := readInto(unix.AT_FDCWD, filepath.Join(h.Proc, strconv.Itoa(pid), "cgroup"), buf[:], false)
	if errors.Is(err, unix.ESRCH) {
		err = fs.ErrNotExist
	}
	if err != nil {
		return fail(err)
	}
	for line := range strings.Lines(string(data)) {
		path, v2 := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "0::")
		switch {
		case !v2:
			continue
		case strings.HasSuffix(path, " (deleted)"):
			return fail(fmt.Errorf("it was removed: %w", fs.ErrNotExist))
		}
		if err := checkPath(path); err != nil {
			return fail(err)
		}
		if err := h.Check(); err != nil {
			return fail(err)
		}
		return path, nil
	}
	if err := h.Check(); err != nil {
		return fail(err)
	}
	return fail(ErrNoCgroup2)
}

// checkPath allows absolute paths without an empty, "." or ".." element; the
// kernel gives "/.." to a process that looks from outside a cgroup namespace.
func checkPath(path string) error {
	if path != "/" && !(strings.HasPrefix(path, "/") && fs.ValidPath(path[1:])) || strings.Contains(path, "\x00") {
		return fmt.Errorf("%q is not a path below the cgroup root", path)
	}
	return nil
}

// Path is System's Path.
func Path(pid int) (string, error) { return System().Path(pid) }

// Group is an open cgroup. Its methods may be called from several goroutines,
// except Close. When the cgroup is removed they fail with an error that wraps
// fs.ErrNotExist; a new cgroup of the same path is another Group.
type Group struct {
	host Host
	path string
	dir  int
}

// Open opens the cgroup at path, as Path gives it. No symlink is followed and
// nothing above Root is reached. The error wraps fs.ErrNotExist where there is
// no such cgroup.
func (h Host) Open(path string) (*Group, error) {
	if err := checkPath(path); err != nil {
		return nil, fmt.Errorf("cannot open cgroup: %w", err)
	}
	root, err := unix.Open(h.Root, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, fmt.Errorf("cannot open cgroup root %s: %w", h.Root, err)
	}
	defer unix.Close(root)
	const flags = unix.O_PATH | unix.O_DIRECTORY | unix.O_NOFOLLOW | unix.O_CLOEXEC
	relative := "." + path
	dir, err := unix.Openat2(root, relative, &unix.OpenHow{
		Flags:   flags,
		Resolve: unix.RESOLVE_BENEATH | unix.RESOLVE_NO_SYMLINKS,
	})
	if err == unix.ENOSYS || err == unix.EPERM { // a seccomp filter of old; the path is clean
		dir, err = unix.Openat(root, relative, flags, 0)
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open cgroup %s: %w", path, err)
	}
	return &Group{host: h, path: path, dir: dir}, nil
}

// Close closes the directory.
func (g *Group) Close() { unix.Close(g.dir) }

// Path is the path that Open was given.
func (g *Group) Path() string { return g.path }

// ReadInto reads a file of the cgroup, such as "memory.current", into buf and
// gives the part that was filled; what does not fit is left out. The file must
// be one that the kernel shows as a whole (all but cgroup.procs and
// cgroup.threads), which one read gets. The error is a bare errno; ENODEV, from
// a cgroup that is going away, becomes ENOENT, so that errors.Is with
// fs.ErrNotExist holds for both.
func (g *Group) ReadInto(file string, buf []byte) ([]byte, error) {
	return g.read(file, buf, false)
}

// read reads a file to its end if toEnd, else what one read gives.
func (g *Group) read(file string, buf []byte, toEnd bool) ([]byte, error) {
	if strings.Contains(file, "/") {
		return nil, unix.EINVAL
	}
	data, err := readInto(g.dir, file, buf, toEnd)
	if err == unix.ENODEV {
		err = unix.ENOENT
	}
	return data, err
}

func readInto(dir int, path string, buf []byte, toEnd bool) ([]byte, error) {
	fd, err := unix.Openat(dir, path, unix.O_RDONLY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	defer unix.Close(fd)
	// A whole seq_file of one record comes at once. Asking for its end would be
	// a system call more for each of a dozen files of each bridge of each scrape.
	filled := 0
	for filled < len(buf) {
		n, err := unix.Read(fd, buf[filled:])
		if err == unix.EINTR {
			continue
		}
		if err != nil {
			return nil, err
		}
		filled += n
		if n == 0 || !toEnd {
			break
		}
	}
	return buf[:filled], nil
}
