package main

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"time"
	"unicode/utf8"
)

// console is standard output. It redraws its pane with cursor-up and erase
// whether or not that is a terminal (claude-cli.md §10.3); safe for several
// goroutines, each write is one.
type console struct {
	mu     sync.Mutex
	out    *os.File
	tty    bool
	plain  bool // a numbered sequence runs: never erase what stands there
	full   bool // a full screen is drawn: panes stay away
	pane   []string
	height int // rows the pane takes now
	// feed ends a pane's row; the TUI sends "\r\n", which a terminal that
	// maps newlines turns into "\r\r\n" (2.1.330 [RAN]).
	feed string
}

func newConsole(out *os.File) *console {
	return &console{out: out, tty: isTerminal(int(out.Fd())), feed: "\n"}
}

// write sends bytes as they are.
func (c *console) write(b []byte) {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, _ = c.out.Write(b)
}

// draw replaces the pane.
func (c *console) draw(lines []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pane = lines
	if !c.full {
		_, _ = c.out.WriteString(c.erase() + c.render())
	}
}

// redraw draws the same pane once more, for a new size.
func (c *console) redraw() {
	c.mu.Lock()
	lines := c.pane
	c.mu.Unlock()
	c.draw(lines)
}

// line prints a lasting line above the pane.
func (c *console) line(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.full {
		return
	}
	_, _ = c.out.WriteString(c.erase() + text + "\n" + c.render())
}

// last prints a line below the pane, which stays as it is from then on.
func (c *console) last(text string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pane, c.height = nil, 0
	_, _ = c.out.WriteString(text + "\n")
}

// event prints a line of what happened, with local time (claude-cli.md §10.3).
func (c *console) event(format string, args ...any) {
	c.line(time.Now().Format("[15:04:05] ") + fmt.Sprintf(format, args...))
}

func (c *console) erase() string {
	if c.height == 0 || c.plain {
		return ""
	}
	return fmt.Sprintf("\x1b[%dA\x1b[0J", c.height)
}

// render lays the pane out at the terminal's width and remembers its height.
func (c *console) render() string {
	width := 0
	if c.tty {
		_, width = windowSize(int(c.out.Fd()))
	}
	var b strings.Builder
	c.height = 0
	for _, line := range c.pane {
		for _, row := range wrap(line, width) {
			b.WriteString(row + c.feed)
			c.height++
		}
	}
	return b.String()
}

// wrap cuts a line hard at width columns, as the CLI does with its link; 0
// means no limit. Escapes take no room.
func wrap(line string, width int) []string {
	if width <= 0 {
		return []string{line}
	}
	var rows []string
	var row strings.Builder
	used := 0
	for i := 0; i < len(line); {
		if n := escapeLength(line[i:]); n > 0 {
			row.WriteString(line[i : i+n])
			i += n
			continue
		}
		r, n := utf8.DecodeRuneInString(line[i:])
		if r != '\ufe0e' { // a variation selector takes no room
			if used == width {
				rows = append(rows, row.String())
				row.Reset()
				used = 0
			}
			used++
		}
		row.WriteString(line[i : i+n])
		i += n
	}
	return append(rows, row.String())
}

// escapeLength is how many bytes of an SGR, CSI or OSC sequence stand at the
// beginning of s.
func escapeLength(s string) int {
	if len(s) < 2 || s[0] != 0x1b {
		return 0
	}
	switch s[1] {
	case '[':
		for i := 2; i < len(s); i++ {
			if s[i] >= 0x40 && s[i] <= 0x7e {
				return i + 1
			}
		}
	case ']':
		if i := strings.IndexByte(s, '\a'); i >= 0 {
			return i + 1
		}
	}
	return 0
}

// complain writes to standard error, red and reset on a terminal
// (claude-cli.md §3).
func complain(text string) {
	if isTerminal(2) {
		text = "\x1b[0m\x1b[31m" + text + "\x1b[0m"
	}
	fmt.Fprintln(os.Stderr, text)
}

// hastily runs a write but does not wait long: a terminal nobody drains must
// not keep a stopping process alive (claude-cli.md §4).
func hastily(write func()) {
	done := make(chan struct{})
	go func() { defer close(done); write() }()
	select {
	case <-done:
	case <-time.After(200 * time.Millisecond):
	}
}
