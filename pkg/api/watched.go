package api

import (
	"context"
	"net/http"
	"time"

	"clauster/pkg/auth"
)

// lookEvery is how often an open stream is judged again. The documents promise
// an end within five seconds; a look takes a part of them.
const lookEvery = 4 * time.Second

// watched is a stream that ends when its request would not be let in any more.
// `clauster-api token revoke` writes into the database from another process, a
// session ends at another request, a reload shuts a door: nothing tells a
// stream of them, and streams went on for days with a token that was revoked.
func (s *Server) watched(stream Stream, route *Route, door auth.Door) Stream {
	return func(w http.ResponseWriter, r *http.Request) {
		ctx, end := context.WithCancel(r.Context())
		defer end()
		go s.watch(r.WithContext(auth.Again(ctx, time.Now())), route, door, end)
		stream(w, r.WithContext(ctx))
	}
}

// watch calls end when the request may not be answered any more; it returns with
// the request's context.
func (s *Server) watch(r *http.Request, route *Route, door auth.Door, end func()) {
	tick := time.NewTicker(lookEvery)
	defer tick.Stop()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-tick.C:
		}
		if !s.still(r, route, door) && r.Context().Err() == nil {
			s.Log.Info("a stream ends: who reads it may not any longer", "path", r.URL.Path)
			end()
			return
		}
	}
}

// still reports whether a request that was let in would be let in now. What is
// said of the store's state is left to the gate, which needs it or not: the unix
// door does not.
func (s *Server) still(r *http.Request, route *Route, door auth.Door) bool {
	if s.shut(door) != nil {
		return false
	}
	who, problem := s.Gate.Admit(r, door)
	return problem == nil && who.May(route.Access)
}
