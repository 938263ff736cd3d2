package records

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"strings"

	"clauster/pkg/bridge"

	"golang.org/x/sys/unix"
)

const watchEvents = unix.IN_MOVED_TO | unix.IN_MOVED_FROM | unix.IN_CLOSE_WRITE | unix.IN_DELETE | unix.IN_DELETE_SELF | unix.IN_MOVE_SELF | unix.IN_ONLYDIR

// errUnwatched means that the directory itself went away.
var errUnwatched = errors.New("the directory was removed")

// Watch tells which instances' records were written or removed, until ctx
// ends or the directory is gone. It first calls all, when the watch is in
// place, and again whenever more happened than the kernel kept: then every
// record is to be read again. Both are called from this goroutine.
func (d Dir) Watch(ctx context.Context, all func(), one func(bridge.Instance)) error {
	fail := func(err error) error { return fmt.Errorf("cannot watch %s: %w", d.Path, err) }
	fd, err := unix.InotifyInit1(unix.IN_NONBLOCK | unix.IN_CLOEXEC)
	if err != nil {
		return fail(err)
	}
	f := os.NewFile(uintptr(fd), "inotify") // in the runtime's poller
	defer f.Close()
	if _, err := unix.InotifyAddWatch(fd, d.Path, watchEvents); err != nil {
		return fail(err)
	}
	stop := context.AfterFunc(ctx, func() { f.Close() })
	defer stop()
	all()
	buf := make([]byte, 64<<10)
	for {
		n, err := f.Read(buf)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if err != nil {
			return fail(err)
		}
		changed, everything, gone := parseNotices(buf[:n])
		switch {
		case gone:
			return fail(errUnwatched)
		case everything:
			all()
		default:
			for _, i := range changed {
				one(i)
			}
		}
	}
}

// parseNotices reads inotify events: the instances whose records they name,
// once each; whether the kernel dropped some; whether the watch is gone.
func parseNotices(data []byte) (changed []bridge.Instance, everything, gone bool) {
	seen := map[bridge.Instance]bool{}
	for len(data) >= unix.SizeofInotifyEvent {
		mask := binary.NativeEndian.Uint32(data[4:])
		length := int(binary.NativeEndian.Uint32(data[12:]))
		data = data[unix.SizeofInotifyEvent:]
		if length < 0 || length > len(data) {
			return changed, true, gone
		}
		name, _, _ := strings.Cut(string(data[:length]), "\x00")
		data = data[length:]
		everything = everything || mask&unix.IN_Q_OVERFLOW != 0
		gone = gone || mask&(unix.IN_IGNORED|unix.IN_DELETE_SELF|unix.IN_MOVE_SELF|unix.IN_UNMOUNT) != 0
		name, is := strings.CutSuffix(name, recordSuffix)
		if i, err := bridge.ParseInstance(name); is && err == nil && !seen[i] {
			seen[i] = true
			changed = append(changed, i)
		}
	}
	return changed, everything, gone
}
