// Package journal writes Clauster's events and log lines to systemd-journald
// and reads them back.
//
// Writing speaks journald's native protocol over one datagram socket from a
// goroutine that the Writer owns: no caller ever waits for journald. Lines are
// dropped and counted when the bounded queue is full; events are kept and sent
// again while journald is away. go-systemd's journal.Send is not used: it
// writes to an unconnected socket, on which Go waits for room without being
// woken (for ever), and it keeps a package-level socket.
//
// Reading runs journalctl -o json: no maintained pure-Go reader exists and the
// C library needs cgo. What it prints was written by anybody: entries are
// decoded within bounds, and an event counts only when Trusted says so, by the
// fields that journald itself attaches.
package journal
