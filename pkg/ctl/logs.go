package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/wire"

	"github.com/spf13/cobra"
)

// logFlags select log lines.
type logFlags struct {
	follow, events, asJSON bool
	lines                  int
	since                  string
}

func (a *App) logsCommand() *cobra.Command {
	f := new(logFlags)
	c := &cobra.Command{
		Use:   "logs INSTANCE",
		Short: "Show what a bridge and its keeper said",
		Long: `Show the journal of one bridge: what claude writes to its debug log, and the
events of its life. Escape sequences are taken out: what claude says cannot move
your cursor.

The same, with explanations of events: journalctl -x -u clauster@INSTANCE.`,
		Example: `  clauster-ctl logs blog
  clauster-ctl logs -f blog
  clauster-ctl logs --events --since 24h blog`,
		Args:              instanceArgs(1, 1),
		ValidArgsFunction: a.completeInstances,
		RunE: func(c *cobra.Command, args []string) error {
			return a.logs(c.Context(), args[0], f)
		},
	}
	fl := c.Flags()
	fl.BoolVarP(&f.follow, "follow", "f", false, "go on with what is written from now on")
	fl.IntVarP(&f.lines, "lines", "n", 200, "the last `N` entries, 0 for all")
	fl.StringVar(&f.since, "since", "", "not older than `TIME`: a span (90m, 24h), a date, or a date and time")
	fl.BoolVar(&f.events, "events", false, "only events, with their reasons")
	fl.BoolVar(&f.asJSON, "json", false, "print one JSON object per line")
	return c
}

func (a *App) logs(ctx context.Context, name string, f *logFlags) error {
	i, err := bridge.ParseInstance(name)
	if err != nil {
		return err
	}
	if f.lines < 0 {
		return usage("clauster-ctl logs --help", "cannot show %d entries", f.lines)
	}
	since, err := parseSince(f.since, a.Now())
	if err != nil {
		return err
	}
	if !a.userMode && !a.JournalReadable() {
		if err := a.needEntitled("read the log of "+name, "logs", name); err != nil {
			return err
		}
		return unreachable(journalGroupHint(a), "cannot read the log of %s: the journal is closed to you", name)
	}
	q := journal.Query{Lines: f.lines, Since: since, Matches: logMatches(a.origin(), i, f.events)}
	shown := 0
	show := func(e journal.Entry) error {
		// Whoever has an account may write «requested» about any instance.
		foreign := f.events || e.Get("MESSAGE_ID") == bridge.EventRequested.MessageID()
		if foreign && !journal.Trusted(e, i, a.origin()) {
			return nil
		}
		shown++
		if f.asJSON {
			return a.printEntryJSON(a.Stdout, e, i)
		}
		return a.printEntry(a.Stdout, e, i)
	}
	if f.follow {
		err = journal.Follow(ctx, q, show)
	} else {
		err = journal.Read(ctx, q, show)
	}
	if ctx.Err() != nil { // ^C is how following ends
		return nil
	}
	if err == nil && shown == 0 {
		return a.nothingLogged(ctx, i)
	}
	return err
}

// nothingLogged tells an instance that said nothing from one that is not.
func (a *App) nothingLogged(ctx context.Context, i bridge.Instance) error {
	bus, err := a.systemd(ctx)
	if err != nil {
		return nil // the answer, nothing, stands
	}
	defer bus.Close()
	w, err := a.look(ctx, bus)
	if err == nil && !w.Has(i) {
		_, err = w.resolve(i.String())
		if err == nil {
			return noInstance("clauster-ctl list", "there is no instance %s", i)
		}
		return err
	}
	a.talk("no entries")
	return nil
}

// logMatches selects the keeper's entries, what systemd says about the unit,
// and who asked for what.
func logMatches(o journal.Origin, i bridge.Instance, events bool) []string {
	own := o.Matches(i.Unit())
	requested := []string{"MESSAGE_ID=" + bridge.EventRequested.MessageID(), bridge.FieldInstance + "=" + i.String()}
	if events {
		for _, e := range bridge.Events() {
			own = append(own, "MESSAGE_ID="+e.MessageID())
		}
		return append(append(own, "+"), requested...)
	}
	about := []string{"_PID=1", "UNIT=" + i.Unit()}
	if o.User {
		about = []string{"USER_UNIT=" + i.Unit(), "_UID=" + itoa(o.UID)}
	}
	m := append(append(own, "+"), about...)
	return append(append(m, "+"), requested...)
}

// parseSince reads a span before now, or a local date, or a date and time.
func parseSince(s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(s); err == nil {
		return now.Add(-d.Abs()), nil
	}
	for _, layout := range [...]string{time.DateTime, "2006-01-02 15:04", time.DateOnly, time.RFC3339} {
		if t, err := time.ParseInLocation(layout, s, time.Local); err == nil {
			return t, nil
		}
	}
	return time.Time{}, usage(`--since 90m, --since 2026-01-31, --since "2026-01-31 08:00"`, "cannot read time %q", s)
}

func (a *App) printEntry(w io.Writer, e journal.Entry, i bridge.Instance) error {
	s := a.style()
	paint := func(text string) string { return text }
	switch p := e.Priority(); {
	case p <= journal.Err:
		paint = s.bad
	case p == journal.Warning:
		paint = s.warn
	case p >= journal.Debug:
		paint = s.dim
	case journal.Trusted(e, i, a.origin()):
		paint = s.bold
	}
	for _, line := range cleanLines(e.Get("MESSAGE")) {
		if _, err := fmt.Fprintf(w, "%s %s\n", s.dim(stamp(e.Time)), paint(line)); err != nil {
			return err
		}
	}
	return nil
}

// logLine is one entry of logs --json.
type logLine struct {
	Time     wire.Time         `json:"time"`
	Priority int               `json:"priority"`
	Message  string            `json:"message"`
	Source   string            `json:"source,omitempty"` // "debug", "terminal"; else keeper or systemd
	Event    bridge.Event      `json:"event,omitempty"`  // of a trusted event
	Fields   map[string]string `json:"fields,omitempty"` // of a trusted event, CLAUSTER_ names
}

func (a *App) printEntryJSON(w io.Writer, e journal.Entry, i bridge.Instance) error {
	l := logLine{Time: wire.Time{Time: e.Time}, Priority: int(e.Priority()), Source: clean(e.Get(bridge.FieldSource))}
	for n, line := range cleanLines(e.Get("MESSAGE")) {
		if n > 0 {
			l.Message += "\n"
		}
		l.Message += line
	}
	if journal.Trusted(e, i, a.origin()) {
		l.Event, l.Fields = e.Event(), map[string]string{}
		for name, value := range e.All() {
			if len(name) > 9 && name[:9] == "CLAUSTER_" {
				l.Fields[name] = clean(value)
			}
		}
	}
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	return enc.Encode(l)
}
