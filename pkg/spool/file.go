package spool

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Create makes the spool file before the bridge may write in its directory:
// new, empty, mode 0600, owned by uid and gid (-1 keeps ours). claude opens it
// for appending and keeps its mode. It fails where the name exists, whatever it is.
func Create(dir, name string, uid, gid int) error {
	if err := checkName(name); err != nil {
		return err
	}
	fail := func(err error) error { return fmt.Errorf("cannot create spool file %s/%s: %w", dir, name, err) }
	d, err := openDir(dir)
	if err != nil {
		return fail(err)
	}
	defer unix.Close(d)
	fd, err := unix.Openat(d, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
	if err != nil {
		return fail(err)
	}
	defer unix.Close(fd)
	if err := unix.Fchmod(fd, 0o600); err != nil { // whatever the umask is
		return fail(err)
	}
	if uid >= 0 || gid >= 0 {
		if err := unix.Fchown(fd, uid, gid); err != nil {
			return fail(err)
		}
	}
	return nil
}

func checkName(name string) error {
	if name == "" || name == "." || name == ".." || strings.ContainsAny(name, "/\x00") || len(name) > 255 {
		return fmt.Errorf("cannot use spool file name %q: it is no plain file name", name)
	}
	return nil
}

func openDir(path string) (int, error) {
	return unix.Open(path, unix.O_PATH|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
}

// openIn opens name in dir without leaving it: no symlink, and no mount on the
// name either, for an agent with fusermount could answer our open never.
// Kernels and seccomp filters without openat2 get what openat can do.
func openIn(dir int, name string, flags uint64) (int, error) {
	how := unix.OpenHow{
		Flags:   flags | unix.O_NOFOLLOW | unix.O_CLOEXEC,
		Resolve: unix.RESOLVE_NO_SYMLINKS | unix.RESOLVE_NO_XDEV,
	}
	// With O_PATH a symlink itself is opened all the same; the type check
	// refuses it. EAGAIN is no reason to try again: a lease of the agent's on
	// its file gives it for ever.
	for {
		fd, err := unix.Openat2(dir, name, &how)
		switch err {
		case unix.EINTR:
			continue
		case unix.ENOSYS, unix.EPERM:
			return unix.Openat(dir, name, int(how.Flags), 0)
		}
		return fd, err
	}
}

var errNotOurs = errors.New("it is not a regular file of the bridge's user with one name")

func checkFile(st *unix.Stat_t) error {
	if st.Mode&unix.S_IFMT != unix.S_IFREG || st.Uid != uint32(unix.Geteuid()) || st.Nlink > 1 {
		return errNotOurs
	}
	return nil
}

// refresh looks what bears the file's name now, and changes over to it when it
// is another file that may be followed, having read the old one to its end.
// It holds on to a file that was renamed or deleted: its writer may hold on too.
func (f *Follower) refresh(deadline time.Time) {
	f.refreshDir()
	if f.dir < 0 {
		return
	}
	// The look opens with O_PATH: that runs no code of a file system or a FIFO.
	look, err := openIn(f.dir, f.opt.Name, unix.O_PATH)
	if f.missing = err == unix.ENOENT; f.missing {
		return
	}
	var st unix.Stat_t
	if err == nil {
		err = unix.Fstat(look, &st)
		unix.Close(look)
	}
	if err == nil && f.fd >= 0 && st.Ino == f.pos.Inode {
		return
	}
	if err == nil {
		err = checkFile(&st)
	}
	if err == nil {
		err = f.changeOver(deadline)
	}
	if err != nil {
		f.stats.refusals.Add(1)
		f.report(Notice{Kind: NoticeRefused, Err: err})
	}
}

// refreshDir follows a spool directory that was removed and made anew.
func (f *Follower) refreshDir() {
	var st unix.Stat_t
	if f.dir >= 0 && unix.Fstat(f.dir, &st) == nil && st.Nlink > 0 {
		return
	}
	if f.dir >= 0 {
		unix.Close(f.dir)
		f.unwatch()
	}
	var err error
	if f.dir, err = openDir(f.opt.Dir); err != nil {
		f.dir = -1
		f.report(Notice{Kind: NoticeFailed, Err: fmt.Errorf("cannot open spool directory %s: %w", f.opt.Dir, err)})
		return
	}
	f.ensureWatch()
}

// changeOverTime bounds the reading of what is left in a file that was replaced.
const changeOverTime = 250 * time.Millisecond

// changeOver opens the file that bears the name and follows it from now on.
func (f *Follower) changeOver(deadline time.Time) error {
	fd, err := openIn(f.dir, f.opt.Name, unix.O_RDWR|unix.O_NONBLOCK|unix.O_NOCTTY)
	if err != nil {
		return err
	}
	var st unix.Stat_t
	if err = unix.Fstat(fd, &st); err == nil {
		err = checkFile(&st)
	}
	if err != nil {
		unix.Close(fd)
		return err
	}
	if f.fd >= 0 {
		if deadline.IsZero() {
			deadline = time.Now().Add(changeOverTime)
		}
		for f.batch(true) && time.Now().Before(deadline) {
		}
		f.closeFile()
		f.stats.switches.Add(1)
		f.report(Notice{Kind: NoticeSwitched})
	}
	f.fd, f.freed = fd, 0
	if f.pos.Inode != st.Ino {
		f.pos = Position{Inode: st.Ino}
		f.opt.Consumed(f.pos)
	}
	f.watchFile()
	return nil
}

func (f *Follower) closeFile() {
	if f.fd >= 0 {
		f.unwatchFile()
		unix.Close(f.fd)
		f.fd = -1
	}
}
