package ctl

import (
	"strings"

	"clauster/pkg/terminal"
)

// clean makes foreign text safe to print on one line of an operator's terminal.
func clean(s string) string { return terminal.Clean(s) }

// cleanLines is clean for text of several lines.
func cleanLines(s string) []string {
	var out []string
	for line := range strings.Lines(terminal.StripString(s)) {
		out = append(out, clean(line))
	}
	return out
}
