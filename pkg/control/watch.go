package control

import (
	"context"
	"encoding/json"
	"fmt"
	"time"
)

// Watching answers a watch request: the Lines that follow have larger numbers
// than Number, and nothing is left out among them. It comes again when a
// watcher did not keep up: what is between its last Line and the new Number is
// in the journal alone.
type Watching struct {
	Run    string `json:"run"`
	Number uint64 `json:"number"`
}

// Line is an entry as it went to the journal: cleaned and redacted.
type Line struct {
	Run      string    `json:"run"`
	Number   uint64    `json:"number"` // its CLAUSTER_LINE
	At       time.Time `json:"at"`
	Priority int       `json:"priority"` // syslog's
	Source   string    `json:"source,omitempty"`
	Event    string    `json:"event,omitempty"`
	Text     string    `json:"text"`
}

// bundle is how many bytes SendLines gives the kernel at once: small writes
// fill a socket's buffer with their bookkeeping, and a reader that is late by a
// moment would seem not to keep up.
const bundle = 32 << 10

// SendLines writes a frame for each line, several at once. A line that fits no
// frame is left out; its watcher has the journal.
func (c *Conn) SendLines(lines []Line) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.out = c.out[:0]
	for n := range lines {
		payload, err := json.Marshal(&lines[n])
		if err != nil {
			return fmt.Errorf("cannot encode a line: %w", err)
		}
		if len(payload) > MaxPayload {
			continue
		}
		if c.out, err = AppendFrame(c.out, TypeLine, payload); err != nil {
			return err
		}
		if len(c.out) >= bundle {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	return c.flush()
}

// flush writes what is in out.
func (c *Conn) flush() error {
	if len(c.out) == 0 {
		return nil
	}
	if err := c.c.SetWriteDeadline(time.Now().Add(WriteTimeout)); err != nil {
		return err
	}
	_, err := c.c.Write(c.out)
	c.out = c.out[:0]
	return err
}

// Watch asks for what goes to the journal and hands it on until the connection
// or the context ends. The error is the keeper's *Error, the context's, or that
// of the connection. A keeper that is older than the request never answers.
func (c *Conn) Watch(ctx context.Context, watching func(Watching), line func(Line)) error {
	defer c.bind(ctx)()
	if err := c.Send(TypeWatch, nil); err != nil {
		return err
	}
	for {
		f, err := c.Read()
		if err == nil {
			err = hand(f, watching, line)
		}
		if err != nil {
			if ctx.Err() != nil {
				return ctx.Err()
			}
			return err
		}
	}
}

func hand(f Frame, watching func(Watching), line func(Line)) error {
	switch f.Type {
	case TypeWatching:
		var w Watching
		if err := f.Decode(&w); err != nil {
			return err
		}
		watching(w)
	case TypeLine:
		var l Line
		if err := f.Decode(&l); err != nil {
			return err
		}
		line(l)
	case TypeError:
		return refusal(f)
	}
	return nil
}
