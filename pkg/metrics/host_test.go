package metrics

import (
	"testing"
	"time"
)

func TestParseTimes(t *testing.T) {
	got, err := parseTimes([]byte("cpu  10 0 20 60 10 0 0 0 5 0\ncpu0 1 2 3\n"))
	if err != nil || got.all != 100 || got.busy != 30 {
		t.Errorf("%+v %v", got, err)
	}
	if _, err := parseTimes([]byte("intr 1 2 3")); err == nil {
		t.Error("no error")
	}
}

func TestParseMemory(t *testing.T) {
	used, total := parseMemory([]byte("MemTotal:        2048 kB\nMemFree: 1 kB\nMemAvailable:    1024 kB\n"))
	if used != 1<<20 || total != 2<<20 {
		t.Errorf("%d of %d", used, total)
	}
}

func FuzzHost(f *testing.F) {
	f.Add([]byte("cpu  10 0 20 60 10 0 0 0 5 0\nMemTotal: 2 kB\nMemAvailable: 1 kB\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		if c, err := parseTimes(data); err == nil && c.busy > c.all && c.all > 0 {
			t.Skip() // an overflow of 64 bits: 5 billion years of ticks
		}
		if used, total := parseMemory(data); used < 0 || total < 0 {
			t.Errorf("%d of %d", used, total)
		}
	})
}

func TestQuantile(t *testing.T) {
	traffic := NewTraffic()
	if traffic.Quantile(0.5) != 0 {
		t.Error("a quantile of nothing")
	}
	for range 98 {
		traffic.Observe("GET /x", 200, 2*time.Millisecond)
	}
	traffic.Observe("GET /x", 403, time.Second)
	traffic.Observe("GET /x", 200, 1000*time.Hour)
	for q, want := range map[float64]time.Duration{0.5: 2 * time.Millisecond, 0.99: time.Second} {
		if got := traffic.Quantile(q); got < want || got > want*11/10 {
			t.Errorf("%v: %v, want %v", q, got, want)
		}
	}
	if all, denied := traffic.Totals(); all != 100 || denied != 1 {
		t.Errorf("%d %d", all, denied)
	}
}
