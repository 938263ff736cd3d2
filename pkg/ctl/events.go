package ctl

import (
	"context"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"

	"github.com/spf13/cobra"
)

// eventFlags select events.
type eventFlags struct {
	follow, asJSON    bool
	lines             int
	kinds             []string
	instance, project string
	since             string
}

// maxEvents is the most that is shown of the past; the API has pages of 500.
const (
	maxEvents  = 100000
	eventsPage = 500
)

func (a *App) eventsCommand() *cobra.Command {
	f := new(eventFlags)
	c := &cobra.Command{
		Use:   "events",
		Short: "What happened to the bridges, from the API's history",
		Long: `Show the events of all bridges, oldest first, as the API has stored them: also
those that the journal has forgotten. The API has to run; without it:
clauster-ctl logs --events INSTANCE.

With --follow it goes on across restarts of the API, misses nothing, and says so
where the API stays away.`,
		Example: `  clauster-ctl events --kind crash,error --since 24h
  clauster-ctl events -f --instance blog
  clauster-ctl events -f --json | jq -r 'select(.kind == "crash") | .instance'`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return a.events(c.Context(), f) },
	}
	fl := c.Flags()
	fl.BoolVarP(&f.follow, "follow", "f", false, "go on with what happens from now on")
	fl.IntVarP(&f.lines, "lines", "n", 50, "the last `N` events, 0 for none of the past")
	fl.StringSliceVar(&f.kinds, "kind", nil, "only these `KINDS`, separated by commas")
	fl.StringVar(&f.instance, "instance", "", "only of this `INSTANCE`")
	fl.StringVar(&f.project, "project", "", "only of this `PROJECT`")
	fl.StringVar(&f.since, "since", "", "not older than `TIME`: a span (90m, 24h), a date, or a date and time")
	fl.BoolVar(&f.asJSON, "json", false, "print one JSON object per line")
	// They fail for a flag that does not exist only.
	_ = c.RegisterFlagCompletionFunc("kind", cobra.FixedCompletions(eventKinds(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("instance", a.completeInstances)
	return c
}

func eventKinds() []string {
	all := []string{"gap", "alert"}
	for _, e := range bridge.Events() {
		all = append(all, string(e))
	}
	return all
}

func (a *App) events(ctx context.Context, f *eventFlags) error {
	if f.lines < 0 || f.lines > maxEvents {
		return usage("clauster-ctl events --help", "cannot show %d events: it is a number up to %d", f.lines, maxEvents)
	}
	since, err := parseSince(f.since, a.Now())
	if err != nil {
		return err
	}
	filter := f.filter()
	last, err := a.pastEvents(ctx, f, filter, since)
	if err == nil && f.follow {
		err = a.api().FollowEvents(a.watchOutages(ctx), filter, last, func(e wire.Event) error { return a.printEvent(e, f.asJSON) })
	}
	if ctx.Err() != nil { // ^C is how following ends
		return nil
	}
	return a.explained(ctx, err, "events")
}

func (f *eventFlags) filter() url.Values {
	q := url.Values{}
	for name, v := range map[string]string{"instance": f.instance, "project": f.project} {
		if v != "" {
			q.Set(name, v)
		}
	}
	for _, k := range f.kinds {
		q.Add("kind", k)
	}
	return q
}

// pastEvents prints the last events and gives the id that a stream goes on
// after: of the newest of all events, wanted or not, so that one that comes
// before the stream is open is not missed.
func (a *App) pastEvents(ctx context.Context, f *eventFlags, filter url.Values, since time.Time) (last string, err error) {
	if f.follow {
		newest, err := a.api().Events(ctx, url.Values{"limit": {"1"}})
		if err != nil {
			return "", err
		}
		if len(newest.Events) > 0 {
			last = newest.Events[0].ID
			filter = withValue(filter, "before", strconv.FormatInt(newest.Events[0].Seq+1, 10))
		}
	}
	if !since.IsZero() {
		filter = withValue(filter, "since", since.UTC().Format(time.RFC3339Nano))
	}
	var past []wire.Event
	for len(past) < f.lines {
		page, err := a.api().Events(ctx, withValue(filter, "limit", strconv.Itoa(min(f.lines-len(past), eventsPage))))
		if err != nil {
			return "", err
		}
		past = append(past, page.Events...)
		if page.Next == "" {
			break
		}
		filter = withValue(filter, "before", page.Next)
	}
	for _, e := range slices.Backward(past) {
		if err := a.printEvent(e, f.asJSON); err != nil {
			return "", err
		}
	}
	if len(past) == 0 && !f.follow {
		a.talk("no events")
	}
	return last, nil
}

// withValue is a copy of a query with one value replaced.
func withValue(q url.Values, name, value string) url.Values {
	c := url.Values{}
	for k, v := range q {
		c[k] = v
	}
	c.Set(name, value)
	return c
}

func (a *App) printEvent(e wire.Event, asJSON bool) error {
	if asJSON {
		enc := json.NewEncoder(a.Stdout)
		enc.SetEscapeHTML(false)
		return enc.Encode(e)
	}
	s := a.style()
	paint := s.bold
	switch e.Kind {
	case string(bridge.EventCrash), string(bridge.EventError), "gap", "alert":
		paint = s.bad
	case string(bridge.EventWarning), string(bridge.EventDelayed), string(bridge.EventAPIError), string(bridge.EventFallback), string(bridge.EventDropped):
		paint = s.warn
	case string(bridge.EventHealth), string(bridge.EventRequested):
		paint = func(text string) string { return text }
	}
	who := clean(e.Instance)
	if who == "" {
		who = "-"
	}
	for n, line := range cleanLines(e.Message) {
		head := fmt.Sprintf("%s %s %s", s.dim(stamp(e.At.Time)), paint(clean(e.Kind)), who)
		if n > 0 {
			head = " "
		}
		if _, err := fmt.Fprintf(a.Stdout, "%s %s\n", head, line); err != nil {
			return err
		}
	}
	return nil
}
