package api

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"clauster/pkg/wire"
)

// checkAsked refuses what the route would leave unread: parameters it does not
// have, and the fields of a body where it reads none. Whoever misspelt a filter
// got all there is, and a resume in another mode went on in the old one.
func (r *Request) checkAsked(route *Route) *wire.Problem {
	if problem := route.checkQuery(r.URL.RawQuery); problem != nil || route.Body != nil {
		return problem
	}
	if problem := r.checkUnread(); problem != nil || r.ContentLength == 0 {
		return problem
	}
	data, problem := r.body()
	if problem != nil || len(data) == 0 {
		return problem
	}
	if problem = decode(data, &struct{}{}); problem != nil {
		problem.Hint = "leave the body away: nothing is read from it here"
	}
	return problem
}

// checkQuery lets through what probes of liveness add to get past caches.
func (route *Route) checkQuery(raw string) *wire.Problem {
	if raw == "" || route.Bare {
		return nil
	}
	query, err := url.ParseQuery(raw)
	if err != nil {
		return wire.NewProblem(wire.BadRequest, "cannot read the query: it is not name=value pairs in percent-encoding", "")
	}
	hint, known := "this route has none", []string{}
	for _, p := range route.Query {
		known = append(known, p.Name)
		hint = "the parameters are " + strings.Join(known, ", ")
	}
	for _, name := range slices.Sorted(maps.Keys(query)) {
		if !slices.Contains(known, name) {
			return wire.NewProblem(wire.BadRequest, fmt.Sprintf("cannot read the query: there is no parameter %.64q", name), hint)
		}
	}
	return nil
}
