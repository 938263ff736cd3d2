package spool

import (
	"fmt"
	"sync/atomic"
	"time"
)

// NoticeKind says what a Notice is about.
type NoticeKind int

// The kinds of notices.
const (
	NoticePolling   NoticeKind = iota // inotify cannot be had: the file is looked at each Tick
	NoticeWatching                    // inotify works again
	NoticeRefused                     // what bears the file's name will not be read
	NoticeSwitched                    // the file was replaced; the new one is followed
	NoticeTruncated                   // the file was cut under the reader; reading from its start
	NoticeLongLine                    // a line was over MaxLine; its rest is skipped
	NoticeBacklog                     // more was unread than may be; the older part was dropped
	NoticeFailed                      // reading or freeing failed
	noticeKinds
)

// Notice tells an operator something about the spool, once a minute per kind at
// most; Stats counts what was not told.
type Notice struct {
	Kind  NoticeKind
	Err   error // the cause, where there is one
	Bytes int64 // dropped unread (NoticeBacklog)
}

// String is the notice as a sentence without a full stop.
func (n Notice) String() string {
	switch n.Kind {
	case NoticePolling:
		return fmt.Sprintf("the debug file is looked at once a second, since it cannot be watched: %v; raise fs.inotify.max_user_instances", n.Err)
	case NoticeWatching:
		return "the debug file is watched again"
	case NoticeRefused:
		return fmt.Sprintf("the debug file cannot be followed: %v", n.Err)
	case NoticeSwitched:
		return "the debug file was replaced; the new one is followed"
	case NoticeTruncated:
		return "the debug file was truncated by its writer; it is read from its start"
	case NoticeLongLine:
		return fmt.Sprintf("a line of the debug file is longer than %d bytes; the rest of it is skipped", MaxLine)
	case NoticeBacklog:
		return fmt.Sprintf("the debug file grows faster than it may be read; %d bytes were skipped", n.Bytes)
	}
	return fmt.Sprintf("the debug file cannot be read: %v", n.Err)
}

const noticeGap = time.Minute

func (f *Follower) report(n Notice) {
	now := time.Now()
	if last := f.notices[n.Kind]; !last.IsZero() && now.Sub(last) < noticeGap {
		return
	}
	f.notices[n.Kind] = now
	f.opt.Report(n)
}

// Stats counts since Open. Bytes are those consumed, skipped ones included.
type Stats struct {
	Lines, Bytes        uint64
	LongLines           uint64
	SkippedBytes        uint64 // of long lines and of an overfull backlog
	Holes               uint64 // jumped over
	Switches, Truncates uint64
	Refusals            uint64
}

type counters struct {
	lines, bytes, long, skipped, holes, switches, truncates, refusals atomic.Uint64
}

// Stats may be called from any goroutine.
func (f *Follower) Stats() Stats {
	return Stats{
		Lines:        f.stats.lines.Load(),
		Bytes:        f.stats.bytes.Load(),
		LongLines:    f.stats.long.Load(),
		SkippedBytes: f.stats.skipped.Load(),
		Holes:        f.stats.holes.Load(),
		Switches:     f.stats.switches.Load(),
		Truncates:    f.stats.truncates.Load(),
		Refusals:     f.stats.refusals.Load(),
	}
}
