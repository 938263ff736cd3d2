package api

import (
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"clauster/pkg/auth"
	"clauster/pkg/wire"
)

// oneGate admits everybody as one principal and knows one password.
type oneGate struct{ who auth.Principal }

func (g oneGate) Admit(*http.Request, auth.Door) (auth.Principal, *wire.Problem) { return g.who, nil }

func (g oneGate) Login(_ *http.Request, password string) (*http.Cookie, *wire.Problem) {
	if password != "right" {
		return nil, wire.NewProblem(wire.Unauthenticated, "cannot log in: the password is wrong", "")
	}
	return &http.Cookie{Name: "c", Value: "v"}, nil
}

func (g oneGate) Logout(*http.Request) (*http.Cookie, *wire.Problem) {
	return &http.Cookie{Name: "c", MaxAge: -1}, nil
}

func TestAuthRoutes(t *testing.T) {
	nobody := auth.Principal{Kind: auth.Nobody}
	reader := auth.Principal{Kind: auth.Token, Name: "grafana", Scope: auth.ScopeRead}
	writer := auth.Principal{Kind: auth.Session, Name: "admin", Scope: auth.ScopeWrite}
	for _, c := range []struct {
		who          auth.Principal
		door         auth.Door
		method, path string
		body, media  string
		code         int
		want         string // in the body
	}{
		{nobody, auth.WebDoor, "POST", "/api/v1/login", `{"password":"right"}`, "application/json", 204, ""},
		{nobody, auth.WebDoor, "POST", "/api/v1/login", `{"password":"wrong"}`, "application/json", 401, "unauthenticated"},
		// A form from elsewhere needs no preflight as text/plain.
		{nobody, auth.WebDoor, "POST", "/api/v1/login", `{"password":"right"}`, "text/plain", 415, "unsupported"},
		{nobody, auth.WebDoor, "POST", "/api/v1/login", `password=right`, "application/x-www-form-urlencoded", 415, "unsupported"},
		{nobody, auth.WebDoor, "POST", "/api/v1/login", `{"password":"right","x":1}`, "application/json", 400, "bad-request"},
		{writer, auth.UnixDoor, "POST", "/api/v1/login", `{"password":"right"}`, "application/json", 409, "unix socket"},
		{nobody, auth.WebDoor, "POST", "/api/v1/logout", "", "", 401, "unauthenticated"},
		{reader, auth.WebDoor, "POST", "/api/v1/logout", "", "", 403, "forbidden"},
		{writer, auth.WebDoor, "POST", "/api/v1/logout", "", "", 204, ""},
		{nobody, auth.WebDoor, "GET", "/api/v1/whoami", "", "", 401, "unauthenticated"},
		{reader, auth.WebDoor, "GET", "/api/v1/whoami", "", "", 200, `{"kind":"token","name":"grafana","scope":"read"}`},
		{writer, auth.WebDoor, "POST", "/api/v1/tokens", "{}", "application/json", 404, "not-found"}, // never over HTTP
	} {
		g := oneGate{c.who}
		s := &Server{Table: NewTable(Auth{g}), Gate: g, Log: slog.New(slog.DiscardHandler)}
		r := httptest.NewRequest(c.method, c.path, strings.NewReader(c.body))
		r.Header.Set("Content-Type", c.media)
		w := httptest.NewRecorder()
		s.Handler(c.door).ServeHTTP(w, r)
		if w.Code != c.code || !strings.Contains(w.Body.String(), c.want) {
			t.Errorf("%s %s as %s: %d %s", c.method, c.path, c.who, w.Code, w.Body)
		}
		if w.Code == 204 && w.Header().Get("Set-Cookie") == "" {
			t.Errorf("%s: no cookie", c.path)
		}
	}
}
