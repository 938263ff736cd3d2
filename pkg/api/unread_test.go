package api

import (
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"clauster/pkg/auth"
)

type restarts struct{ done int }

func (r *restarts) Routes() []Route {
	return []Route{{Method: "POST", Path: "/restart", Access: auth.ScopeWrite, Handle: func(*Request) Response {
		r.done++
		return JSON{Code: http.StatusCreated}
	}}}
}

// TestFormsRestartNothing: a route that reads no body took any, a form's too.
func TestFormsRestartNothing(t *testing.T) {
	for _, c := range []struct {
		media, body string
		chunked     bool
		code        int
	}{
		{"", "", false, 201},
		{"", "", true, 201},
		{"application/x-www-form-urlencoded", "", false, 201}, // curl -d ''
		{"application/json", "{}", false, 201},
		{"application/json; charset=utf-8", "{}", true, 201},
		{"", "{}", false, 415},
		{"application/x-www-form-urlencoded", "a=b", false, 415},
		{"application/x-www-form-urlencoded", "a=b", true, 415},
		{"text/plain", "{}", false, 415},
		{"multipart/form-data; boundary=x", "--x--", false, 415},
	} {
		r := &restarts{}
		s := &Server{Gate: fixed{who: auth.Principal{Kind: auth.Session, Scope: auth.ScopeWrite}}, Table: NewTable(r), Log: slog.New(slog.DiscardHandler)}
		var body io.Reader = strings.NewReader(c.body)
		if c.chunked {
			body = io.MultiReader(body) // of no length that is known
		}
		req := httptest.NewRequest("POST", "/restart", body)
		req.Header.Set("Content-Type", c.media)
		w := httptest.NewRecorder()
		s.Handler(auth.WebDoor).ServeHTTP(w, req)
		if w.Code != c.code || (r.done == 1) != (c.code == 201) {
			t.Errorf("%+v: %d, done %d times: %s", c, w.Code, r.done, w.Body)
		}
	}
}
