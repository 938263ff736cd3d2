package tail

import (
	"context"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/journal"
	"clauster/pkg/wire"
)

// log is a merge and what came out of it.
type log struct {
	merge
	got []string
}

func newLog() *log {
	l := &log{}
	l.add = func(line wire.LogLine) { l.got = append(l.got, line.Text) }
	return l
}

func (l *log) journal(numbers ...uint64) {
	for _, n := range numbers {
		l.fromJournal(number{"r1", n}, wire.LogLine{Text: fmt.Sprint(n)})
	}
}

func (l *log) keeper(numbers ...uint64) {
	for _, n := range numbers {
		l.fromKeeper(control.Line{Run: "r1", Number: n}, wire.LogLine{Text: fmt.Sprint(n)})
	}
}

func (l *log) begins(n uint64) { l.watching(control.Watching{Run: "r1", Number: n}) }

func (l *log) expect(t *testing.T, want string) {
	t.Helper()
	if got := fmt.Sprint(l.got); got != want {
		t.Errorf("%s, want %s", got, want)
	}
}

func TestMerge(t *testing.T) {
	for name, c := range map[string]struct {
		play func(*log)
		want string
	}{
		"the journal's copy is dropped": {func(l *log) { l.journal(1, 2); l.begins(2); l.keeper(3, 4); l.journal(3, 4, 5) }, "[1 2 3 4 5]"},
		"held until the journal is there": {func(l *log) {
			l.journal(1)
			l.begins(3)
			l.keeper(4, 5)
			l.journal(2)
			l.keeper(6)
			l.journal(3, 4)
		},
			"[1 2 3 4 5 6]"},
		"the journal was quicker":      {func(l *log) { l.begins(0); l.journal(1, 2, 3); l.keeper(2, 3, 4) }, "[1 2 3 4]"},
		"the stream is cut":            {func(l *log) { l.begins(0); l.keeper(1, 2); l.journal(1, 2, 3, 4) }, "[1 2 3 4]"},
		"left out by the keeper":       {func(l *log) { l.begins(0); l.keeper(1, 3); l.journal(1, 2, 3) }, "[1 3 2]"},
		"lost by journald":             {func(l *log) { l.begins(0); l.keeper(1, 2, 3); l.journal(1, 3, 4) }, "[1 2 3 4]"},
		"behind, then there again":     {func(l *log) { l.begins(0); l.keeper(1); l.begins(4); l.keeper(5); l.journal(1, 2, 3, 4, 5) }, "[1 2 3 4 5]"},
		"a keeper after the other":     {func(l *log) { l.begins(0); l.keeper(1, 2); l.begins(5); l.keeper(6); l.journal(1, 2, 3, 5, 6) }, "[1 2 3 5 6]"},
		"what has no number is added":  {func(l *log) { l.journal(0, 1, 0) }, "[0 1 0]"},
		"no start, no lines":           {func(l *log) { l.keeper(1, 2); l.journal(1, 2) }, "[1 2]"},
		"a keeper out of order":        {func(l *log) { l.begins(0); l.keeper(5, 4, 5, 6); l.journal(4, 5, 6) }, "[5 6 4]"},
		"of another run than it began": {func(l *log) { l.watching(control.Watching{Run: "r0"}); l.keeper(1); l.journal(1) }, "[1]"},
	} {
		t.Run(name, func(t *testing.T) {
			l := newLog()
			c.play(l)
			l.expect(t, c.want)
		})
	}
}

// Whatever the two do to each other, each line comes once and in order, and
// what is kept is bounded.
func TestMergeAtRandom(t *testing.T) {
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		l := newLog()
		const lines = 10_000
		var inJournal, atKeeper uint64 = 0, 0
		for inJournal < lines {
			switch r.IntN(8) {
			case 0: // a new keeper, or one that was too slow
				atKeeper = min(max(atKeeper, inJournal)+uint64(r.IntN(50)), lines)
				l.begins(atKeeper)
			case 1, 2, 3:
				for range r.IntN(200) {
					inJournal++
					l.journal(inJournal)
				}
			default:
				for range r.IntN(1 + r.IntN(400)) {
					if atKeeper < lines {
						atKeeper++
						l.keeper(atKeeper)
					}
				}
			}
			if len(l.ahead) > maxAhead || len(l.held) > maxHeld || len(l.marks) > maxMarks {
				t.Fatalf("seed %d: %d ahead, %d held, %d marks", seed, len(l.ahead), len(l.held), len(l.marks))
			}
		}
		for n := range lines {
			if l.got[n] != fmt.Sprint(n+1) {
				t.Fatalf("seed %d: line %d is %s", seed, n+1, l.got[n])
			}
		}
	}
}

// What waits for a journal that stands still is bounded.
func TestHeldLinesAreBounded(t *testing.T) {
	l := newLog()
	l.begins(1)
	text := strings.Repeat("x", 48<<10)
	for n := uint64(2); n < 100; n++ {
		l.fromKeeper(control.Line{Run: "r1", Number: n}, wire.LogLine{Text: text})
		if l.bytes > maxHeldBytes || len(l.held)*len(text) != l.bytes {
			t.Fatalf("%d bytes, %d lines", l.bytes, len(l.held))
		}
	}
	for n := uint64(1); n < 100; n++ {
		l.journal(n)
	}
	if len(l.got) != 99 {
		t.Errorf("%d lines", len(l.got))
	}
}

// journald that lost entries does not fill the memory.
func TestMergeWithLostEntries(t *testing.T) {
	l := newLog()
	l.begins(0)
	for n := uint64(1); n < 3*maxAhead; n++ {
		l.keeper(n)
		if n%10 == 0 {
			l.journal(n)
		}
	}
	if len(l.got) != 3*maxAhead-1 || len(l.ahead) > maxAhead {
		t.Errorf("%d lines, %d ahead", len(l.got), len(l.ahead))
	}
}

// The keeper is dialled at once and after each event that says that one began,
// its lines come at once, and numbers of other units are not believed.
func TestKeeperIsQuicker(t *testing.T) {
	entries := make(chan journal.Entry)
	type stream struct {
		watching func(control.Watching)
		line     func(control.Line)
		end      chan struct{}
	}
	streams := make(chan stream)
	s := scripted(0, nil)
	s.Follow = func(ctx context.Context, _ journal.Query, f func(journal.Entry) error) error {
		for {
			select {
			case e := <-entries:
				if err := f(e); err != nil {
					return err
				}
			case <-ctx.Done():
				return ctx.Err()
			}
		}
	}
	s.Watch = func(ctx context.Context, i bridge.Instance, watching func(control.Watching), line func(control.Line)) error {
		end := make(chan struct{})
		select {
		case streams <- stream{watching, line, end}:
		case <-ctx.Done():
			return ctx.Err()
		}
		select {
		case <-end:
		case <-ctx.Done():
		}
		return ctx.Err()
	}
	entry := func(unit, line, text, event string) journal.Entry {
		f := map[string]string{"MESSAGE": text, "_SYSTEMD_UNIT": unit, bridge.FieldLine: line, bridge.FieldRun: "r1"}
		if event != "" {
			f[bridge.FieldSchema], f[bridge.FieldEvent], f[bridge.FieldInstance] = bridge.EventSchema, event, blog.String()
			f["MESSAGE_ID"] = bridge.Event(event).MessageID()
		}
		return journal.NewEntry(time.Unix(1, 0), f)
	}
	tails := New(journal.Origin{}, s)
	v, err := tails.Follow(t.Context(), blog, 10, "")
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	first := <-streams
	first.watching(control.Watching{Run: "r1", Number: 7})
	entries <- entry(blog.Unit(), "7", "seven", "")
	read(t, v, 1) // the keeper's lines are let go
	first.line(control.Line{Run: "r1", Number: 8, Text: "eight \x1b[31m", Source: "debug"})
	lines, _ := read(t, v, 1)
	if lines[0].Text != "eight " || lines[0].Source != "debug" {
		t.Errorf("%+v", lines)
	}
	entries <- entry(blog.Unit(), "8", "eight", "")
	entries <- entry("user@1000.service", "99", "forged", "") // would keep the keeper's lines away
	read(t, v, 1)
	first.line(control.Line{Run: "r1", Number: 9, Text: "nine"})
	read(t, v, 1)
	close(first.end)
	entries <- entry(blog.Unit(), "9", "nine", "")
	entries <- entry(blog.Unit(), "10", "ten", string(bridge.EventReattached))
	second := <-streams
	second.watching(control.Watching{Run: "r1", Number: 10})
	second.line(control.Line{Run: "r1", Number: 11, Text: "eleven"})
	lines, _ = read(t, v, 2)
	if texts := []string{lines[0].Text, lines[1].Text}; !slices.Equal(texts, []string{"ten", "eleven"}) {
		t.Errorf("%q", texts)
	}
}
