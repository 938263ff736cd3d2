package api

import (
	"context"
	"errors"
	"fmt"
	"math"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"

	"clauster/pkg/auth"
	"clauster/pkg/bridge"
	"clauster/pkg/event"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// EventStore is what the resource needs of *store.Store.
type EventStore interface {
	Events(ctx context.Context, q store.EventQuery) ([]wire.Event, error)
	// EventSeq gives store.ErrNoEvent for an id that is not there.
	EventSeq(ctx context.Context, id string) (int64, error)
	SeqBefore(ctx context.Context, t time.Time) (int64, error)
}

// Events is the resource of what happened: pages of the past, and a stream. Its
// routes need the store: without one, Store and Hub may be nil.
type Events struct {
	Host  string
	Store EventStore
	Hub   *event.Hub
}

const defaultEvents = 100

// Routes gives its routes.
func (e *Events) Routes() []Route {
	filter := []Param{{"kind", "only this kind, or these, separated by commas", listOf(eventKinds())}, {"instance", "only of this instance", matchingOrEmpty(instancePattern)}, {"project", "only of this project", nil}}
	return []Route{
		{Method: http.MethodGet, Path: "/api/v1/events", Access: auth.ScopeRead, NeedsStore: true, Handle: e.list, Answer: wire.Events{},
			Summary: "Events of the past, newest first",
			Query: append(slices.Clone(filter), Param{"since", "not before this time (RFC 3339)", moment()}, Param{"until", "before this time (RFC 3339)", moment()},
				Param{"limit", "1 to 500, else 100", whole(1, store.MaxPage)}, Param{"before", "seq: only older ones; next of the page before", whole(1, math.MaxInt64)},
				Param{"after", "seq: only newer ones; next of the page before, with order=asc", whole(0, math.MaxInt64)}, Param{"order", "desc (newest first, the default) or asc", oneOf([]string{"desc", "asc"})})},
		{Method: http.MethodGet, Path: "/api/v1/events/stream", Access: auth.ScopeRead, NeedsStore: true, Handle: e.stream, Media: "text/event-stream",
			Summary: "Events as they come, as server-sent events: id is the event's id, event its kind, data the event; the header Last-Event-ID replays what came after it",
			Query:   append(filter, Param{"last_event_id", "as the header, for clients that cannot set one", matchingOrEmpty(uuidPattern)})},
	}
}

func (e *Events) list(r *Request) Response {
	q, problem := eventQuery(r)
	if problem != nil {
		return Refusal{problem}
	}
	most := q.Limit
	q.Limit = min(most+1, store.MaxPage) // one more tells that there is another page
	page, err := e.Store.Events(r.Context(), q)
	if err != nil {
		return eventProblem(err)
	}
	answer := wire.Events{Host: e.Host, Events: page[:min(most, len(page))]}
	if len(page) > most || len(page) == store.MaxPage {
		answer.Next = strconv.FormatInt(page[most-1].Seq, 10)
	}
	return JSON{Value: answer}
}

// eventProblem answers an error of the store, which may have been refused just
// now.
func eventProblem(err error) Response {
	var refused *store.RefusedError
	if errors.As(err, &refused) {
		return Refuse(wire.StoreRefused, refused.Error(), refused.Hint())
	}
	return Refuse(wire.Unavailable, "cannot read events: "+err.Error(), "journalctl -u clauster-api")
}

// eventQuery reads the parameters of a page.
func eventQuery(r *Request) (store.EventQuery, *wire.Problem) {
	v := r.URL.Query()
	q := store.EventQuery{Limit: defaultEvents}
	filter, problem := filterOf(r)
	if problem != nil {
		return q, problem
	}
	q.Kinds, q.Instance, q.Project = filter.kinds, filter.instance, filter.project
	invalid := func(name, rule string) *wire.Problem {
		return wire.NewProblem(wire.Invalid, fmt.Sprintf("cannot read %s %.100q: it is %s", name, v.Get(name), rule), "")
	}
	for name, into := range map[string]*time.Time{"since": &q.Since, "until": &q.Until} {
		if v.Has(name) {
			t, err := time.Parse(time.RFC3339, v.Get(name))
			if err != nil {
				return q, invalid(name, "a time such as 2026-01-31T08:00:00Z")
			}
			*into = t
		}
	}
	for name, into := range map[string]*int64{"before": &q.Before, "after": &q.After} {
		if v.Has(name) {
			n, err := strconv.ParseInt(v.Get(name), 10, 64)
			if err != nil || n < 0 || name == "before" && n == 0 {
				return q, invalid(name, "the seq of an event")
			}
			*into = n
		}
	}
	if v.Has("limit") {
		n, err := strconv.Atoi(v.Get("limit"))
		if err != nil || n < 1 || n > store.MaxPage {
			return q, invalid("limit", fmt.Sprintf("a number from 1 to %d", store.MaxPage))
		}
		q.Limit = n
	}
	q.Ascending = v.Get("order") == "asc"
	if order := v.Get("order"); order != "" && order != "asc" && order != "desc" {
		return q, invalid("order", "desc or asc")
	}
	return q, nil
}

// eventFilter is what a reader wants to see.
type eventFilter struct {
	kinds             []string
	instance, project string
}

const maxKinds = 32

func filterOf(r *Request) (eventFilter, *wire.Problem) {
	v := r.URL.Query()
	f := eventFilter{instance: v.Get("instance"), project: v.Get("project")}
	for _, text := range v["kind"] {
		for kind := range strings.SplitSeq(text, ",") {
			if !slices.Contains(eventKinds(), kind) || len(f.kinds) == maxKinds {
				return f, wire.NewProblem(wire.Invalid, fmt.Sprintf("cannot show events of kind %.100q: there is no such kind", kind),
					"the kinds are "+strings.Join(eventKinds(), " "))
			}
			f.kinds = append(f.kinds, kind)
		}
	}
	if f.instance != "" {
		if _, err := bridge.ParseInstance(f.instance); err != nil {
			return f, wire.NewProblem(wire.Invalid, "cannot show events: "+err.Error(), "an instance is PROJECT or PROJECT:LABEL")
		}
	}
	return f, nil
}

// eventKinds are those that the store may hold.
func eventKinds() []string {
	all := []string{event.KindGap, "alert"}
	for _, e := range bridge.Events() {
		all = append(all, string(e))
	}
	return all
}

func (f eventFilter) wants(e wire.Event) bool {
	return (len(f.kinds) == 0 || slices.Contains(f.kinds, e.Kind)) && (f.instance == "" || f.instance == e.Instance) &&
		(f.project == "" || f.project == e.Project)
}

// stream answers with events as they come. Without a Last-Event-ID it begins
// now. After one that is known it goes on without a hole and without a double.
// One that is not known was deleted for its age, or belongs to a database that
// was replaced: the stream then begins with a gap event that has no id, and
// goes on from the time that every UUIDv7 tells.
func (e *Events) stream(r *Request) Response {
	filter, problem := filterOf(r)
	if problem != nil {
		return Refusal{problem}
	}
	last := r.Header.Get("Last-Event-ID")
	if last == "" {
		last = r.URL.Query().Get("last_event_id")
	}
	after := e.Hub.Head()
	var first *wire.Event
	if last != "" {
		id, err := uuid.Parse(last)
		if err != nil || id.Version() != 7 {
			return Refuse(wire.Invalid, fmt.Sprintf("cannot resume after %.100q: it is not the id of an event", last), "leave Last-Event-ID away to begin now")
		}
		if after, err = e.Store.EventSeq(r.Context(), id.String()); errors.Is(err, store.ErrNoEvent) {
			first = e.unknown(id)
			after, err = e.Store.SeqBefore(r.Context(), first.At.Time)
		}
		if err != nil {
			return eventProblem(err)
		}
	}
	reader := e.Hub.Subscribe(after)
	return Stream(func(w http.ResponseWriter, r *http.Request) { follow(w, r, reader, filter, first) })
}

// unknown is the first event of a stream that cannot go on where it was.
func (e *Events) unknown(id uuid.UUID) *wire.Event {
	sec, nsec := id.Time().UnixTime()
	from := time.Unix(sec, nsec).UTC()
	if now := time.Now().UTC(); from.After(now) {
		from = now // an id says what its sender likes, up to the year 10889
	}
	return &wire.Event{Host: e.Host, At: wire.Time{Time: from}, Kind: event.KindGap,
		Message: "the event " + id.String() + " is not stored here: what follows begins at its time, and may have been seen or be missing in part"}
}

// follow sends events until the reader has gone or the server ends. Whoever
// does not take what is sent is cut off by the stream's deadline, and comes
// back with the last id it has.
func follow(w http.ResponseWriter, r *http.Request, reader *event.Reader, filter eventFilter, first *wire.Event) {
	stream := newSSE(w)
	if first != nil && stream.send(first.Kind, "", first) != nil {
		return
	}
	for {
		// From what was last written, not from what last happened: to a proxy a
		// stream is silent, too, whose filter lets nothing through.
		wait, cancel := context.WithDeadline(r.Context(), stream.last.Add(silence))
		events, err := reader.Next(wait)
		cancel()
		switch {
		case r.Context().Err() != nil:
			return
		case err != nil && !errors.Is(err, context.DeadlineExceeded):
			// Not "error": that is a kind of event.
			_ = stream.send("problem", "", wire.NewProblem(wire.Unavailable, "cannot go on with events: "+err.Error(), "connect again with Last-Event-ID"))
			return
		}
		for _, e := range events {
			if filter.wants(e) && stream.send(e.Kind, e.ID, e) != nil {
				return
			}
		}
		if time.Since(stream.last) >= silence && stream.ping() != nil {
			return
		}
	}
}
