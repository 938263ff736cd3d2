package ctl

import (
	"encoding/json"
	"fmt"
	"io"
	"strings"
	"time"
	"unicode/utf8"
)

// style colours words on a terminal and leaves them alone elsewhere.
type style struct{ on bool }

func (s style) paint(code, text string) string {
	if !s.on || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func (s style) good(text string) string { return s.paint("32", text) }
func (s style) warn(text string) string { return s.paint("33", text) }
func (s style) bad(text string) string  { return s.paint("31", text) }
func (s style) dim(text string) string  { return s.paint("2", text) }
func (s style) bold(text string) string { return s.paint("1", text) }

// printJSON writes one value, indented, without turning < and & into escapes.
func printJSON(w io.Writer, v any) error {
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	return enc.Encode(v)
}

// cell is one field of a table; paint colours it after it was padded.
type cell struct {
	text  string
	paint func(string) string
}

// table is text in columns. Cells must be clean.
type table struct {
	header []string
	rows   [][]cell
}

func (t *table) add(cells ...cell) { t.rows = append(t.rows, cells) }

func plain(text string) cell { return cell{text: text} }

// write pads every column but the last to its widest cell. Columns that are
// empty everywhere are left out.
func (t *table) write(w io.Writer, s style) error {
	width := make([]int, len(t.header))
	for _, row := range t.rows {
		for i, c := range row {
			width[i] = max(width[i], utf8.RuneCountInString(c.text))
		}
	}
	last := 0
	for i, h := range t.header {
		if width[i] > 0 {
			last, width[i] = i, max(width[i], len(h))
		}
	}
	var b strings.Builder
	line := func(cells []cell) {
		end := last
		for end > 0 && (cells[end].text == "" || width[end] == 0) {
			end-- // no blanks at the end of a line
		}
		for i, c := range cells[:end+1] {
			if width[i] == 0 {
				continue
			}
			text := c.text
			if i < end {
				text += strings.Repeat(" ", width[i]-utf8.RuneCountInString(text))
			}
			if c.paint != nil {
				text = c.paint(text)
			}
			b.WriteString(text)
			if i < end {
				b.WriteString("  ")
			}
		}
		b.WriteByte('\n')
	}
	head := make([]cell, len(t.header))
	for i, h := range t.header {
		head[i] = cell{h, s.bold}
	}
	line(head)
	for _, row := range t.rows {
		line(row)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

// counted renders a number of something.
func counted[N int | uint64](n N, one, several string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, several)
}

// size renders bytes as people read them.
func size(bytes uint64) string {
	const k = 1024
	switch {
	case bytes >= k*k*k:
		return fmt.Sprintf("%.1fG", float64(bytes)/(k*k*k))
	case bytes >= k*k:
		return fmt.Sprintf("%dM", bytes/(k*k))
	case bytes >= k:
		return fmt.Sprintf("%dK", bytes/k)
	}
	return fmt.Sprintf("%dB", bytes)
}

// span renders a duration in its two largest units.
func span(d time.Duration) string {
	d = max(d, 0).Round(time.Second)
	h, m, s := int(d.Hours()), int(d.Minutes())%60, int(d.Seconds())%60
	switch {
	case h >= 48:
		return fmt.Sprintf("%dd%dh", h/24, h%24)
	case h > 0:
		return fmt.Sprintf("%dh%dm", h, m)
	case m > 0:
		return fmt.Sprintf("%dm%ds", m, s)
	}
	return fmt.Sprintf("%ds", s)
}

// stamp renders a time for people, in their zone.
func stamp(t time.Time) string { return t.Local().Format("2006-01-02 15:04:05") }
