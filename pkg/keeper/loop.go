package keeper

import (
	"context"
	"fmt"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
	"clauster/pkg/control"
	"clauster/pkg/gate"
)

// loop is the one goroutine that owns the state while a bridge lives. Everything
// else sends to it and reads its published snapshot.
type loop struct {
	*keeper
	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup // pump and chronicle

	pump      *pump
	chronicle *chronicle
	server    *server

	news    chan screenNews
	markers chan sighting
	stories chan gate.Story
	gone    chan struct{} // the reaper ended
	calls   chan func()   // from the control server and from stop checks

	story   gate.Story
	screen  claude.ScreenState
	session bool
	frozen  string
	apiSeen map[string]time.Time // last api_error event of each kind

	ladder    []rung
	stepAt    time.Time     // of the next rung, or of giving up
	holdAt    time.Time     // a question has stood since promptPatience before
	lookAt    time.Time     // at the session file
	healthAt  time.Time     // a changed health is told then, if it still stands
	toldAt    time.Time     // when a health was told last
	awaited   bridge.Health // the word that is told at healthAt
	changedAt time.Time     // when its word was another last
	memoryAt  time.Time     // when OOM kills were told last
	dogAt     time.Time     // of the next WATCHDOG=1
	checking  bool          // a SIGTERM is being checked
	recheck   bool          // another one came meanwhile
	broken    bool          // the bridge cannot be looked after by this process
	snapshot  atomic.Pointer[control.State]
}

// busyTooLong is how long a pump may be at one piece of work before the
// watchdog is no longer fed.
const busyTooLong = 15 * time.Second

// serve runs the loop over a bridge whose descriptors are in k.fds.
func (k *keeper) serve() int {
	l := &loop{keeper: k, news: make(chan screenNews, 16), markers: make(chan sighting),
		stories: make(chan gate.Story, 4), gone: make(chan struct{}), calls: make(chan func(), 16), apiSeen: map[string]time.Time{}}
	if err := l.begin(); err != nil {
		k.say(journalErr, err.Error())
		return tryAgain()
	}
	return l.run()
}

// begin starts the goroutines.
func (l *loop) begin() error {
	if err := l.openTerminal(); err != nil {
		return err
	}
	if err := l.startReaders(); err != nil {
		return err
	}
	if err := unix.SetNonblock(l.fds[fdStory], true); err != nil {
		return err
	}
	story, err := dupFile(l.fds[fdStory], "story")
	if err != nil {
		return err
	}
	reaper, err := dupFile(l.fds[fdReaper], "reaper")
	if err != nil {
		return err
	}
	for _, f := range []*os.File{story, reaper, l.pty} {
		// Fails where the descriptor could not be watched (epoll watches are
		// limited per uid); its silence would pass for the bridge's.
		if err := f.SetReadDeadline(time.Time{}); err != nil {
			return fmt.Errorf("cannot watch the bridge's %s: %w", f.Name(), err)
		}
	}
	go func() { _ = watchStory(story, l.stories) }()
	go func() {
		_ = waitReaper(reaper)
		close(l.gone)
	}()
	if l.server, err = newServer(l); err != nil {
		return err
	}
	l.publish() // before the first client asks
	go l.server.accept()
	if _, reloaded := l.fds[fdAnswer]; reloaded {
		l.answerReload() // only now: the package reloads the others on this word
	}
	failpoint("serving")
	return nil
}

// openTerminal takes the PTY and the ring of the run as this process's own.
func (l *loop) openTerminal() error {
	l.openRing()
	if l.ring == nil {
		return fmt.Errorf("cannot serve without the terminal's ring")
	}
	if err := unix.SetNonblock(l.fds[fdPTY], true); err != nil {
		return fmt.Errorf("cannot use the terminal: %w", err)
	}
	pty, err := dupFile(l.fds[fdPTY], "pty")
	l.pty = pty
	return err
}

// startReaders starts what reads the terminal and the debug file.
func (l *loop) startReaders() error {
	l.ctx, l.cancel = context.WithCancel(context.Background())
	_ = l.pty.SetReadDeadline(time.Time{})
	c, err := newChronicle(l.ctx, l.keeper, l.markers, l.watchMade)
	if err != nil {
		return err
	}
	l.chronicle = c
	if l.pump == nil { // viewers hold on to it when a reload was refused
		l.pump = newPump(l.keeper, l.st.Run.Record.Mode, l.news)
	}
	l.pump.event = c.eventLine
	l.screen = l.pump.screen.State() // what a predecessor saw
	l.wg.Add(2)
	ctx, p := l.ctx, l.pump
	go func() { defer l.wg.Done(); p.run(ctx) }()
	go func() { defer l.wg.Done(); _ = c.spool.Follow(ctx) }()
	return nil
}

// watchMade has the loop keep an inotify instance. It runs beside the loop.
func (l *loop) watchMade(inotify *os.File) {
	fd, err := dupOf(inotify)
	if err != nil {
		return // a successor makes its own
	}
	select {
	case l.calls <- func() { l.keepWatch(fd) }:
	case <-l.ctx.Done():
		unix.Close(fd)
	}
}

func (l *loop) keepWatch(fd int) {
	if lost, ok := l.fds[fdWatch]; ok {
		unix.Close(lost)
	}
	l.fds[fdWatch] = fd
	_ = l.notify.Unstore(fdWatch)
	_ = l.notify.Store(fdWatch, fd)
}

// stopReaders ends them at a line's end and waits.
func (l *loop) stopReaders() {
	l.cancel()
	_ = l.pty.SetReadDeadline(time.Unix(1, 0))
	l.wg.Wait()
	for _, m := range l.chronicle.left {
		l.st.Run.Log.Add(m)
	}
	l.chronicle.left = nil
}

// run is the loop. It ends with the bridge.
func (l *loop) run() int {
	l.story, _ = readStory(l.fds[fdStory])
	l.heard(l.story)
	if !l.st.Run.Ready.IsZero() {
		l.sayReady()
	}
	if l.st.Run.Held {
		l.startLadder() // a predecessor died over it
	}
	l.lookAtFreezer()
	l.react()
	timer := time.NewTimer(time.Hour)
	defer timer.Stop()
	for {
		timer.Reset(time.Until(l.nextDeadline()))
		select {
		case s := <-l.markers:
			l.onMarker(s.marker)
			close(s.saved)
		case n := <-l.news:
			l.onNews(n)
		case l.story = <-l.stories:
			l.heard(l.story)
		case <-l.gone:
			return l.end()
		case s := <-l.signals:
			l.onSignal(s)
			continue
		case f := <-l.calls:
			f()
			if l.broken {
				return tryAgain()
			}
		case <-timer.C:
			if l.onTime(time.Now()) {
				return l.end()
			}
		}
		l.react()
	}
}

// nextDeadline is the earliest moment at which time alone changes something.
// An idle bridge has only the watchdog's.
func (l *loop) nextDeadline() time.Time {
	next := time.Now().Add(time.Hour)
	r := l.st.Run
	times := []time.Time{l.stepAt, l.holdAt, l.healthAt, l.dogTime()}
	if r.Ready.IsZero() && !r.Asked && !r.Held {
		times = append(times, l.graceEnd(), l.lookAt)
	}
	for _, t := range times {
		if !t.IsZero() && t.Before(next) {
			next = t
		}
	}
	return next
}

// graceEnd is when a bridge that is not ready is given up. What a busy machine
// needs to get at claude at all is not claude's fault: the grace begins anew
// with its process.
func (l *loop) graceEnd() time.Time {
	r := l.st.Run
	if r.Spawned.IsZero() {
		return r.Launched.Add(r.Settings.Grace)
	}
	return r.Spawned.Add(r.Settings.Grace)
}

func (l *loop) dogTime() time.Time {
	if l.notify.Watchdog() == 0 {
		return time.Time{}
	}
	if l.dogAt.IsZero() {
		l.dogAt = time.Now()
	}
	return l.dogAt
}

// onTime does what is due; it reports true where the bridge is given up.
func (l *loop) onTime(now time.Time) (over bool) {
	r := l.st.Run
	if due(l.dogAt, now) {
		l.feedWatchdog(now)
	}
	if due(l.lookAt, now) {
		l.lookAtSession(now)
	}
	if due(l.holdAt, now) {
		l.holdAt = time.Time{}
		if c, held := l.evidence().hold(); held && r.Ready.IsZero() && !l.server.personWrites() {
			l.giveUp(c)
		}
	}
	if r.Ready.IsZero() && !r.Asked && !r.Held && due(l.graceEnd(), now) {
		l.lookAtFreezer()
		l.giveUp(l.evidence().late())
	}
	if due(l.stepAt, now) {
		return l.climb(now)
	}
	return false
}

func due(t, now time.Time) bool { return !t.IsZero() && !now.Before(t) }

// feedWatchdog says that the keeper lives, if everything it does moves on, and
// looks at what no signal tells: freezer, stopped processes, OOM kills.
func (l *loop) feedWatchdog(now time.Time) {
	l.dogAt = now.Add(l.notify.Watchdog() / 2)
	if !l.pump.broken.Load() && l.pump.busy() < busyTooLong && l.chronicle.spool.Busy() < busyTooLong && !crippled() {
		_ = l.notify.Send("WATCHDOG=1")
	}
	l.lookAtFreezer()
	l.lookAtMemory(now)
	l.chronicle.tellDropped(now) // a flood that has ended
}

// fewFiles is a limit of open files below which a keeper cannot do its work.
const fewFiles = 256

// crippled reports whether someone has taken the keeper's descriptors away:
// prlimit(2) asks for the uid alone, which agents share. The successor that
// the watchdog brings has the unit's limits again.
func crippled() bool {
	var limit unix.Rlimit
	return unix.Getrlimit(unix.RLIMIT_NOFILE, &limit) == nil && limit.Cur < fewFiles
}

// onMarker takes one piece of evidence out of the debug file.
func (l *loop) onMarker(m claude.Marker) {
	r := l.st.Run
	before := r.Log
	r.Log.Add(m)
	if r.Log != before {
		l.mustSave()
	}
	if m.Kind == claude.ReplState || m.Kind == claude.SessionCreated {
		l.lookAtSession(time.Now())
	}
}

// onNews takes what the terminal shows.
func (l *loop) onNews(n screenNews) {
	l.screen = n.state
	for _, f := range n.facts {
		if f.Kind == claude.FactAPIError {
			l.apiError(f.API)
		}
	}
	if l.st.Run.Record.Mode == bridge.PTY {
		l.lookAtSession(time.Now())
	}
}
