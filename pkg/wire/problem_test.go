package wire

import (
	"net/http"
	"testing"
)

// The phrases are written out so that net/http stays away: they are its own.
func TestTitlesAreThoseOfHTTP(t *testing.T) {
	for _, k := range Kinds() {
		p := NewProblem(k, "cannot x", "")
		if p.Title != http.StatusText(p.Code) || p.Code < 400 {
			t.Errorf("%s: %d %q, net/http says %q", k, p.Code, p.Title, http.StatusText(p.Code))
		}
	}
}
