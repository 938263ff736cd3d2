package claude

import (
	"hash/fnv"
	"slices"
	"strings"
)

// seenSet remembers the last lines it was shown, so that a redraw is told from
// news. The zero value is ready.
type seenSet struct {
	hashes [64]uint64
	next   int
}

// add reports whether the text is new.
func (s *seenSet) add(text string) bool {
	h := fnv.New64a()
	h.Write([]byte(text))
	sum := h.Sum64() | 1 // never the empty slot
	if slices.Contains(s.hashes[:], sum) {
		return false
	}
	s.hashes[s.next] = sum
	s.next = (s.next + 1) % len(s.hashes)
	return true
}

const (
	historyLines = 60
	historyBytes = 12 << 10
	historyLine  = 1000
)

// history holds the last distinct lines.
type history struct {
	lines []string
	size  int
	pane  string // the pane line among them: only the newest is kept
}

func (h *history) add(line string, pane bool) {
	line = clip(line, historyLine)
	if pane && h.pane != "" {
		h.remove(h.pane)
	}
	if pane {
		h.pane = strings.Clone(line)
	}
	if slices.Contains(h.lines, line) {
		return
	}
	h.lines = append(h.lines, strings.Clone(line))
	h.size += len(line)
	for len(h.lines) > historyLines || h.size > historyBytes {
		h.size -= len(h.lines[0])
		h.lines = slices.Delete(h.lines, 0, 1)
	}
}

func (h *history) remove(line string) {
	if i := slices.Index(h.lines, line); i >= 0 {
		h.size -= len(line)
		h.lines = slices.Delete(h.lines, i, i+1)
	}
}

func (h *history) text(last string) string {
	lines := h.lines
	if last = clean(strings.ToValidUTF8(last, "\uFFFD")); last != "" {
		lines = append(slices.Clone(lines), clip(last, historyLine))
	}
	return strings.Join(lines, "\n")
}
