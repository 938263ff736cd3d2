package api

import (
	"net/http"
	"slices"
	"strings"

	"clauster/pkg/auth"
)

// Route is one row of the table.
type Route struct {
	Method string     // GET also answers HEAD
	Path   string     // as net/http.ServeMux takes it, without method
	Access auth.Scope // the least that a principal needs
	Handle func(*Request) Response

	// What follows is for the OpenAPI document and docs/http.md.
	Summary string
	Query   []Param
	Headers []Param // those that it reads, beside HTTP's own
	Body    any     // an example of the JSON body's type, or Optional; nil where none is read
	Answer  any     // an example of the answer's type, nil where it is no JSON
	Media   string  // media type of the answer where it is no JSON

	// Bare routes are answered on every door, in every state: liveness.
	Bare bool
	// NeedsStore routes answer 503 store-refused while the database is refused.
	NeedsStore bool
	// LocalOnly routes exist on the unix socket alone.
	LocalOnly bool
}

// Param is one parameter of a query or a header.
type Param struct {
	Name, Doc string
	Schema    Schema // nil for any text
}

// Optional as a Route's Body is one that may be left out.
type Optional struct{ Body any }

// OneOf as a Route's Answer is an answer of one of several types.
type OneOf []any

// Resource is a noun with its routes.
type Resource interface{ Routes() []Route }

// Table is every route, in the order of the document.
type Table []Route

// NewTable collects the routes of resources.
func NewTable(resources ...Resource) Table {
	var t Table
	for _, r := range resources {
		t = append(t, r.Routes()...)
	}
	slices.SortStableFunc(t, func(a, b Route) int { return strings.Compare(a.Path, b.Path) })
	return t
}

// methods lists the methods of a path.
func (t Table) methods(path string) []string {
	var all []string
	for _, r := range t {
		if r.Path == path {
			all = append(all, r.Method)
			if r.Method == http.MethodGet {
				all = append(all, http.MethodHead)
			}
		}
	}
	return all
}
