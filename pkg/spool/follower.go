package spool

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"
)

// Bounds of a Follower.
const (
	// MaxLine is how much of one line is handed on, in bytes; the rest of a
	// longer one is skipped and counted.
	MaxLine = 64 << 10
	// DefaultBacklog is the amount of unread data, in bytes, above which the
	// older half is dropped unread.
	DefaultBacklog = 64 << 20

	smallBuffer = 32 << 10  // what a quiet bridge costs
	bigBuffer   = 256 << 10 // under load; holds any MaxLine whole
	maxBatch    = 4 << 20   // read between two calls of Progress
	maxJumps    = 64        // holes skipped in one batch
)

// Position says how far a spool was consumed: a file and an offset in it, and
// whether the bytes there are the rest of a line that was too long. A keeper
// keeps it across its own death.
type Position struct {
	Inode  uint64
	Offset int64
	Skip   bool
}

// Words packs a position into two words for a place that survives the keeper
// (terminal.Ring's marks). Write the second word first: a kill between the two
// then leaves the old file at offset 0, and a file that is no longer there
// costs nothing.
func (p Position) Words() (inode, offset uint64) {
	offset = uint64(p.Offset) << 1
	if p.Skip {
		offset |= 1
	}
	return p.Inode, offset
}

// PositionOf unpacks what Words packed.
func PositionOf(inode, offset uint64) Position {
	return Position{Inode: inode, Offset: int64(offset >> 1), Skip: offset&1 == 1}
}

// Options of a Follower. Dir, Name and Handle are needed.
type Options struct {
	Dir  string // the spool directory; its parents are trusted, its content is not
	Name string // the file in it, as given to Create
	// Resume is where a keeper before this one got to. It counts only if the
	// file is still the same one; the zero Position begins at its start.
	Resume Position

	// Handle gets each line without its newline (a CR before it stays), at most
	// MaxLine bytes, valid only during the call. It may be empty; NUL bytes at
	// its ends are cut. All callbacks run in the goroutine of Follow or Drain.
	Handle func(line []byte)
	// Consumed is told after each line up to where lines were handled, before
	// that part of the file is freed. A restart goes on there, so a keeper killed
	// between Handle and Consumed hands that one line on twice. It is called for
	// every line of a flood: keep the Words in memory that outlives the process.
	Consumed func(Position)
	// Progress is called after each batch and each tick.
	Progress func()
	// Report is told what an operator may want to know, each kind at most once a minute.
	Report func(Notice)

	// Watch is the inotify instance of a Follower before this one, which takes it
	// over; nil makes one. Made, if set, is told of one that was made: who keeps a
	// duplicate can hand it on, and neither its own end nor a successor's start
	// waits for the kernel to give one back (fsnotify_destroy_group, 5 to 20 ms).
	Watch *os.File
	Made  func(*os.File)

	// Backlog overrides DefaultBacklog.
	Backlog int64
	// MinPause and MaxPause bound the wait between two reads under load
	// (2 ms and 20 ms: whoever looks at the log wants a line within 50). The pause also keeps reading below a quarter of a core.
	MinPause, MaxPause time.Duration
	// Tick is the interval of looks at the file while inotify cannot be had
	// (1 s), Retry that of attempts to have it again (1 min).
	Tick, Retry time.Duration
}

func (o *Options) settle() {
	set := func(d *time.Duration, standard time.Duration) {
		if *d <= 0 {
			*d = standard
		}
	}
	set(&o.MinPause, 2*time.Millisecond)
	set(&o.MaxPause, 20*time.Millisecond)
	set(&o.Tick, time.Second)
	set(&o.Retry, time.Minute)
	if o.Backlog <= 0 {
		o.Backlog = DefaultBacklog
	}
	if o.Consumed == nil {
		o.Consumed = func(Position) {}
	}
	if o.Progress == nil {
		o.Progress = func() {}
	}
	if o.Report == nil {
		o.Report = func(Notice) {}
	}
	if o.Made == nil {
		o.Made = func(*os.File) {}
	}
}

// Follower reads one spool. Follow and Drain are for one goroutine at a time;
// Stats and Busy are for any.
type Follower struct {
	opt     Options
	dir     int  // O_PATH of the directory, -1 if it is gone
	fd      int  // the file being read, -1 if there is none
	missing bool // nothing bears the file's name
	pos     Position
	freed   int64 // of the file: punched up to here

	buf        []byte
	got        int // bytes of the last batch
	jumps      int
	watch      *watch
	newInotify func() (int, error) // a test lets it fail
	lastTry    time.Time           // of making a watch
	pause      time.Duration

	notices  [noticeKinds]time.Time
	noNotify bool // the loss of inotify was reported
	stats    counters
	busy     atomic.Int64 // Unix nanoseconds of the last sign of progress, 0 while waiting
}

// Open makes a Follower. The directory and the file may come later: a keeper
// that finds its spool removed must not die of it, again and again. Only files
// of the effective user are followed, so a keeper that drops root does so before
// Follow.
func Open(o Options) (*Follower, error) {
	if err := checkName(o.Name); err != nil {
		return nil, err
	}
	o.settle()
	o.Resume.Offset = max(o.Resume.Offset, 0)
	dir, err := openDir(o.Dir)
	if err == unix.ENOENT {
		dir, err = -1, nil
	}
	if err != nil {
		return nil, fmt.Errorf("cannot open spool directory %s: %w", o.Dir, err)
	}
	return &Follower{
		opt:        o,
		dir:        dir,
		fd:         -1,
		pos:        o.Resume,
		pause:      o.MinPause,
		buf:        make([]byte, smallBuffer),
		newInotify: newInotify,
	}, nil
}

// Close releases what the Follower holds. Follow and Drain must have returned.
func (f *Follower) Close() {
	f.unwatch()
	if f.opt.Watch != nil {
		f.opt.Watch.Close() // was not needed
	}
	f.closeFile()
	if f.dir >= 0 {
		unix.Close(f.dir)
		f.dir = -1
	}
}

// Follow handles lines as they come until ctx ends; its error is then ctx's.
// Nothing a writer does ends it.
func (f *Follower) Follow(ctx context.Context) error {
	defer f.busy.Store(0)
	for ctx.Err() == nil {
		f.progress()
		f.ensureWatch()
		f.refresh(time.Time{})
		began := time.Now()
		more := f.batch(false)
		f.settleBuffer()
		f.wait(ctx, more, time.Since(began))
	}
	return ctx.Err()
}

// Drain handles what is left when the bridge has ended, an unfinished last line
// too, and reports whether it got to the end before the deadline. Call it after
// Follow has returned.
func (f *Follower) Drain(deadline time.Time) bool {
	defer f.busy.Store(0)
	f.refresh(deadline)
	for {
		f.progress()
		if !f.batch(true) {
			return true
		}
		if !time.Now().Before(deadline) {
			return false
		}
	}
}

// Position is how far the spool is consumed. Not while Follow or Drain runs.
func (f *Follower) Position() Position { return f.pos }

// Busy is how long the Follower has been working without a sign of progress:
// 0 while it waits for the writer. A watchdog compares it with its patience.
func (f *Follower) Busy() time.Duration {
	since := f.busy.Load()
	if since == 0 {
		return 0
	}
	return time.Since(time.Unix(0, since))
}

func (f *Follower) progress() {
	f.busy.Store(time.Now().UnixNano())
	f.opt.Progress()
}

// settleBuffer gives the big buffer back when the flood is over.
func (f *Follower) settleBuffer() {
	if len(f.buf) > smallBuffer && f.got < smallBuffer {
		f.buf = make([]byte, smallBuffer)
	}
}
