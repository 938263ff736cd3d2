package api

import (
	"context"
	"log/slog"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// TestUnknownParameters: one that was misspelt was left out, and the answer was
// that to another question.
func TestUnknownParameters(t *testing.T) {
	all, nobody := fixed{who: auth.Principal{Kind: auth.Local, Scope: auth.ScopeWrite}}, fixed{who: auth.Principal{Kind: auth.Nobody}}
	for _, c := range []struct {
		gate               Gate
		method, path, body string
		code               int
		detail, hint       string
	}{
		{all, "GET", "/things/a?limit=3", "", 400, `cannot read the query: there is no parameter "limit"`, "this route has none"},
		{all, "POST", "/things?Dry=1", "{}", 400, `cannot read the query: there is no parameter "Dry"`, "the parameters are dry"},
		{all, "POST", "/things?dry=1&dry=2", `{"name":"x"}`, 201, "", ""},
		{all, "POST", "/things?dry=%zz", "{}", 400, "cannot read the query: it is not name=value pairs in percent-encoding", ""},
		{all, "GET", "/things/a?", "", 200, "", ""},
		{all, "GET", "/alive?cachebuster=1", "", 200, "", ""}, // probes send such
		{nobody, "GET", "/things/a?limit=3", "", 401, "cannot answer: this socket asks for authentication", ""},
	} {
		media := ""
		if c.body != "" {
			media = "application/json"
		}
		code, p, text := serve(t, &Server{Gate: c.gate}, auth.WebDoor, c.method, c.path, media, c.body)
		if code != c.code || p.Detail != c.detail || c.hint != "" && p.Hint != c.hint {
			t.Errorf("%s %s: %d %s", c.method, c.path, code, text)
		}
	}
}

// TestHintsOfDoors: a hint leads to what is there. The web door has no
// /openapi.json as installed, and knows passwords beside tokens.
func TestHintsOfDoors(t *testing.T) {
	all, nobody := fixed{who: auth.Principal{Kind: auth.Local, Scope: auth.ScopeWrite}}, fixed{who: auth.Principal{Kind: auth.Nobody}}
	for _, c := range []struct {
		gate         Gate
		door         auth.Door
		method, path string
		kind         wire.Kind
		hint         string
	}{
		{all, auth.UnixDoor, "GET", "/nothing", wire.NotFound, "GET /openapi.json lists what there is"},
		{all, auth.WebDoor, "GET", "/nothing", wire.NotFound, "docs/http.md lists what there is"},
		{all, auth.WebDoor, "GET", "//nothing", wire.NotFound, "docs/http.md lists what there is"},
		{nobody, auth.WebDoor, "GET", "/things/a", wire.Unauthenticated, "log in where a password is set: POST /api/v1/login; or send a token: sudo clauster-ctl token issue LABEL makes one"},
		{all, auth.UnixDoor, "GET", "/things", wire.BadMethod, "allowed is POST"},
		{all, auth.UnixDoor, "POST", "/things/a", wire.BadMethod, "allowed are GET, HEAD"},
	} {
		if _, p, text := serve(t, &Server{Gate: c.gate}, c.door, c.method, c.path, "", ""); p.Kind != c.kind || p.Hint != c.hint {
			t.Errorf("%s %s: %s", c.method, c.path, text)
		}
	}
}

// TestDeliveriesThatCannotBeFound are named, and a page begins behind an id.
func TestDeliveriesThatCannotBeFound(t *testing.T) {
	for _, c := range []struct {
		method, path string
		code         int
		want         string
	}{
		{"GET", "/api/v1/deliveries/nope", 404, "cannot find delivery nope"},
		{"POST", "/api/v1/deliveries/nope2/retry", 404, "cannot find delivery nope2"},
		{"GET", "/api/v1/deliveries?before=zz", 422, `cannot list deliveries: before \"zz\" is not the id of a delivery`},
		{"GET", "/api/v1/deliveries?before=", 200, "deliveries"}, // as none, which forms send
		{"GET", "/api/v1/deliveries?before=01890a5d-ac96-774b-bcce-b302099a8057", 200, "deliveries"},
	} {
		s := &Server{Gate: scoped(auth.ScopeWrite), Log: slog.New(slog.DiscardHandler), Table: NewTable(&Deliveries{Store: &lost{}, Courier: &outbox{}})}
		w := httptest.NewRecorder()
		s.Handler(auth.UnixDoor).ServeHTTP(w, httptest.NewRequest(c.method, c.path, nil))
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s: %d %s", c.method, c.path, w.Code, w.Body)
		}
	}
}

// lost is a store that finds nothing.
type lost struct{ outbox }

func (*lost) ChangeDelivery(context.Context, string, string, time.Time) (wire.Delivery, error) {
	return wire.Delivery{}, store.ErrNoDelivery
}
