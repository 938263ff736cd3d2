package keeper

import (
	"context"
	"fmt"
	"os"
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
	reserve *lines.Budget // of lines with markers, once the budget is spent
	markers chan<- sighting
	ctx     context.Context
	label   string
	run     string
	late    func(claude.Marker) // takes markers once the loop no longer does
	left    []claude.Marker     // that the loop did not take before it stopped the readers

	sent, dropped atomic.Uint64
}

// sighting is a marker on its way to the loop. The line that held it counts as
// consumed only after the loop has saved what it means, so a SIGKILL between
// the two costs no evidence.
type sighting struct {
	marker claude.Marker
	saved  chan struct{}
}

// newChronicle opens the spool at the saved position. made is told of an inotify
// instance that k.fds has not got.
func newChronicle(ctx context.Context, k *keeper, markers chan<- sighting, made func(*os.File)) (*chronicle, error) {
	r := k.st.Run
	c := &chronicle{keeper: k, markers: markers, ctx: ctx, run: r.ID, label: redact.String(r.Record.Label),
		budget:  lines.NewBudget(r.Settings.LinesPerSecond, r.Settings.Burst),
		reserve: lines.NewBudget(r.Settings.LinesPerSecond/10+1, r.Settings.Burst/10+1)}
	for n, b := range c.budgets() {
		tokens, at := k.memo.budget(n)
		b.Restore(tokens, at, time.Now())
	}
	o := spool.Options{Dir: filepath.Dir(r.DebugFile), Name: filepath.Base(r.DebugFile),
		Resume: k.memo.spool(), Handle: c.line, Consumed: k.memo.setSpool, Report: c.notice, Made: made}
	if fd, ok := k.fds[fdWatch]; ok {
		o.Watch, _ = dupFile(fd, "inotify") // without it one is made
	}
	var err error
	c.spool, err = spool.Open(o)
	return c, err
}

// budgets are those that outlive the keeper, in the memo's order.
func (c *chronicle) budgets() [memoBudgets]*lines.Budget {
	return [memoBudgets]*lines.Budget{c.budget, c.reserve}
}

// line takes one line of the debug file. Every marker is found whatever the
// journal's budget says; only the line itself may be dropped.
func (c *chronicle) line(raw []byte) {
	m, ok := claude.ParseLine(raw)
	if ok {
		c.see(m)
	}
	c.write(raw, ok)
}

// see hands a marker to the loop and waits until it is saved.
func (c *chronicle) see(m claude.Marker) {
	if c.late != nil {
		c.late(m)
		return
	}
	s := sighting{m, make(chan struct{})}
	select {
	case c.markers <- s: // unbuffered: the loop has it in hand
		<-s.saved
	case <-c.ctx.Done():
		c.left = append(c.left, m)
	}
}

// eventLine takes one event line of the terminal.
func (c *chronicle) eventLine(text string) {
	if c.allow(false) {
		c.emit(journal.Info, string(lines.Clean([]byte(text))), "terminal", "")
	}
}

// write sends a line of the debug file to the journal if the budget allows it.
func (c *chronicle) write(raw []byte, marker bool) {
	if len(raw) == 0 || !c.allow(marker) {
		return
	}
	l, _ := claude.SplitLine(raw)
	c.emit(journal.Priority(lines.Priority(l.Level)), string(lines.Clean(l.Text)), "debug", string(l.Stamp))
}

// allow asks the budget for one line. Lines with markers have a reserve of
// their own; it is small, because an agent can write them too.
func (c *chronicle) allow(marker bool) bool {
	now := time.Now()
	allowed := marker && c.reserve.Allow(now) || c.budget.Allow(now)
	for n, b := range c.budgets() {
		tokens, at := b.Level()
		c.keeper.memo.setBudget(n, tokens, at)
	}
	if !allowed {
		c.dropped.Add(1)
	}
	c.tellDropped(now)
	return allowed
}

// tellDropped says what was dropped, if it is time to.
func (c *chronicle) tellDropped(now time.Time) {
	if d, ok := c.budget.Summary(now); ok {
		c.sayDropped(d)
	}
}

// finish handles what is left in the debug file after the bridge's end. Its
// markers go to late: the loop no longer takes any. The spool is left open:
// giving an inotify instance back waits for the kernel's grace period, up to
// 20 ms in which nobody would know of the end.
func (c *chronicle) finish(late func(claude.Marker), deadline time.Time) {
	c.late = late
	c.spool.Drain(deadline)
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

// notice says what happened to the debug file. It runs beside the loop and so
// reads nothing of the state.
func (c *chronicle) notice(n spool.Notice) {
	c.keeper.journal.Event(journal.Event{Name: bridge.EventWarning, Message: n.String(),
		Fields: fields{bridge.FieldRun: c.run, bridge.FieldLabel: c.label, bridge.FieldReason: n.String()}})
}
