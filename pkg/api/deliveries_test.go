package api

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// outbox is a store of deliveries with the ids 1 to 5, and a courier.
type outbox struct {
	filter  store.DeliveryFilter
	changed string
	woken   int
	results []wire.NotifyResult
}

func (o *outbox) Deliveries(_ context.Context, f store.DeliveryFilter) ([]wire.Delivery, error) {
	o.filter = f
	all := []wire.Delivery{}
	for i := 5; i > 0 && len(all) < f.Limit; i-- {
		all = append(all, wire.Delivery{ID: fmt.Sprint(i)})
	}
	return all, nil
}

func (o *outbox) Delivery(_ context.Context, id string) (wire.Delivery, error) {
	if id == "1" {
		return wire.Delivery{ID: id}, nil
	}
	return wire.Delivery{}, store.ErrNoDelivery
}

func (o *outbox) ChangeDelivery(_ context.Context, id, verb string, _ time.Time) (wire.Delivery, error) {
	if verb == "discard" {
		return wire.Delivery{}, &store.DeliveryStateError{ID: id, State: wire.DeliveryWaiting, Verb: verb, Hint: "only a dead one"}
	}
	o.changed = verb + " " + id
	return wire.Delivery{ID: id}, nil
}

func (o *outbox) Targets(context.Context) ([]wire.Target, error) {
	return []wire.Target{{Target: "https://a#12345678", Channel: "webhook", Healthy: true}}, nil
}
func (o *outbox) Test(context.Context) []wire.NotifyResult { return o.results }
func (o *outbox) Wake()                                    { o.woken++ }

// scoped is a gate that gives everybody one scope.
type scoped auth.Scope

func (s scoped) Admit(*http.Request, auth.Door) (auth.Principal, *wire.Problem) {
	return auth.Principal{Kind: auth.Token, Name: "t", Scope: auth.Scope(s)}, nil
}

func askDeliveries(t *testing.T, o *outbox, scope auth.Scope, method, path string) (int, string) {
	t.Helper()
	s := &Server{Gate: scoped(scope), Log: slog.New(slog.DiscardHandler), Table: NewTable(&Deliveries{Host: "here", Store: o, Courier: o})}
	w := httptest.NewRecorder()
	s.Handler(auth.UnixDoor).ServeHTTP(w, httptest.NewRequest(method, path, nil))
	return w.Code, w.Body.String()
}

func TestDeliveries(t *testing.T) {
	for _, test := range []struct {
		method, path string
		code         int
		body         string
	}{
		{"GET", "/api/v1/deliveries?limit=2&state=dead&channel=webhook&target=x&before=01890a5d-ac96-774b-bcce-b302099a8057", 200, `"next":"4"`},
		{"GET", "/api/v1/deliveries", 200, `"targets":[{"host":"here","target":"https://a#12345678"`},
		{"GET", "/api/v1/deliveries", 200, `{"host":"here","deliveries":`},
		{"GET", "/api/v1/deliveries?limit=0", 422, "limit"},
		{"GET", "/api/v1/deliveries?limit=", 422, "limit"},
		{"GET", "/api/v1/deliveries?limit=1001", 422, "limit"},
		{"GET", "/api/v1/deliveries?state=lost", 422, "no state"},
		{"GET", "/api/v1/deliveries?channel=pigeon", 422, "no channel"},
		{"GET", "/api/v1/deliveries/1", 200, `"id":"1"`},
		{"GET", "/api/v1/deliveries/2", 404, "not-found"},
		{"POST", "/api/v1/deliveries/1/retry", 200, `"id":"1"`},
		{"POST", "/api/v1/deliveries/1/cancel", 200, `"id":"1"`},
		{"POST", "/api/v1/deliveries/1/discard", 409, "only a dead one"},
		{"POST", "/api/v1/deliveries/1/forge", 404, "not-found"},
		{"POST", "/api/v1/notify/test", 409, "no notification target"},
	} {
		if code, body := askDeliveries(t, &outbox{}, auth.ScopeWrite, test.method, test.path); code != test.code || !strings.Contains(body, test.body) {
			t.Errorf("%s %s: %d %s", test.method, test.path, code, body)
		}
		if code, _ := askDeliveries(t, &outbox{}, auth.ScopeRead, test.method, test.path); test.method == "POST" && test.code != 404 && code != 403 {
			t.Errorf("%s %s with read scope: %d", test.method, test.path, code)
		}
	}
	o := &outbox{}
	askDeliveries(t, o, auth.ScopeRead, "GET", "/api/v1/deliveries?event=01890a5d-ac96-774b-bcce-b302099a8057&limit=7")
	if o.filter != (store.DeliveryFilter{EventID: "01890a5d-ac96-774b-bcce-b302099a8057", Limit: 8}) {
		t.Errorf("%+v", o.filter)
	}
	askDeliveries(t, o, auth.ScopeRead, "GET", "/api/v1/deliveries?event=crash")
	if o.filter.Event != "crash" || o.filter.EventID != "" {
		t.Errorf("%+v", o.filter)
	}
	askDeliveries(t, o, auth.ScopeWrite, "POST", "/api/v1/deliveries/1/retry")
	if o.changed != "retry 1" || o.woken != 1 {
		t.Errorf("%+v", o)
	}
}

func TestNotifyTest(t *testing.T) {
	o := &outbox{results: []wire.NotifyResult{{Target: "a", OK: true}, {Target: "b", Error: "it is down"}}}
	code, body := askDeliveries(t, o, auth.ScopeWrite, "POST", "/api/v1/notify/test")
	var got wire.NotifyTest
	if err := json.Unmarshal([]byte(body), &got); err != nil || code != 200 || got.Host != "here" || len(got.Results) != 2 {
		t.Error(code, body, err)
	}
}
