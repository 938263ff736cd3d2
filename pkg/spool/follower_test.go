package spool

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

const patience = 20 * time.Second // for a condition that is about to come true

// bench is a spool with its file, a Follower on it, and what it handed on.
type bench struct {
	t    testing.TB
	dir  string
	path string
	f    *Follower
	stop func()

	mu      sync.Mutex
	change  *sync.Cond
	lines   []string
	notices []Notice
	pos     Position
	rounds  int
}

func newBench(t testing.TB, o Options) *bench {
	t.Helper()
	b := &bench{t: t, dir: t.TempDir()}
	b.change = sync.NewCond(&b.mu)
	b.path = filepath.Join(b.dir, "debug-1.log")
	if err := Create(b.dir, "debug-1.log", -1, -1); err != nil {
		t.Fatal(err)
	}
	b.open(o)
	t.Cleanup(func() { b.f.Close() })
	return b
}

func (b *bench) open(o Options) {
	b.t.Helper()
	o.Dir, o.Name = b.dir, "debug-1.log"
	o.Handle = func(line []byte) { b.note(func() { b.lines = append(b.lines, string(line)) }) }
	o.Consumed = func(p Position) { b.note(func() { b.pos = p }) }
	o.Report = func(n Notice) { b.note(func() { b.notices = append(b.notices, n) }) }
	o.Progress = func() { b.note(func() { b.rounds++ }) }
	f, err := Open(o)
	if err != nil {
		b.t.Fatal(err)
	}
	b.f = f
}

func (b *bench) note(change func()) {
	b.mu.Lock()
	defer b.mu.Unlock()
	change()
	b.change.Broadcast()
}

// follow runs Follow until the returned stop, or the test's end.
func (b *bench) follow() {
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() {
		defer close(done)
		b.f.Follow(ctx)
	}()
	b.stop = sync.OnceFunc(func() { cancel(); <-done })
	b.t.Cleanup(b.stop)
}

// until waits for a condition over the notes.
func (b *bench) until(what string, cond func() bool) {
	b.t.Helper()
	expired := false
	timer := time.AfterFunc(patience, func() { b.note(func() { expired = true }) })
	defer timer.Stop()
	b.mu.Lock()
	defer b.mu.Unlock()
	for !cond() {
		if expired {
			b.t.Fatalf("%s did not come; lines %.300q, notices %v, stats %+v", what, b.lines, b.notices, b.f.Stats())
		}
		b.change.Wait()
	}
}

// expect waits for exactly these lines since the last expect.
func (b *bench) expect(want ...string) {
	b.t.Helper()
	b.until(fmt.Sprintf("%d lines", len(want)), func() bool { return len(b.lines) >= len(want) })
	b.mu.Lock()
	defer b.mu.Unlock()
	if got, want := strings.Join(b.lines, "\n"), strings.Join(want, "\n"); got != want {
		b.t.Fatalf("got lines %.300q, want %.300q", got, want)
	}
	b.lines = nil
}

func (b *bench) expectNotice(kind NoticeKind) {
	b.t.Helper()
	b.until(fmt.Sprintf("notice %d", kind), func() bool {
		for _, n := range b.notices {
			if n.Kind == kind {
				return true
			}
		}
		return false
	})
}

// write appends as claude does.
func (b *bench) write(text string) {
	b.t.Helper()
	f, err := os.OpenFile(b.path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err != nil {
		b.t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString(text); err != nil {
		b.t.Fatal(err)
	}
}

func TestFollowsWhatIsAppended(t *testing.T) {
	b := newBench(t, Options{})
	b.write("before\n")
	b.follow()
	b.expect("before")
	b.write("one\ntwo\n\nthr")
	b.expect("one", "two", "")
	b.write("ee\r\n\xff\xfe\x1b[31m\n")
	b.expect("three\r", "\xff\xfe\x1b[31m")
}

func TestLongLinesAreCutAndCounted(t *testing.T) {
	b := newBench(t, Options{})
	b.follow()
	exact, over := strings.Repeat("a", MaxLine), strings.Repeat("b", MaxLine+1)
	b.write(exact + "\n" + over + "\n" + strings.Repeat("c", 1<<20) + "\nend\n")
	b.expect(exact, over[:MaxLine], strings.Repeat("c", MaxLine), "end")
	b.expectNotice(NoticeLongLine)
	if s := b.f.Stats(); s.LongLines != 2 || s.SkippedBytes != 1+1<<20-MaxLine {
		t.Errorf("stats %+v", s)
	}
	// A line without an end is handed on once and then forgotten as it comes.
	for range 8 {
		b.write(strings.Repeat("d", 300<<10))
	}
	b.write("\nend\n")
	b.expect(strings.Repeat("d", MaxLine), "end")
}

// Under a flood every line arrives once, in order, while the file is freed
// behind the reader.
func TestFloodIsFreedBehindTheReader(t *testing.T) {
	b := newBench(t, Options{})
	b.follow()
	const writers, each = 4, 20000
	var all sync.WaitGroup
	for w := range writers {
		all.Go(func() {
			f, err := os.OpenFile(b.path, os.O_APPEND|os.O_WRONLY, 0)
			if err != nil {
				t.Error(err)
				return
			}
			defer f.Close()
			for n := range each {
				fmt.Fprintf(f, "%d %d %s\n", w, n, strings.Repeat("x", n%150))
			}
		})
	}
	all.Wait()
	b.until("every line", func() bool { return len(b.lines) >= writers*each })
	var next [writers]int
	for _, line := range b.lines {
		var w, n int
		if _, err := fmt.Sscan(line, &w, &n); err != nil || next[w] != n {
			t.Fatalf("line %q after %v", line, next)
		}
		next[w]++
	}
	b.stop()
	var st unix.Stat_t
	if err := unix.Stat(b.path, &st); err != nil {
		t.Fatal(err)
	}
	if st.Blocks*512 > 64<<10 {
		t.Errorf("%d bytes of %d are still held", st.Blocks*512, st.Size)
	}
	if len(b.f.buf) > bigBuffer {
		t.Errorf("the buffer grew to %d", len(b.f.buf))
	}
}

func TestRestartGoesOnAtTheNextLine(t *testing.T) {
	b := newBench(t, Options{})
	b.write("one\ntwo\nthr")
	if !b.f.Drain(time.Time{}) {
		t.Fatal("drain")
	}
	b.expect("one", "two", "thr") // Drain takes the unfinished one too
	b.write("ee\nfour\nfi")
	b.follow()
	b.expect("ee", "four")
	b.stop()
	b.f.Close()
	b.write("ve\nsix\n")
	inode, offset := b.pos.Words()
	b.open(Options{Resume: PositionOf(inode, offset)})
	b.follow()
	b.expect("five", "six")
	b.write(strings.Repeat("z", 2*MaxLine))
	b.expect(strings.Repeat("z", MaxLine))
	b.until("the position", func() bool { return b.pos.Skip })
	b.stop()
	b.f.Close()
	b.open(Options{Resume: b.pos})
	b.follow()
	b.write("rest\nseven\n")
	b.expect("seven")
	b.stop()
	b.f.Close()

	os.Remove(b.path)
	b.write("another file\n")
	b.open(Options{Resume: Position{Inode: 1, Offset: 5}})
	b.follow()
	b.expect("another file")
}

// Whatever Consumed said last is a place where nothing is lost or doubled.
func TestEveryConsumedPositionIsARestart(t *testing.T) {
	b := newBench(t, Options{})
	content := "one\n\ntwo\n" + strings.Repeat("l", MaxLine+5) + "\nthree\nend"
	b.write(content)
	var at []Position
	b.f.opt.Consumed = func(p Position) { at = append(at, p) }
	b.f.opt.Handle = func(line []byte) { b.lines = append(b.lines, string(line)) }
	b.f.Drain(time.Time{})
	all := b.lines
	at = at[1:] // the first is the file's start
	if len(at) != len(all)+1 || at[len(at)-1] != at[len(at)-2] {
		t.Fatalf("%d positions for %d lines", len(at), len(all))
	}
	b.f.Close()
	for i, p := range at[:len(all)] {
		b.lines = nil
		os.WriteFile(b.path, []byte(content), 0o600) // fill the hole again
		b.open(Options{Resume: p})
		b.f.Drain(time.Time{})
		b.f.Close()
		if want := strings.Join(all[i+1:], "|"); strings.Join(b.lines, "|") != want {
			t.Errorf("after line %d: %.90q, want %.90q", i, b.lines, want)
		}
	}
}

func TestPositionWords(t *testing.T) {
	for _, p := range []Position{{}, {Inode: 1<<64 - 1, Offset: 1<<63 - 1, Skip: true}, {Inode: 7, Offset: 8}} {
		if got := PositionOf(p.Words()); got != p {
			t.Errorf("%+v became %+v", p, got)
		}
	}
}

func TestDrain(t *testing.T) {
	b := newBench(t, Options{})
	line := strings.Repeat("x", 1023) + "\n"
	b.write(strings.Repeat(line, 3*maxBatch/1024))
	if b.f.Drain(time.Now().Add(-time.Second)) {
		t.Error("drained 12 MiB in no time")
	}
	if got := b.f.Stats().Lines; got > (maxBatch+bigBuffer)/1024 {
		t.Errorf("a drain past its deadline handled %d lines, more than one batch", got)
	}
	if !b.f.Drain(time.Now().Add(patience)) {
		t.Error("not drained")
	}
	if got := b.f.Stats().Lines; got != 3*maxBatch/1024 {
		t.Errorf("%d lines", got)
	}
	if b.f.Busy() != 0 {
		t.Error("busy after the end")
	}
}

// A lost inotify (128 per uid, shared with claude) costs promptness, is said
// once, and comes back.
func TestNoInotifyDegradesToATick(t *testing.T) {
	b := newBench(t, Options{Tick: time.Millisecond, Retry: 20 * time.Millisecond})
	var mu sync.Mutex
	broken := true
	b.f.newInotify = func() (int, error) {
		mu.Lock()
		defer mu.Unlock()
		if broken {
			return -1, unix.EMFILE
		}
		return newInotify()
	}
	b.follow()
	b.expectNotice(NoticePolling)
	b.write("one\n")
	b.expect("one")
	rounds := 0
	b.until("more tries", func() bool {
		if rounds == 0 {
			rounds = b.rounds
		}
		return b.rounds > rounds+50
	})
	mu.Lock()
	broken = false
	mu.Unlock()
	b.expectNotice(NoticeWatching)
	b.write("two\n")
	b.expect("two")
	polling := 0
	for _, n := range b.notices {
		if n.Kind == NoticePolling {
			polling++
		}
	}
	if polling != 1 {
		t.Errorf("said %d times", polling)
	}
}

func TestOpenAndCreateRefuse(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"", ".", "..", "a/b", "/etc/passwd", "a\x00", strings.Repeat("a", 256)} {
		if _, err := Open(Options{Dir: dir, Name: name}); err == nil {
			t.Errorf("name %q was opened", name)
		}
		if err := Create(dir, name, -1, -1); err == nil {
			t.Errorf("name %q was created", name)
		}
	}
	if err := Create(dir, "new", -1, -1); err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat(filepath.Join(dir, "new")); err != nil || st.Mode() != 0o600 {
		t.Errorf("%v %v", st, err)
	}
	if err := Create(dir, "new", -1, -1); err == nil {
		t.Error("created twice")
	}
	os.Symlink("/nowhere", filepath.Join(dir, "link"))
	if err := Create(dir, "link", -1, -1); err == nil {
		t.Error("created through a symlink")
	}
	os.Symlink(dir, dir+"-link")
	defer os.Remove(dir + "-link")
	if _, err := Open(Options{Dir: dir + "-link", Name: "new"}); err == nil {
		t.Error("opened a directory through a symlink")
	}
}

// An inotify instance is handed on, so that a successor needs none; one that is
// none is replaced.
func TestWatchHandedOn(t *testing.T) {
	var kept *os.File
	keep := func(f *os.File) {
		raw, err := f.SyscallConn()
		if err != nil {
			t.Fatal(err)
		}
		_ = raw.Control(func(fd uintptr) {
			dup, err := unix.FcntlInt(fd, unix.F_DUPFD_CLOEXEC, 3)
			if err != nil {
				t.Error(err)
			}
			kept = os.NewFile(uintptr(dup), "kept")
		})
	}
	null, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	b := newBench(t, Options{Tick: time.Hour, Made: keep, Watch: null})
	b.follow()
	b.write("one\n")
	b.expect("one")
	b.stop()
	b.f.Close()
	if kept == nil {
		t.Fatal("nobody was told of the new instance")
	}
	b.open(Options{Tick: time.Hour, Resume: b.pos, Watch: kept, Made: func(*os.File) { t.Error("another one was made") }})
	b.f.newInotify = func() (int, error) { return -1, unix.EMFILE }
	b.follow()
	b.write("two\n")
	b.expect("two")
	if len(b.notices) > 0 {
		t.Errorf("notices: %v", b.notices)
	}
}
