package journal

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// Query selects entries. The zero value selects everything.
type Query struct {
	Matches []string  // FIELD=value, and "+" for or, as journalctl takes them
	Lines   int       // the last N; 0 all, -1 none of the past
	Since   time.Time // zero: from the beginning
	After   string    // cursor of the last entry that is not wanted any more
	Reverse bool      // newest first
	Fields  []string  // only these, where given (journald's __ ones always)
}

// ErrNoJournal is wrapped by errors that mean "journalctl cannot be run".
var ErrNoJournal = errors.New("the journal cannot be read")

// ErrStop ends a Read or Follow from its callback without an error.
var ErrStop = errors.New("stop reading")

// Read gives each matching entry to f, in order, and returns at the end of the
// journal, at f's first error (ErrStop becomes nil), or with the context. Entries
// that cannot be decoded are passed over.
func Read(ctx context.Context, q Query, f func(Entry) error) error {
	return run(ctx, q.args(), f)
}

func (q Query) args() []string {
	args := []string{"--output=json", "--all", "--no-pager", "--quiet"}
	switch {
	case q.Lines > 0:
		args = append(args, "--lines="+strconv.Itoa(q.Lines))
	case q.Lines < 0:
		args = append(args, "--lines=0")
	case !q.Reverse:
		args = append(args, "--lines=all") // --follow alone would mean 10
	}
	if !q.Since.IsZero() {
		args = append(args, fmt.Sprintf("--since=@%d.%06d", q.Since.Unix(), q.Since.Nanosecond()/1000))
	}
	if q.After != "" { // an empty cursor is refused
		args = append(args, "--after-cursor="+q.After)
	}
	if q.Reverse {
		args = append(args, "--reverse")
	}
	if len(q.Fields) > 0 {
		args = append(args, "--output-fields="+strings.Join(q.Fields, ","))
	}
	return append(args, q.Matches...)
}

// run starts journalctl and feeds f. No --system or --user: a keeper that has
// dropped its privileges logs into the file of its uid, and journalctl then
// reads only half; the matches decide instead.
func run(ctx context.Context, args []string, f func(Entry) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	cmd := exec.CommandContext(ctx, "journalctl", args...)
	cmd.Env = append(os.Environ(), "LC_ALL=C", "SYSTEMD_COLORS=0")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // the terminal's ^C is for us
	cmd.WaitDelay = time.Second
	stderr := &head{limit: 4096}
	cmd.Stderr = stderr
	out, err := cmd.StdoutPipe()
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoJournal, err)
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("%w: %w", ErrNoJournal, err)
	}
	readErr := readEntries(out, f)
	if readErr != nil {
		cancel() // there is more to come that nobody wants
	}
	waitErr := cmd.Wait()
	switch {
	case errors.Is(readErr, ErrStop):
		return nil
	case readErr != nil:
		return readErr
	case ctx.Err() != nil:
		return ctx.Err()
	case waitErr != nil:
		return fmt.Errorf("%w: journalctl: %w: %s", ErrNoJournal, waitErr, stderr)
	}
	return nil
}

// readEntries decodes lines of bounded length until the end.
func readEntries(r io.Reader, f func(Entry) error) error {
	br := bufio.NewReaderSize(r, 64<<10)
	for {
		line, err := boundedLine(br)
		if len(line) > 0 {
			if e, bad := DecodeEntry(line); bad == nil {
				if err := f(e); err != nil {
					return err
				}
			}
		}
		if errors.Is(err, io.EOF) || errors.Is(err, os.ErrClosed) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// boundedLine reads to the next newline; of a line longer than MaxEntry it
// gives nothing. The slice is valid until the next call.
func boundedLine(br *bufio.Reader) ([]byte, error) {
	line, err := br.ReadSlice('\n')
	if !errors.Is(err, bufio.ErrBufferFull) {
		return bytes.TrimRight(line, "\n"), err
	}
	long := append([]byte(nil), line...)
	for errors.Is(err, bufio.ErrBufferFull) {
		line, err = br.ReadSlice('\n')
		if len(long) <= MaxEntry { // one piece more than allowed tells "too long"
			long = append(long, line...)
		}
	}
	if len(long) > MaxEntry {
		return nil, err
	}
	return bytes.TrimRight(long, "\n"), err
}

// head keeps the beginning of what is written to it.
type head struct {
	limit int
	buf   bytes.Buffer
}

func (h *head) Write(p []byte) (int, error) {
	if room := h.limit - h.buf.Len(); room > 0 {
		h.buf.Write(p[:min(room, len(p))])
	}
	return len(p), nil
}

func (h *head) String() string { return strings.TrimSpace(h.buf.String()) }
