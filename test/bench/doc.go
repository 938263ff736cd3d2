// Package bench measures Clauster on a real machine against its goals and
// writes the table of docs/performance.md (make bench). Everything in a table
// comes from one run on one machine: ratios mean something, absolute times are
// those of that machine. Nothing here fails for being slow; it fails only when
// it cannot measure. The peer's figures are those of the Python product,
// measured on a machine of the same kind.
package bench
