package keeper

import (
	"context"
	"fmt"
	"net"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/journal"
)

// journald is a socket that takes entries, and what came in their order.
func journald(t *testing.T) (path string, numbers func(want int) []uint64) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "journal")
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return path, func(want int) (found []uint64) {
		buf := make([]byte, 64<<10)
		_ = c.SetReadDeadline(time.Now().Add(10 * time.Second))
		for len(found) < want {
			n, err := c.Read(buf)
			if err != nil {
				t.Fatalf("after %d entries: %v", len(found), err)
			}
			_, rest, _ := strings.Cut(string(buf[:n]), "\n"+bridge.FieldLine+"=")
			text, _, _ := strings.Cut(rest, "\n")
			number, err := strconv.ParseUint(text, 10, 64)
			if err != nil {
				t.Fatalf("an entry without a number: %q", buf[:n])
			}
			found = append(found, number)
		}
		return found
	}
}

func openLedger(t *testing.T, path string) *ledger {
	t.Helper()
	return newLedger(journal.NewWriter(journal.Options{Socket: path}))
}

func closeLedger(t *testing.T, g *ledger) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	_ = g.Close(ctx)
}

// Numbers grow over whoever writes, and over one keeper after the other.
func TestNumbersGrow(t *testing.T) {
	t.Parallel()
	path, numbers := journald(t)
	const keepers, writers, each = 3, 4, 50
	got := make(chan []uint64)
	go func() { got <- numbers(keepers * writers * each) }()
	for range keepers {
		g := openLedger(t, path) // its predecessor left nothing behind but time
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for n := range each {
					if w == 0 {
						g.Event(journal.Event{Name: bridge.EventHealth, Message: "x", Fields: fields{}})
					} else {
						g.Line(journal.Info, fmt.Sprint(n), fields{})
					}
				}
			})
		}
		wg.Wait()
		closeLedger(t, g)
	}
	all := <-got
	for n := 1; n < len(all); n++ {
		if all[n] <= all[n-1] {
			t.Fatalf("number %d follows %d", all[n], all[n-1])
		}
	}
}

// A clock that stands still does not give a number twice.
func TestNumberAfterNumber(t *testing.T) {
	g := &ledger{last: 1 << 62}
	if n := g.number(fields{}); n != 1<<62+1 {
		t.Errorf("%d", n)
	}
}

// watched serves one watcher of a ledger on a socket and dials it.
func watched(t *testing.T, g *ledger) *control.Conn {
	t.Helper()
	dir := t.TempDir()
	listener, err := control.Listen(dir, -1)
	if err != nil {
		t.Fatal(err)
	}
	l := &loop{keeper: &keeper{journal: g, inst: bridge.Instance{Project: "blog"}}}
	l.snapshot.Store(&control.State{Run: "r1"})
	s := &server{l: l, listener: listener, conns: map[*control.Conn]bool{}, viewers: map[*viewer]bool{}}
	done := make(chan struct{})
	go func() { defer close(done); s.accept() }()
	t.Cleanup(func() { listener.Close(); <-done })
	c, err := control.Dial(t.Context(), filepath.Join(dir, control.SocketName), control.Hello{Instance: "blog"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return c
}

func TestWatcherSeesWhatIsWritten(t *testing.T) {
	t.Parallel()
	path, _ := journald(t)
	g := openLedger(t, path)
	defer closeLedger(t, g)
	g.Line(journal.Info, "before", fields{bridge.FieldRun: "r1"})
	c := watched(t, g)
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
	defer cancel()
	var lines []control.Line
	var start control.Watching
	_ = c.Watch(ctx, func(w control.Watching) {
		start = w
		g.Line(journal.Warning, "a line", fields{bridge.FieldRun: "r1", bridge.FieldSource: "debug"})
		g.Event(journal.Event{Name: bridge.EventCrash, Message: "it crashed", Fields: fields{bridge.FieldRun: "r1"}})
	}, func(l control.Line) {
		if lines = append(lines, l); len(lines) == 2 {
			cancel()
		}
	})
	if start.Run != "r1" || start.Number == 0 || len(lines) != 2 {
		t.Fatalf("%+v, %+v", start, lines)
	}
	a, b := lines[0], lines[1]
	if a.Number <= start.Number || a.Text != "a line" || a.Priority != 4 || a.Source != "debug" || a.Run != "r1" || a.Event != "" {
		t.Errorf("%+v", a)
	}
	if b.Number <= a.Number || b.Text != "it crashed" || b.Priority != 3 || b.Event != "crash" || time.Since(b.At) > time.Minute {
		t.Errorf("%+v", b)
	}
}

// A watcher that does not read holds nobody up, takes no more than its bounds,
// and is told where it is when it reads again.
func TestSlowWatcher(t *testing.T) {
	t.Parallel()
	g := &ledger{}
	w, err := g.watch()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, behind := w.next(); !behind {
		t.Error("a new watcher is not told where it is")
	}
	f := fields{bridge.FieldRun: "r1"}
	for n := range uint64(watcherLines) {
		g.show(n+1, journal.Info, "", "x", f)
	}
	if lines, _, behind := w.next(); behind || len(lines) != watcherLines {
		t.Errorf("%d lines, behind %v", len(lines), behind)
	}
	for n := range uint64(watcherLines + 1) {
		g.show(10_000+n, journal.Info, "", "x", f)
	}
	g.show(20_000, journal.Info, "", "x", f)
	if lines, last, behind := w.next(); !behind || len(lines) != 0 || last != 20_000 {
		t.Errorf("%d lines, behind %v, at %d", len(lines), behind, last)
	}
	for n := range uint64(8) {
		g.show(30_000+n, journal.Info, "", strings.Repeat("x", watcherBytes/4), f)
	}
	if w.bytes != 0 || !w.behind {
		t.Errorf("%d bytes wait", w.bytes)
	}
	w.next()
	g.show(40_000, journal.Info, "", "x", f)
	if lines, _, _ := w.next(); len(lines) != 1 || lines[0].Number != 40_000 {
		t.Errorf("after it: %+v", lines)
	}
	w.leave()
	for n := range maxWatchers {
		if _, err := g.watch(); err != nil {
			t.Errorf("watcher %d: %v", n, err)
		}
	}
	if _, err := g.watch(); err == nil {
		t.Error("there is no limit")
	}
}

// Nobody watching, nothing is made for anybody.
func BenchmarkUnwatched(b *testing.B) {
	g, f := &ledger{}, fields{bridge.FieldRun: "r1"}
	b.ReportAllocs()
	for n := range uint64(b.N) {
		g.show(n+1, journal.Info, "", "x", f)
	}
}
