package lines

import (
	"sync"
	"time"
)

// The budget of one bridge, unless configured otherwise.
const (
	DefaultRate  = 200  // lines a second
	DefaultBurst = 2000 // lines at once after a silence
)

// SummaryGap is the least time between two summaries of dropped lines.
const SummaryGap = 10 * time.Second

// Budget is a token bucket over lines, with a count of those it refused. It has
// no timer: it lives from the times it is given, which should be monotonic
// (time.Now). Its methods may be called from several goroutines.
type Budget struct {
	rate, burst float64

	mu      sync.Mutex
	tokens  float64
	last    time.Time // of the last refill
	dropped uint64    // since the last summary
	since   time.Time // the first of those was dropped
	told    time.Time // the last summary
}

// NewBudget makes a full bucket of burst lines that refills at rate lines a
// second. A rate of 0 or less lets every line pass; a burst below 1 is 1.
func NewBudget(rate, burst int) *Budget {
	b := &Budget{rate: float64(rate), burst: float64(max(burst, 1))}
	b.tokens = b.burst
	return b
}

// Level is how full the bucket is, for a successor's Restore; it takes account
// of nothing that happened since the last line.
func (b *Budget) Level() (tokens float64, at time.Time) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.tokens, b.last
}

// Restore fills the bucket as a predecessor left it at some time. Without it,
// an agent that kills its keeper again and again would have a full burst each
// time. Impossible values leave the bucket full.
func (b *Budget) Restore(tokens float64, at, now time.Time) {
	gone := now.Sub(at).Seconds()
	if at.IsZero() || !(tokens >= 0) || !(gone >= 0) {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	b.tokens, b.last = min(b.burst, tokens+gone*b.rate), now
}

// Allow reports whether a line may pass now, and counts it if not.
func (b *Budget) Allow(now time.Time) bool {
	if b.rate <= 0 {
		return true
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	// A clock that stepped back refills nothing and takes nothing.
	if gone := now.Sub(b.last); b.last.IsZero() || gone > 0 {
		if !b.last.IsZero() {
			b.tokens = min(b.burst, b.tokens+gone.Seconds()*b.rate)
		}
		b.last = now
	}
	if b.tokens >= 1 {
		b.tokens--
		return true
	}
	if b.dropped == 0 {
		b.since = now
	}
	b.dropped++
	return false
}

// Dropped is a summary of refused lines.
type Dropped struct {
	Lines uint64
	For   time.Duration // from the first of them to the summary
}

// Summary gives what was dropped since the last summary, at most once in
// SummaryGap; ok is false while there is nothing to say. The caller asks with
// the next line, refused or not; when a flood has just ended, Due says when to
// ask once more.
func (b *Budget) Summary(now time.Time) (d Dropped, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped == 0 || now.Before(b.due()) {
		return Dropped{}, false
	}
	return b.take(now), true
}

// Rest gives what was dropped since the last summary, however short ago that
// was: for the end of a run. ok is false if nothing was.
func (b *Budget) Rest(now time.Time) (d Dropped, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped == 0 {
		return Dropped{}, false
	}
	return b.take(now), true
}

// Due is when Summary will have something to say; ok is false if nothing was
// dropped since the last one.
func (b *Budget) Due() (at time.Time, ok bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.dropped == 0 {
		return time.Time{}, false
	}
	return b.due(), true
}

// due lets a flood go on for a moment before the first summary, so that it
// does not say "1 line dropped".
func (b *Budget) due() time.Time {
	at := b.since.Add(time.Second)
	if next := b.told.Add(SummaryGap); !b.told.IsZero() && next.After(at) {
		return next
	}
	return at
}

func (b *Budget) take(now time.Time) Dropped {
	d := Dropped{Lines: b.dropped, For: now.Sub(b.since)}
	b.dropped, b.told = 0, now
	return d
}
