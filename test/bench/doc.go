// Package bench measures Clauster on a real machine against its goals and
// writes the table of docs/performance.md (make bench). Everything in a table
// comes from one run on one machine: ratios mean something, absolute times are
// those of that machine. Nothing here fails for being slow; it fails only when
// it cannot measure. The peer is the Python product; where PyPI is reached it is
// measured in the same run.
package bench
