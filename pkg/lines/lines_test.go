package lines

import (
	"bytes"
	"math"
	"strings"
	"testing"
	"time"
	"unicode"
	"unicode/utf8"

	"clauster/pkg/claude"
)

func TestBudget(t *testing.T) {
	now := time.Unix(1000, 0)
	b := NewBudget(200, 2000)
	pass := func(n int) (passed int) {
		for range n {
			if b.Allow(now) {
				passed++
			}
		}
		return passed
	}
	if got := pass(5000); got != 2000 {
		t.Errorf("burst of %d, want 2000", got)
	}
	now = now.Add(500 * time.Millisecond)
	if got := pass(5000); got != 100 {
		t.Errorf("%d lines after half a second, want 100", got)
	}
	now = now.Add(-time.Hour) // the clock stepped back
	if got := pass(10); got != 0 {
		t.Errorf("%d lines out of a step back", got)
	}
	now = now.Add(time.Hour + 24*time.Hour)
	if got := pass(5000); got != 2000 {
		t.Errorf("%d lines after a day, want 2000", got)
	}
	// A line each 5 ms is 200 a second, for ever.
	for range 1000 {
		now = now.Add(5 * time.Millisecond)
		if pass(1) != 1 {
			t.Fatal("a line within the rate was dropped")
		}
	}
}

func TestBudgetWithoutLimit(t *testing.T) {
	b := NewBudget(0, 0)
	for range 100000 {
		if !b.Allow(time.Time{}) {
			t.Fatal("dropped")
		}
	}
	if _, ok := b.Due(); ok {
		t.Error("something is due")
	}
}

func TestSummary(t *testing.T) {
	start := time.Unix(1000, 0)
	b := NewBudget(1, 1)
	at := func(seconds float64) time.Time { return start.Add(time.Duration(seconds * float64(time.Second))) }
	expect := func(seconds float64, lines uint64) {
		t.Helper()
		d, ok := b.Summary(at(seconds))
		if d.Lines != lines || ok != (lines > 0) {
			t.Errorf("at %vs: %d lines dropped (%v), want %d", seconds, d.Lines, ok, lines)
		}
	}
	b.Allow(at(0))
	expect(0, 0)
	for range 7 {
		b.Allow(at(0.1))
	}
	if due, ok := b.Due(); !ok || !due.Equal(at(1.1)) {
		t.Errorf("due %v %v", due, ok)
	}
	expect(0.5, 0)
	expect(1.2, 7)
	expect(1.3, 0)
	for range 3 {
		b.Allow(at(1.2))
	}
	expect(5, 0)
	expect(11.2, 2) // one of the three passed
	b.Allow(at(11.2))
	b.Allow(at(11.2))
	if d, ok := b.Rest(at(11.3)); !ok || d.Lines != 1 {
		t.Errorf("rest %+v %v", d, ok)
	}
	if _, ok := b.Rest(at(12)); ok {
		t.Error("a second rest")
	}
}

func TestPriority(t *testing.T) {
	for line, want := range map[string]int{
		"2026-11-21T19:01:37.229Z [ERROR] x":   3,
		"2026-11-21T19:01:37.229Z [WARN] x":    4,
		"2026-11-21T19:01:37.229Z [INFO] x":    6,
		"2026-11-21T19:01:37.229Z [DEBUG] x":   7,
		"2026-11-21T19:01:37.229Z [VERBOSE] x": 7,
		"[ERROR] somebody else's line":         6,
	} {
		l, _ := claude.SplitLine([]byte(line))
		if got := Priority(l.Level); got != want {
			t.Errorf("%q: %d, want %d", line, got, want)
		}
	}
}

func TestClean(t *testing.T) {
	long := strings.Repeat("é", MaxText)
	for in, want := range map[string]string{
		"":                                   "",
		"plain [DEBUG] text":                 "plain [DEBUG] text",
		"tab\tand CR\r":                      "tab and CR",
		"\x1b[31mred\x1b[0m":                 "red",
		"\x1b]0;title\x07after":              "after",
		"\x1b]8;;http://x\x1b\\link":         "link",
		"bell\x07 back\x08 del\x7f nul\x00.": "bell back del nul.",
		"bad \xff\xfe":                       "bad \ufffd\ufffd",
		"c1 \u009b31m":                       "c1",
		"evil \u202egnp.exe\u2066":           "evil gnp.exe",
		"zero\u200bwidth\ufeff":              "zerowidth",
		"family 👩\u200d👧 ünï":                "family 👩\u200d👧 ünï",
		"a\u2028b":                           "a b",
		long:                                 long[:MaxText] + " … [cut; the line has 16384 bytes]",
		"x" + long:                           "x" + long[:MaxText-2] + " … [cut; the line has 16385 bytes]",
		strings.Repeat("a", MaxText+1):       strings.Repeat("a", MaxText) + " … [cut; the line has 8193 bytes]",
		strings.Repeat("a", MaxText):         strings.Repeat("a", MaxText),
		strings.Repeat("\x1b[m", MaxText*4):  " … [cut; the line has 98304 bytes]",
	} {
		got := string(Clean([]byte(in)))
		if strings.HasPrefix(in, "c1") { // dropped, with or without its parameters
			got = strings.TrimSuffix(strings.TrimSpace(got), "31m")
			got = strings.TrimSpace(got)
		}
		if got != want {
			t.Errorf("%.60q: got %.60q…%q, want %.60q", in, got, got[max(0, len(got)-40):], want)
		}
	}
}

func FuzzClean(f *testing.F) {
	f.Add([]byte("\x1b[31m\xc2\x9b\xe2\x80\xae\xff"), uint16(1))
	f.Add([]byte("é\xf0\x9f"), uint16(9000))
	f.Fuzz(func(t *testing.T, piece []byte, times uint16) {
		if len(piece)*int(times) > 1<<18 {
			return
		}
		line := bytes.Repeat(piece, int(times))
		before := bytes.Clone(line)
		got := Clean(line)
		if !bytes.Equal(line, before) {
			t.Fatal("the line was changed in place")
		}
		if !utf8.Valid(got) || len(got) > MaxText+64 {
			t.Fatalf("%d bytes, %q", len(got), got)
		}
		for _, r := range string(got) {
			if unicode.IsControl(r) || r >= 0x202a && r <= 0x202e || r >= 0x2066 && r <= 0x2069 {
				t.Fatalf("%U came through in %q", r, got)
			}
		}
	})
}

func BenchmarkClean(b *testing.B) {
	line := []byte("2026-11-21T19:01:37.229Z [DEBUG] [bridge:api] POST /v1/environments/bridge -> 200")
	b.ReportAllocs()
	for b.Loop() {
		Clean(line)
	}
}

func BenchmarkBudget(b *testing.B) {
	budget, now := NewBudget(DefaultRate, DefaultBurst), time.Now()
	b.ReportAllocs()
	for b.Loop() {
		budget.Allow(now)
	}
}

// A budget goes on where a predecessor's was, and never has more than a burst.
func TestBudgetRestored(t *testing.T) {
	at := time.Unix(1000, 0)
	for _, c := range []struct {
		tokens float64
		gone   time.Duration
		want   int
	}{
		{0, 0, 0}, {0, time.Second, 10}, {5.5, 100 * time.Millisecond, 6}, {90, time.Hour, 100},
		{-1, 0, 100}, {math.NaN(), 0, 100}, {math.Inf(1), 0, 100}, {0, -time.Second, 100},
	} {
		b := NewBudget(10, 100)
		now := at.Add(c.gone)
		b.Restore(c.tokens, at, now)
		got := 0
		for b.Allow(now) {
			got++
		}
		if got != c.want {
			t.Errorf("%v tokens, %v later: %d lines", c.tokens, c.gone, got)
		}
	}
}
