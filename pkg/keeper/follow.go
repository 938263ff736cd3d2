package keeper

import (
	"context"
	"fmt"
	"path/filepath"
	"sync/atomic"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
	"clauster/pkg/journal"
	"clauster/pkg/lines"
	"clauster/pkg/redact"
	"clauster/pkg/spool"
)

// chronicle turns the debug file and the terminal's event lines into journal
// lines under one budget, and the debug file into markers.
type chronicle struct {
	keeper  *keeper
	spool   *spool.Follower
	budget  *lines.Budget // shared by two goroutines: it locks
	markers chan<- claude.Marker
	ctx     context.Context
	label   string
	run     string
	late    func(claude.Marker) // takes markers once the loop no longer does

	sent, dropped atomic.Uint64
}

// newChronicle opens the spool at the saved position.
func newChronicle(ctx context.Context, k *keeper, markers chan<- claude.Marker) (*chronicle, error) {
	r := k.st.Run
	c := &chronicle{keeper: k, markers: markers, ctx: ctx, run: r.ID, label: redact.String(r.Record.Label),
		budget: lines.NewBudget(r.Settings.LinesPerSecond, r.Settings.Burst)}
	var err error
	c.spool, err = spool.Open(spool.Options{Dir: filepath.Dir(r.DebugFile), Name: filepath.Base(r.DebugFile),
		Resume: k.memo.spool(), Handle: c.line, Consumed: k.memo.setSpool, Report: c.notice})
	return c, err
}

// line takes one line of the debug file. Every marker is found whatever the
// journal's budget says; only the line itself may be dropped.
func (c *chronicle) line(raw []byte) {
	if m, ok := claude.ParseLine(raw); ok {
		if c.late != nil {
			c.late(m)
		} else {
			select {
			case c.markers <- m:
			case <-c.ctx.Done():
			}
		}
		c.write(raw, true)
		return
	}
	c.write(raw, false)
}

// eventLine takes one event line of the terminal.
func (c *chronicle) eventLine(text string) {
	c.emit(journal.Info, string(lines.Clean([]byte(text))), "terminal", "")
}

func (c *chronicle) write(raw []byte, always bool) {
	if len(raw) == 0 {
		return
	}
	now := time.Now()
	allowed := always || c.budget.Allow(now)
	if !allowed {
		c.dropped.Add(1)
	}
	if d, ok := c.budget.Summary(now); ok {
		c.sayDropped(d)
	}
	if !allowed {
		return
	}
	l, _ := claude.SplitLine(raw)
	c.emit(journal.Priority(lines.Priority(l.Level)), string(lines.Clean(l.Text)), "debug", string(l.Stamp))
}

// finish handles what is left in the debug file after the bridge's end. Its
// markers go to late: the loop no longer takes any.
func (c *chronicle) finish(late func(claude.Marker), deadline time.Time) {
	c.late = late
	c.spool.Drain(deadline)
	c.spool.Close()
	if d, ok := c.budget.Rest(time.Now()); ok {
		c.sayDropped(d)
	}
}

// sayDropped counts dropped lines in an event.
func (c *chronicle) sayDropped(d lines.Dropped) {
	c.keeper.journal.Event(journal.Event{Name: bridge.EventDropped,
		Message: fmt.Sprintf("%d log lines over the budget were dropped in %s", d.Lines, d.For.Round(time.Second)),
		Fields:  fields{bridge.FieldRun: c.run, bridge.FieldLabel: c.label, bridge.FieldDroppedLines: fmt.Sprint(d.Lines)}})
}

func (c *chronicle) emit(p journal.Priority, text, source, stamp string) {
	f := fields{bridge.FieldRun: c.run, bridge.FieldSource: source}
	if stamp != "" {
		f[bridge.FieldClaudeTime] = stamp
	}
	if c.keeper.journal.Line(p, redact.String(text), f) {
		c.sent.Add(1)
	} else {
		c.dropped.Add(1)
	}
}

func (c *chronicle) notice(n spool.Notice) { c.keeper.warn(n.String()) }
