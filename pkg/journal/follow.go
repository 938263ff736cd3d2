package journal

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"strings"
	"sync"
	"time"
)

// pause is how long a follower waits before it runs a journalctl that ended
// again; it doubles up to maxPause while nothing is read.
const (
	pause    = 500 * time.Millisecond
	maxPause = 30 * time.Second

	steady = 5 * time.Second // a journalctl that has run for so long is well
)

// Follow is Read that goes on with what is written later, until f's first
// error or the end of ctx. When journalctl ends (journald was restarted, the
// files were rotated away) it is run again after the last entry that was seen.
func Follow(ctx context.Context, q Query, f func(Entry) error) error {
	return Follower{Query: q}.Run(ctx, f)
}

// Follower is Follow for readers that must miss nothing.
type Follower struct {
	Query Query
	// Lost, where it is set, is called when the entry at Query.After is not in
	// the journal any more: vacuumed, rotated away, not yet on the disk when
	// the power went. The journal is then read from its beginning, so the
	// reader drops what it knows by event id. (Not by time: clocks jump. Not
	// by what is nearest: journalctl's --after-cursor passes over one entry
	// without a word when its own is gone, and looks for its number, which is
	// given out again after a power cut.) Its error ends Run.
	Lost func() error
	// Trouble, where it is set, hears why a journalctl ended; it is run again.
	// nil says that the next one goes on well.
	Trouble func(error)
}

// Run gives each entry to f, as Follow does.
func (w Follower) Run(ctx context.Context, f func(Entry) error) error {
	q, wait := w.Query, pause
	var last Entry
	troubled := false
	for {
		seen := false
		var over *time.Timer
		if troubled {
			over = time.AfterFunc(steady, func() { w.Trouble(nil) })
		}
		lost, err := w.once(ctx, q, func(e Entry) error {
			last, seen = e, true
			if err := f(e); err != nil {
				return &callbackError{err}
			}
			return nil
		})
		if over != nil && !over.Stop() {
			troubled = false
		}
		var from *callbackError
		switch {
		case errors.As(err, &from) && errors.Is(from.err, ErrStop):
			return nil
		case errors.As(err, &from):
			return from.err
		case ctx.Err() != nil:
			return ctx.Err()
		case lost:
			if err := w.Lost(); err != nil {
				return err
			}
			q.After, q.Since, q.Lines = "", time.Time{}, 0
			continue
		case errors.Is(err, exec.ErrNotFound), errors.Is(err, fs.ErrPermission):
			return err
		}
		if err != nil && w.Trouble != nil {
			w.Trouble(err)
			troubled = true
		}
		if seen {
			wait = pause
		}
		q = w.resume(q, last, err)
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(wait):
		}
		wait = min(2*wait, maxPause)
	}
}

// callbackError marks an error that came from the caller's function.
type callbackError struct{ err error }

func (e *callbackError) Error() string { return e.err.Error() }

// resume continues a query after the last entry. Without Lost, a run that
// failed may have failed on its cursor, whose file is gone: the time stands in
// for it, at the price of a repeat, which carries the same event id.
func (w Follower) resume(q Query, last Entry, failure error) Query {
	if last.Cursor == "" {
		return q
	}
	q.Lines = 0
	if w.Lost == nil && failure != nil && q.After == last.Cursor {
		q.After, q.Since = "", last.Time
		return q
	}
	q.After, q.Since = last.Cursor, time.Time{}
	return q
}

// once is one run of journalctl. Whether the cursor still leads anywhere is
// asked by a second one at its side; entries wait for the answer.
func (w Follower) once(ctx context.Context, q Query, f func(Entry) error) (lost bool, err error) {
	args := followArgs(q, machineID())
	if w.Lost == nil || q.After == "" {
		return false, run(ctx, args, f)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var known bool
	answered := make(chan struct{})
	var wg sync.WaitGroup
	wg.Go(func() {
		defer close(answered)
		if known, err = Known(ctx, q.After, q.Matches); !known {
			cancel()
		}
	})
	runErr := run(ctx, args, func(e Entry) error {
		<-answered
		if !known {
			return ErrStop
		}
		return f(e)
	})
	wg.Wait()
	switch {
	case known:
		return false, runErr
	case err != nil:
		return false, err // the journal cannot be read now
	}
	return true, nil
}

// followArgs are journalctl's. A --follow shows the present boot alone, so that
// what was written between the entry at q.After and a shutdown would never be
// seen, and in a container with a mount namespace of our own (ProtectKernelTunables=
// brings the host's boot_id back) nothing at all. --merge lifts that, and brings
// in journals that were received from other machines: they are kept out by name.
func followArgs(q Query, machine string) []string {
	if machine == "" {
		return append(q.args(), "--follow")
	}
	var matches []string
	own := "_MACHINE_ID=" + machine
	for n, m := range q.Matches {
		if n == 0 || m == "+" {
			if m == "+" {
				matches = append(matches, m)
			}
			matches = append(matches, own)
		}
		if m != "+" {
			matches = append(matches, m)
		}
	}
	if len(q.Matches) == 0 {
		matches = []string{own}
	}
	q.Matches = matches
	return append(q.args(), "--follow", "--merge")
}

// machineID is this machine's, "" where it has none (machine-id(5)).
func machineID() string {
	data, err := os.ReadFile("/etc/machine-id")
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(data))
}

// Known reports whether the entry with this cursor, one that matches, is in
// the journal.
func Known(ctx context.Context, cursor string, matches []string) (bool, error) {
	return After(ctx, Query{After: cursor, Matches: matches, Fields: []string{"MESSAGE_ID"}}, func(Entry) error { return ErrStop })
}

// After is Read of what comes behind an entry, given by q.After, that has to be
// there: where it is not, known is false and f is not called. It sees entries
// at once, while journald tells those who follow only every 250 ms.
func After(ctx context.Context, q Query, f func(Entry) error) (known bool, err error) {
	cursor := q.After
	q.After = ""
	// --cursor= begins with that very entry, or with a later one.
	err = run(ctx, append([]string{"--cursor=" + cursor}, q.args()...), func(e Entry) error {
		if !known {
			if known = sameEntry(e.Cursor, cursor); known {
				return nil
			}
			return ErrStop
		}
		return f(e)
	})
	if err != nil && !known && strings.Contains(err.Error(), "seek to cursor") {
		return false, nil // it was never one
	}
	return known, err
}

// sameEntry compares cursors by boot, both clocks and the hash of the fields.
// File and number change when journald moves its entries from /run to /var.
func sameEntry(x, y string) bool {
	if x == y {
		return x != ""
	}
	a, b := cursorParts(x), cursorParts(y)
	for _, key := range [...]string{"b", "m", "t", "x"} {
		if a[key] == "" || a[key] != b[key] {
			return false
		}
	}
	return true
}

// cursorParts takes s=…;i=…;b=…;m=…;t=…;x=… apart.
func cursorParts(cursor string) map[string]string {
	parts := map[string]string{}
	for part := range strings.SplitSeq(cursor, ";") {
		if key, value, ok := strings.Cut(part, "="); ok {
			parts[key] = value
		}
	}
	return parts
}
