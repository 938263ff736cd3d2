package api

import (
	"errors"
	"io"
	"mime"

	"clauster/pkg/wire"
)

// mustBeJSON refuses what a form can send without the browser asking first.
func (r *Request) mustBeJSON() *wire.Problem {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return wire.NewProblem(wire.Unsupported, "cannot read the body: its Content-Type is not application/json", "send the header Content-Type: application/json")
	}
	return nil
}

// checkUnread judges the body of a route that reads none: there may be none, or
// JSON. A form that restarted a bridge got 201 once.
func (r *Request) checkUnread() *wire.Problem {
	if r.ContentLength == 0 {
		return nil
	}
	problem := r.mustBeJSON()
	if problem == nil || r.ContentLength > 0 {
		return problem
	}
	// In chunks, and perhaps none.
	switch n, err := r.Body.Read(make([]byte, 1)); {
	case n == 0 && errors.Is(err, io.EOF):
		return nil
	case n == 0 && err != nil:
		return wire.NewProblem(wire.BadRequest, "cannot read the body: the connection ended before it did", "")
	}
	return problem
}
