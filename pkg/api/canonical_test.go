package api

import (
	"bufio"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"clauster/pkg/auth"
	"clauster/pkg/wire"
)

// TestNothingPassesTheGate: ServeMux answered some requests by itself, in HTML
// and to any Host: with 307, 400 and 404.
func TestNothingPassesTheGate(t *testing.T) {
	foreign := fixed{problem: wire.NewProblem(wire.HostRefused, "cannot answer to this name", "")}
	friend := fixed{who: auth.Principal{Kind: auth.Local, Scope: auth.ScopeWrite}}
	for _, line := range []string{"GET //x", "GET //", "GET /things/../alive", "GET /./alive", "GET /things//a", "POST //things", "GET http://evil.example", "GET http://evil.example//",
		"CONNECT evil.example:80", "CONNECT /x", "OPTIONS *", "GET *", "GET /things/a/", "OPTIONS /things/a", "GET /alive/.."} {
		for gate, want := range map[fixed]wire.Kind{foreign: wire.HostRefused, friend: ""} {
			s := &Server{Gate: gate, Table: NewTable(things{}), Log: slog.New(slog.DiscardHandler)}
			r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(line + " HTTP/1.1\r\nHost: evil.example\r\n\r\n")))
			if err != nil {
				t.Fatal(err)
			}
			w := httptest.NewRecorder()
			s.Handler(auth.WebDoor).ServeHTTP(w, r)
			if w.Code < 400 || w.Header().Get("Content-Type") != wire.ProblemType || w.Header().Get("Location") != "" || !strings.Contains(w.Body.String(), string(want)) {
				t.Errorf("%s: %d %v %s", line, w.Code, w.Header(), w.Body)
			}
		}
	}
	// What is canonical goes through.
	for _, path := range []string{"/things/a", "/things/a%2fb", "/things/%2e%2e", "/things/a:b", "/things/a%20b"} {
		s := &Server{Gate: friend, Table: NewTable(things{}), Log: slog.New(slog.DiscardHandler)}
		w := httptest.NewRecorder()
		s.Handler(auth.WebDoor).ServeHTTP(w, httptest.NewRequest("GET", path, nil))
		if w.Code != 200 {
			t.Errorf("%s: %d %s", path, w.Code, w.Body)
		}
	}
}
