package keeper

import (
	"strconv"
	"sync"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/journal"
)

// ledger numbers what goes to the journal and shows it to watchers: journald
// tells those who follow it a quarter of a second later only. Its methods may
// be called from several goroutines and never wait for a watcher.
//
// A number is the time since boot in nanoseconds, or the number before and one:
// it needs no memory to grow across keepers and reloads, none of which comes
// within the nanosecond, and a run does not outlive its boot.
type ledger struct {
	*journal.Writer

	mu       sync.Mutex // from numbering to queueing, so that there is one order
	last     uint64
	watchers [maxWatchers]*watcher
}

func newLedger(w *journal.Writer) *ledger { return &ledger{Writer: w, last: sinceBoot()} }

// sinceBoot counts the time asleep, as systemd's clocks do.
func sinceBoot() uint64 {
	var t unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &t) // cannot fail on a kernel that systemd runs on
	return uint64(t.Nano())
}

// Line is journal.Writer's, with the number added to f. A line for which the
// journal has no room has none and is shown to nobody.
func (g *ledger) Line(p journal.Priority, text string, f fields) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.number(f)
	if !g.Writer.Line(p, text, f) {
		return false
	}
	g.show(n, p, "", text, f)
	return true
}

// Event is journal.Writer's, with the number added to e.Fields.
func (g *ledger) Event(e journal.Event) {
	g.mu.Lock()
	defer g.mu.Unlock()
	n := g.number(e.Fields)
	g.Writer.Event(e)
	g.show(n, journal.PriorityOf(e.Name), e.Name, e.Message, e.Fields)
}

// number is the next entry's; it counts once it is shown.
func (g *ledger) number(f fields) uint64 {
	n := max(sinceBoot(), g.last+1)
	f[bridge.FieldLine] = strconv.FormatUint(n, 10)
	return n
}

func (g *ledger) show(n uint64, p journal.Priority, e bridge.Event, text string, f fields) {
	g.last = n
	var line control.Line
	for _, w := range g.watchers {
		if w == nil {
			continue
		}
		if line.Number == 0 {
			line = control.Line{Run: f[bridge.FieldRun], Number: n, At: time.Now().UTC(), Priority: int(p),
				Source: f[bridge.FieldSource], Event: string(e), Text: text}
		}
		w.take(line)
	}
}
