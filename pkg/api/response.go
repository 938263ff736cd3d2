package api

import (
	"encoding/json"
	"net/http"
	"strconv"

	"clauster/pkg/door"
	"clauster/pkg/wire"
)

// Response is what a handler returns; the server writes it.
type Response interface {
	write(w http.ResponseWriter, r *http.Request)
}

// JSON answers with a value.
type JSON struct {
	Code   int // 0 is 200
	Value  any
	Header http.Header
}

func (j JSON) write(w http.ResponseWriter, _ *http.Request) {
	body, err := json.Marshal(j.Value)
	if err != nil {
		writeProblem(w, wire.NewProblem(wire.Internal, "cannot encode the answer", ""))
		return
	}
	writeBody(w, j.Code, "application/json", append(body, '\n'), j.Header)
}

// Text answers with bytes of a media type.
type Text struct {
	Media  string
	Body   []byte
	Code   int
	Header http.Header
}

func (t Text) write(w http.ResponseWriter, _ *http.Request) {
	writeBody(w, t.Code, t.Media, t.Body, t.Header)
}

func writeBody(w http.ResponseWriter, code int, media string, body []byte, more http.Header) {
	h := w.Header()
	for k, v := range more {
		h[k] = v
	}
	h.Set("Content-Type", media)
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if code == 0 {
		code = http.StatusOK
	}
	w.WriteHeader(code)
	_, _ = w.Write(body)
}

// Refusal answers with a problem.
type Refusal struct{ *wire.Problem }

func (f Refusal) write(w http.ResponseWriter, _ *http.Request) { writeProblem(w, f.Problem) }

// Refuse is a Refusal of a kind.
func Refuse(k wire.Kind, detail, hint string) Refusal {
	return Refusal{wire.NewProblem(k, detail, hint)}
}

func writeProblem(w http.ResponseWriter, p *wire.Problem) {
	body, err := json.Marshal(p)
	if err != nil {
		body = []byte(`{"title":"Internal Server Error","status":500,"kind":"internal","detail":"cannot encode the problem"}`)
	}
	h := http.Header{}
	if p.RetryAfter > 0 {
		h.Set("Retry-After", strconv.Itoa(p.RetryAfter))
	}
	if p.Kind == wire.Unauthenticated {
		h.Set("WWW-Authenticate", `Bearer realm="clauster"`)
	}
	writeBody(w, p.Code, wire.ProblemType, append(body, '\n'), h)
}

// Stream takes the connection over: server-sent events, WebSockets. It returns
// when the client has gone or the server drains (the request's context ends).
type Stream func(w http.ResponseWriter, r *http.Request)

func (s Stream) write(w http.ResponseWriter, r *http.Request) {
	r, cancel := door.Stream(r)
	defer cancel()
	s(w, r)
}
