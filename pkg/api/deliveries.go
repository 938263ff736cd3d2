package api

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/store"
	"clauster/pkg/terminal"
	"clauster/pkg/wire"
)

// Bounds of a page of deliveries.
const (
	deliveriesPage = 100
	deliveriesMost = 1000
)

// DeliveryStore is what the resource needs of *store.Store.
type DeliveryStore interface {
	Deliveries(ctx context.Context, f store.DeliveryFilter) ([]wire.Delivery, error)
	// Delivery and ChangeDelivery give store.ErrNoDelivery, and the latter a
	// *store.DeliveryStateError for what the state forbids.
	Delivery(ctx context.Context, id string) (wire.Delivery, error)
	ChangeDelivery(ctx context.Context, id, verb string, now time.Time) (wire.Delivery, error)
}

// DeliveryCourier is what it needs of *delivery.Courier.
type DeliveryCourier interface {
	Targets(ctx context.Context) ([]wire.Target, error)
	Test(ctx context.Context) []wire.NotifyResult
	Wake()
}

// Deliveries is the resource of webhooks and notifications on their way. Its
// routes need the store: without one, both fields may be nil.
type Deliveries struct {
	Host    string
	Store   DeliveryStore
	Courier DeliveryCourier
}

// Routes gives its routes.
func (d *Deliveries) Routes() []Route {
	change := func(verb, summary string) Route {
		return Route{Method: http.MethodPost, Path: "/api/v1/deliveries/{id}/" + verb, Access: auth.ScopeWrite, NeedsStore: true,
			Summary: summary, Answer: wire.Delivery{}, Handle: func(r *Request) Response { return d.change(r, verb) }}
	}
	return []Route{
		{Method: http.MethodGet, Path: "/api/v1/deliveries", Access: auth.ScopeRead, NeedsStore: true, Handle: d.list, Answer: wire.Deliveries{},
			Summary: "Deliveries of events to webhooks and notification services, newest first, and the health of their targets",
			Query: []Param{{"state", "waiting, delivered, dead, cancelled or discarded", oneOf(deliveryStates())}, {"channel", "webhook or notification", oneOf([]string{"webhook", "notification"})},
				{"target", "the name of a target", nil}, {"event", "an event's id or kind", nil},
				{"before", "id: only older ones; next of the page before", matchingOrEmpty(uuidPattern)}, {"limit", "1 to 1000, else 100", whole(1, deliveriesMost)}}},
		{Method: http.MethodGet, Path: "/api/v1/deliveries/{id}", Access: auth.ScopeRead, NeedsStore: true, Handle: d.get, Answer: wire.Delivery{},
			Summary: "One delivery"},
		change("retry", "Try a dead or cancelled delivery anew, or a waiting one at once"),
		change("discard", "Put a dead delivery aside"),
		change("cancel", "Do not try a waiting delivery again"),
		{Method: http.MethodPost, Path: "/api/v1/notify/test", Access: auth.ScopeWrite, NeedsStore: true, Handle: d.test, Answer: wire.NotifyTest{},
			Summary: "Send a test message to every notification target and tell how each went"},
	}
}

func (d *Deliveries) list(r *Request) Response {
	f, problem := deliveryFilter(r)
	if problem != nil {
		return Refusal{problem}
	}
	most := f.Limit
	f.Limit++ // one more tells that there is another page
	page, err := d.Store.Deliveries(r.Context(), f)
	if err != nil {
		return deliveryProblem(err)
	}
	answer := wire.Deliveries{Host: d.Host, Deliveries: page}
	if len(page) > most {
		answer.Deliveries, answer.Next = page[:most], page[most-1].ID
	}
	if answer.Targets, err = d.Courier.Targets(r.Context()); err != nil {
		return deliveryProblem(err)
	}
	for n := range answer.Targets {
		answer.Targets[n].Host = d.Host
	}
	return JSON{Value: answer}
}

func deliveryStates() []wire.DeliveryState {
	return []wire.DeliveryState{wire.DeliveryWaiting, wire.DeliveryDone, wire.DeliveryDead, wire.DeliveryCancelled, wire.DeliveryDiscarded}
}

// deliveryID is what the ids of deliveries look like.
var deliveryID = regexp.MustCompile(uuidPattern)

func deliveryFilter(r *Request) (store.DeliveryFilter, *wire.Problem) {
	q := r.URL.Query()
	f := store.DeliveryFilter{State: wire.DeliveryState(q.Get("state")), Channel: q.Get("channel"), Target: q.Get("target"), Before: q.Get("before"), Limit: deliveriesPage}
	if f.State != "" && !slices.Contains(deliveryStates(), f.State) {
		return f, wire.NewProblem(wire.Invalid, fmt.Sprintf("cannot list deliveries: there is no state %q", f.State), "the states are waiting, delivered, dead, cancelled and discarded")
	}
	if f.Channel != "" && f.Channel != "webhook" && f.Channel != "notification" {
		return f, wire.NewProblem(wire.Invalid, fmt.Sprintf("cannot list deliveries: there is no channel %q", f.Channel), "the channels are webhook and notification")
	}
	if e := q.Get("event"); strings.Count(e, "-") == 4 {
		f.EventID = e
	} else {
		f.Event = e
	}
	if !deliveryID.MatchString(f.Before) && f.Before != "" {
		return f, wire.NewProblem(wire.Invalid, fmt.Sprintf("cannot list deliveries: before %.100q is not the id of a delivery", f.Before), "next of the page before is one")
	}
	if text := q.Get("limit"); q.Has("limit") {
		n, err := strconv.Atoi(text)
		if err != nil || n < 1 || n > deliveriesMost {
			return f, wire.NewProblem(wire.Invalid, fmt.Sprintf("cannot list deliveries: limit %q is not a number from 1 to %d", text, deliveriesMost), "")
		}
		f.Limit = n
	}
	return f, nil
}

func (d *Deliveries) get(r *Request) Response {
	id := r.PathValue("id")
	one, err := d.Store.Delivery(r.Context(), id)
	if err != nil {
		return oneProblem(id, err)
	}
	return JSON{Value: one}
}

func (d *Deliveries) change(r *Request, verb string) Response {
	id := r.PathValue("id")
	one, err := d.Store.ChangeDelivery(r.Context(), id, verb, time.Now())
	if err != nil {
		return oneProblem(id, err)
	}
	d.Courier.Wake()
	return JSON{Value: one}
}

func (d *Deliveries) test(r *Request) Response {
	results := d.Courier.Test(r.Context())
	if len(results) == 0 {
		return Refuse(wire.Conflict, "cannot send a test message: there is no notification target",
			"clauster-ctl config check finds faults; without one, set enabled = true and urls under [notifications] in clauster.toml, then: systemctl reload clauster-api")
	}
	return JSON{Value: wire.NotifyTest{Host: d.Host, Results: results}}
}

// oneProblem is deliveryProblem for one delivery, which may not be there: of
// several that were asked for it has to say which.
func oneProblem(id string, err error) Response {
	if errors.Is(err, store.ErrNoDelivery) {
		return Refuse(wire.NotFound, "cannot find delivery "+terminal.Clean(fmt.Sprintf("%.100s", id)), "clauster-ctl deliveries list")
	}
	return deliveryProblem(err)
}

// deliveryProblem words an error of the store.
func deliveryProblem(err error) Response {
	var state *store.DeliveryStateError
	var refused *store.RefusedError
	switch {
	case errors.As(err, &state):
		return Refuse(wire.Conflict, state.Error(), state.Hint)
	case errors.As(err, &refused):
		return Refuse(wire.StoreRefused, refused.Error(), refused.Hint())
	}
	return Refuse(wire.Unavailable, err.Error(), "journalctl -u clauster-api")
}
