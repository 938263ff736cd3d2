package api

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net/http"

	"clauster/pkg/auth"
	"clauster/pkg/wire"
)

// maxBody bounds a request's body; nothing that is asked of us is larger.
const maxBody = 64 << 10

// Request is an HTTP request whose sender is known.
type Request struct {
	*http.Request
	Principal auth.Principal
	Door      auth.Door
}

// Decode reads a JSON body strictly: one object of known fields, each once and
// spelled as it is documented.
func (r *Request) Decode(into any) *wire.Problem {
	if problem := r.mustBeJSON(); problem != nil {
		return problem
	}
	data, p := r.body()
	if p != nil {
		return p
	}
	return decode(data, into)
}

// DecodeOptional is Decode for a body that may be left out.
func (r *Request) DecodeOptional(into any) *wire.Problem {
	data, p := r.body()
	if p != nil || len(data) == 0 {
		return p
	}
	r.Body = io.NopCloser(bytes.NewReader(data))
	return r.Decode(into)
}

func (r *Request) body() ([]byte, *wire.Problem) {
	data, err := io.ReadAll(r.Body)
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return nil, wire.NewProblem(wire.TooLarge, fmt.Sprintf("cannot read the body: it is larger than %d bytes", large.Limit), "")
	case err != nil:
		return nil, unreadable("the connection ended before it did")
	}
	return data, nil
}
