package journal

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"clauster/pkg/bridge"
)

// Bounds of a Writer's queue. Lines are refused beyond MaxQueuedLines or
// MaxQueuedBytes; events only beyond MaxQueuedEvents, which takes a journald
// that has been away through hundreds of lifecycle changes.
const (
	MaxQueuedLines  = 2048
	MaxQueuedEvents = 1024
	MaxQueuedBytes  = 2 << 20
	MaxLine         = 48 << 10 // of one line's text; the rest is cut off (journald's own LineMax)
)

// Options of a Writer.
type Options struct {
	Identifier string // SYSLOG_IDENTIFIER
	Base       Fields // added to everything, unless given again
	Socket     string // default /run/systemd/journal/socket
}

// Event is one lifecycle event to be written.
type Event struct {
	Name     bridge.Event
	ID       string   // "" makes a new one; a repeat carries the first one's
	Message  string   // one plain sentence
	Priority Priority // 0: by the event's name
	Fields   Fields
	Must     bool // never refused for a full queue; for the few events of a run that may not be lost
}

// Writer sends entries to journald. Its methods may be called from several
// goroutines and never wait, except Flush and Close.
type Writer struct {
	opts Options
	out  *outlet

	mu      sync.Mutex
	queue   []message
	lines   int // queued
	events  int // queued
	bytes   int // queued, of lines
	stats   Stats
	closing bool

	wake chan struct{} // there is something to send, or to end
	idle chan struct{} // closed and replaced each time the queue runs empty
	done chan struct{} // the goroutine has ended
}

// Stats count what became of the entries since the Writer was made.
type Stats struct {
	Sent       uint64
	LinesLost  uint64 // queue full, or refused by the kernel
	EventsLost uint64 // MaxQueuedEvents reached, or refused by the kernel
}

type message struct {
	data  []byte
	event bool
	must  bool
}

// NewWriter starts a Writer; Close ends it. It connects when the first entry
// comes, so it always succeeds.
func NewWriter(o Options) *Writer {
	if o.Socket == "" {
		o.Socket = "/run/systemd/journal/socket"
	}
	w := &Writer{
		opts: o,
		out:  &outlet{path: o.Socket},
		wake: make(chan struct{}, 1),
		idle: make(chan struct{}),
		done: make(chan struct{}),
	}
	go w.run()
	return w
}

// Event queues an event and returns its id.
func (w *Writer) Event(e Event) string {
	if e.ID == "" {
		e.ID = NewID(time.Now())
	}
	if e.Priority == 0 {
		e.Priority = PriorityOf(e.Name)
	}
	data := w.encode(e.Priority, e.Message, e.Fields, Fields{
		"MESSAGE_ID":        e.Name.MessageID(),
		bridge.FieldSchema:  bridge.EventSchema,
		bridge.FieldEvent:   string(e.Name),
		bridge.FieldEventID: e.ID,
	})
	w.put(message{data, true, e.Must})
	return e.ID
}

// PriorityOf is what an event is logged at.
func PriorityOf(e bridge.Event) Priority {
	switch e {
	case bridge.EventCrash, bridge.EventError:
		return Err
	case bridge.EventWarning, bridge.EventDropped, bridge.EventFallback, bridge.EventDelayed, bridge.EventAPIError:
		return Warning
	case bridge.EventHealth, bridge.EventRequested:
		return Info
	}
	return Notice
}

// Line queues one line of log. It reports false when the queue was full and
// the line was dropped.
func (w *Writer) Line(p Priority, text string, fields Fields) bool {
	if len(text) > MaxLine {
		text = text[:MaxLine]
	}
	return w.put(message{data: w.encode(p, text, fields, nil)})
}

// encode renders an entry; of a field given twice the later argument's counts.
func (w *Writer) encode(p Priority, text string, fields, fixed Fields) []byte {
	if p == 0 {
		p = Info
	}
	b := make([]byte, 0, 512+len(text))
	b = appendField(b, "PRIORITY", strconv.Itoa(int(p)))
	if text == "" {
		text = " " // journald accepts no entry without a message in most tools
	}
	b = appendField(b, "MESSAGE", text)
	if _, given := fields["SYSLOG_IDENTIFIER"]; !given {
		b = appendField(b, "SYSLOG_IDENTIFIER", w.opts.Identifier)
	}
	for k, v := range w.opts.Base {
		_, given := fields[k]
		if _, is := fixed[k]; !given && !is {
			b = appendField(b, k, v)
		}
	}
	for k, v := range fields {
		if _, is := fixed[k]; !is {
			b = appendField(b, k, v)
		}
	}
	for k, v := range fixed {
		b = appendField(b, k, v)
	}
	return b
}

func (w *Writer) put(m message) bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	switch {
	case m.event && (w.closing || w.events >= MaxQueuedEvents && !m.must):
		w.stats.EventsLost++
		return false
	case m.event:
		w.events++
	case w.closing || w.lines >= MaxQueuedLines || w.bytes+len(m.data) > MaxQueuedBytes:
		w.stats.LinesLost++
		return false
	default:
		w.lines++
		w.bytes += len(m.data)
	}
	w.queue = append(w.queue, m)
	w.poke()
	return true
}

func (w *Writer) poke() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// Stats gives the counters.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.stats
}

// Flush waits until everything queued has been read by journald, or ctx ends.
// Reading matters: journald looks the sender up in /proc when it reads, and an
// entry whose sender is gone carries no unit, so it is not believed.
func (w *Writer) Flush(ctx context.Context) error {
	for {
		w.mu.Lock()
		idle, left := w.idle, len(w.queue)
		w.mu.Unlock()
		if left == 0 {
			break
		}
		select {
		case <-idle:
		case <-w.done:
			return fmt.Errorf("cannot write to the journal: the writer is closed with %d entries unsent", left)
		case <-ctx.Done():
			return fmt.Errorf("cannot write to the journal: %d entries unsent: %w", left, ctx.Err())
		}
	}
	return w.out.drained(ctx)
}

// Close flushes as Flush does and ends the Writer; entries that come later are
// lost. It may be called once.
func (w *Writer) Close(ctx context.Context) error {
	err := w.Flush(ctx)
	w.mu.Lock()
	w.closing = true
	w.mu.Unlock()
	w.out.abandon()
	w.poke()
	<-w.done
	return err
}
