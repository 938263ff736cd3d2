package spool

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// idleAfter is how long a wait for the writer must have lasted for the next
// pause to be a short one again.
const idleAfter = 20 * time.Millisecond

// watch is an inotify instance in the runtime's poller, so that waiting costs
// neither a thread nor a timer. Its events only wake: names and masks in them
// are the agent's doing, and are not parsed.
type watch struct {
	file   *os.File
	fileWd int // -1 if the file is not watched
}

const (
	dirEvents  = unix.IN_CREATE | unix.IN_MOVED_TO | unix.IN_ATTRIB | unix.IN_DELETE_SELF | unix.IN_ONLYDIR
	fileEvents = unix.IN_MODIFY
)

// ensureWatch gets an inotify instance, now and then if there is none to be had.
func (f *Follower) ensureWatch() {
	if f.watch != nil || f.dir < 0 || (!f.lastTry.IsZero() && time.Since(f.lastTry) < f.opt.Retry) {
		return
	}
	f.lastTry = time.Now()
	if err := f.makeWatch(); err != nil {
		f.unwatch()
		f.losesWatch(err)
		return
	}
	f.lastTry = time.Time{}
	if f.noNotify {
		f.noNotify = false
		f.report(Notice{Kind: NoticeWatching})
	}
}

func newInotify() (int, error) {
	return unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
}

// makeWatch uses the instance handed over, or makes one. What else the former
// watches only wakes.
func (f *Follower) makeWatch() error {
	if handed := f.opt.Watch; handed != nil {
		f.opt.Watch = nil
		if f.useWatch(handed) == nil {
			return nil
		}
		f.unwatch()
	}
	fd, err := f.newInotify()
	if err != nil {
		return fmt.Errorf("inotify_init: %w", err)
	}
	made := os.NewFile(uintptr(fd), "inotify")
	if err := f.useWatch(made); err != nil {
		return err
	}
	f.opt.Made(made)
	return nil
}

func (f *Follower) useWatch(inotify *os.File) error {
	f.watch = &watch{file: inotify, fileWd: -1}
	if _, err := f.addWatch(f.dir, dirEvents); err != nil {
		return err
	}
	return f.tryWatchFile()
}

// addWatch watches what fd holds, wherever it was moved to and whatever bears
// its name now.
func (f *Follower) addWatch(fd int, events uint32) (int, error) {
	var wd int
	var err error
	raw, _ := f.watch.file.SyscallConn()
	if cerr := raw.Control(func(inotify uintptr) {
		wd, err = unix.InotifyAddWatch(int(inotify), fmt.Sprintf("/proc/self/fd/%d", fd), events)
	}); cerr != nil {
		err = cerr
	}
	if err != nil {
		return -1, fmt.Errorf("inotify_add_watch: %w", err)
	}
	return wd, nil
}

func (f *Follower) tryWatchFile() error {
	if f.fd < 0 {
		return nil
	}
	wd, err := f.addWatch(f.fd, fileEvents)
	f.watch.fileWd = wd
	return err
}

// watchFile watches the file just changed over to.
func (f *Follower) watchFile() {
	if f.watch == nil {
		return
	}
	if err := f.tryWatchFile(); err != nil {
		f.unwatch()
		f.lastTry = time.Now()
		f.losesWatch(err)
	}
}

func (f *Follower) losesWatch(err error) {
	if f.noNotify {
		return
	}
	f.noNotify = true
	f.report(Notice{Kind: NoticePolling, Err: err})
}

func (f *Follower) unwatchFile() {
	if f.watch == nil || f.watch.fileWd < 0 {
		return
	}
	raw, _ := f.watch.file.SyscallConn()
	raw.Control(func(inotify uintptr) {
		unix.InotifyRmWatch(int(inotify), uint32(f.watch.fileWd))
	})
	f.watch.fileWd = -1
}

func (f *Follower) unwatch() {
	if f.watch != nil {
		f.watch.file.Close()
		f.watch = nil
	}
}

// wait pauses after a batch and then sleeps until the writer does something.
// Under load batches come at most each MaxPause; a line after a silence is read
// at once. took is what the batch cost: three times that is slept at least
// while there is more, so that no flood takes more than a quarter of a core.
func (f *Follower) wait(ctx context.Context, more bool, took time.Duration) {
	f.busy.Store(0)
	switch {
	case f.watch == nil && !more:
		sleep(ctx, f.opt.Tick)
		return
	case more:
		f.pause = f.opt.MaxPause
	}
	sleep(ctx, max(f.pause, 3*took))
	if more || ctx.Err() != nil {
		return
	}
	began := time.Now()
	if err := f.watch.wait(ctx, f.missingDeadline()); err != nil && ctx.Err() == nil {
		f.unwatch() // never seen; the tick takes over until the next try
		f.lastTry = time.Now()
		f.losesWatch(err)
	}
	if time.Since(began) >= idleAfter {
		f.pause = f.opt.MinPause
	} else {
		f.pause = min(2*f.pause, f.opt.MaxPause)
	}
}

// missingDeadline ends the wait for a file that is not there after a tick: the
// whole directory may have been removed, of which inotify tells nothing while
// we hold it.
func (f *Follower) missingDeadline() time.Time {
	if !f.missing {
		return time.Time{}
	}
	return time.Now().Add(f.opt.Tick)
}

// wait blocks until an event arrives, the deadline (if not zero) has passed or
// ctx ends.
func (w *watch) wait(ctx context.Context, deadline time.Time) error {
	if err := w.file.SetReadDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { w.file.SetReadDeadline(time.Unix(1, 0)) })
	defer stop()
	var events [4096]byte
	_, err := w.file.Read(events[:])
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

func sleep(ctx context.Context, d time.Duration) {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-t.C:
	case <-ctx.Done():
	}
}
