package tail

import (
	"slices"
	"sync"

	"clauster/pkg/control"
	"clauster/pkg/wire"
)

// Bounds of a merge.
const (
	maxHeld      = 1024    // lines of a keeper that wait for the journal
	maxHeldBytes = 1 << 20 // of their text
	maxAhead     = 4096    // numbers that the journal has not given yet
	maxMarks     = 4       // runs whose progress is remembered
)

// number is what a keeper gave an entry; in one run it grows. Zero is none:
// the entry is systemd's, or of a keeper from before there were numbers.
type number struct {
	run string
	n   uint64
}

// merge makes one log of the journal, which is complete and late, and of the
// keeper, which is at once and may break off at any line.
//
// The journal decides what there is. A line of the keeper is added if it is
// ahead of everything that the journal has given; its number is kept until the
// journal's copy comes, which is then dropped. So a keeper that ends or leaves
// out lines costs time and no line. For the order's sake the keeper's lines are
// held until the journal has come to where they begin.
type merge struct {
	add func(wire.LogLine)

	mu    sync.Mutex
	marks []number // the largest number that the journal has given, newest run last
	ahead []uint64 // numbers of lines added from the keeper alone, ascending
	start number   // where the keeper's lines begin
	held  []heldLine
	bytes int  // of text held
	open  bool // the journal has come to start
}

type heldLine struct {
	number number
	line   wire.LogLine
}

// fromJournal takes an entry of the journal.
func (m *merge) fromJournal(n number, l wire.LogLine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if n.n == 0 {
		m.add(l)
		return
	}
	m.mark(n)
	if at, known := slices.BinarySearch(m.ahead, n.n); known {
		m.ahead = slices.Delete(m.ahead, at, at+1)
	} else {
		m.add(l)
	}
	m.tryOpen()
}

// watching is told that the keeper's lines go on behind a number.
func (m *merge) watching(w control.Watching) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.hold(number{w.Run, w.Number})
	m.tryOpen()
}

// fromKeeper takes a line of the keeper.
func (m *merge) fromKeeper(of control.Line, l wire.LogLine) {
	m.mu.Lock()
	defer m.mu.Unlock()
	m.take(heldLine{number{of.Run, of.Number}, l})
}

// hold leaves everything up to a number to the journal.
func (m *merge) hold(until number) {
	m.start, m.open, m.held, m.bytes = until, false, nil, 0
}

// tryOpen lets the held lines go once the journal has come to where they begin.
func (m *merge) tryOpen() {
	if m.open || m.start.run == "" || m.top(m.start.run) < m.start.n {
		return
	}
	held := m.held
	m.open, m.held, m.bytes = true, nil, 0
	for _, h := range held {
		m.take(h)
	}
}

func (m *merge) take(h heldLine) {
	switch {
	case h.number.run != m.start.run || h.number.n == 0: // the journal will tell
	case !m.open && (len(m.held) == maxHeld || m.bytes+len(h.line.Text) > maxHeldBytes):
		m.hold(h.number)
	case !m.open:
		m.held = append(m.held, h)
		m.bytes += len(h.line.Text)
	case h.number.n <= m.top(h.number.run): // the journal was quicker
	case len(m.ahead) > 0 && h.number.n <= m.ahead[len(m.ahead)-1]: // not in order: no keeper of ours
	case !m.room():
		m.hold(h.number)
	default:
		m.ahead = append(m.ahead, h.number.n)
		m.add(h.line)
	}
}

// room makes sure that one more number can be kept. Those that the journal has
// passed will never come: journald dropped the entries.
func (m *merge) room() bool {
	if len(m.ahead) == maxAhead {
		passed, _ := slices.BinarySearch(m.ahead, m.top(m.start.run))
		m.ahead = slices.Delete(m.ahead, 0, passed)
	}
	return len(m.ahead) < maxAhead
}

// mark remembers how far the journal is in a run.
func (m *merge) mark(n number) {
	for k := range m.marks {
		if m.marks[k].run == n.run {
			m.marks[k].n = max(m.marks[k].n, n.n)
			return
		}
	}
	if len(m.marks) == maxMarks {
		m.marks = slices.Delete(m.marks, 0, 1)
	}
	m.marks = append(m.marks, n)
}

// top is how far the journal is in a run.
func (m *merge) top(run string) uint64 {
	for _, known := range m.marks {
		if known.run == run {
			return known.n
		}
	}
	return 0
}
