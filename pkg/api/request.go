package api

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
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

// Decode reads a JSON body strictly: one object of known fields.
func (r *Request) Decode(into any) *wire.Problem {
	media, _, err := mime.ParseMediaType(r.Header.Get("Content-Type"))
	if err != nil || media != "application/json" {
		return wire.NewProblem(wire.Unsupported, "cannot read the body: its Content-Type is not application/json", "send the header Content-Type: application/json")
	}
	d := json.NewDecoder(r.Body)
	d.DisallowUnknownFields()
	err = d.Decode(into)
	if err == nil {
		if _, more := d.Token(); !errors.Is(more, io.EOF) {
			err = errors.New("there is something behind the object")
		}
	}
	var large *http.MaxBytesError
	switch {
	case errors.As(err, &large):
		return wire.NewProblem(wire.TooLarge, fmt.Sprintf("cannot read the body: it is larger than %d bytes", large.Limit), "")
	case err != nil:
		return wire.NewProblem(wire.BadRequest, "cannot read the body: "+err.Error(), "")
	}
	return nil
}
