package api

import (
	"context"
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"clauster/pkg/auth"
	"clauster/pkg/wire"
)

// manyFleet is a table of many bridges that do not change.
type manyFleet struct {
	fakeFleet
	all []wire.Instance
}

func (f *manyFleet) List() []wire.Instance { return f.all }

// nowhere swallows an answer, at the price of its header.
type nowhere struct{ header http.Header }

func (n *nowhere) Header() http.Header            { return n.header }
func (n *nowhere) Write(body []byte) (int, error) { return len(body), nil }
func (n *nowhere) WriteHeader(int)                {}

func benchmark(b *testing.B, path string, resources ...Resource) {
	s := &Server{Table: NewTable(resources...), Gate: admitting{writer()}}
	h, r := s.Handler(auth.UnixDoor), httptest.NewRequest(http.MethodGet, path, http.NoBody)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(&nowhere{http.Header{}}, r)
	}
}

// BenchmarkLiveness is what the server adds to net/http.
func BenchmarkLiveness(b *testing.B) { benchmark(b, "/health/live", &Health{}) }

// BenchmarkList200 lists a fleet that does not change, as pages do that ask
// again and again.
func BenchmarkList200(b *testing.B) {
	f := &manyFleet{}
	for i := range 200 {
		f.all = append(f.all, f.bridge(fmt.Sprintf("blog-%d", i)).Instance)
	}
	benchmark(b, "/api/v1/instances", NewInstances(context.Background(), f, f, func() KeyStore { return nil }))
}
