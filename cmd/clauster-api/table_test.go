package main

import (
	"flag"
	"os"
	"testing"

	"clauster/pkg/api"
	"clauster/pkg/auth"
)

var update = flag.Bool("update", false, "write docs/http.md")

// table is every route, with nobody behind any.
func table() api.Table {
	d := &daemon{settings: &settings{}, nouns: &nouns{}, life: nil}
	var t api.Table
	t = api.NewTable(d.resources(func() api.Table { return t })...)
	return t
}

// Both doors can be opened: no two routes mean the same request.
func TestTable(t *testing.T) {
	s := &api.Server{Table: table()}
	for _, door := range []auth.Door{auth.UnixDoor, auth.WebDoor} {
		s.Handler(door)
	}
	for _, r := range s.Table {
		if r.Summary == "" {
			t.Errorf("%s %s has no summary", r.Method, r.Path)
		}
		if r.Access == auth.ScopeNone && !r.Bare && r.Path != "/api/v1/login" && r.Path != "/health" && r.Path != "/health/ready" {
			t.Errorf("%s %s is open to everybody", r.Method, r.Path)
		}
		if r.Method != "GET" && r.Access != auth.ScopeWrite && r.Path != "/api/v1/login" {
			t.Errorf("%s %s needs only %q", r.Method, r.Path, r.Access)
		}
	}
}

// docs/http.md is what the table says: go test ./cmd/clauster-api -run TestReference -update
func TestReference(t *testing.T) {
	const path = "../../docs/http.md"
	want := table().Reference()
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(path); err != nil || string(got) != want {
		t.Errorf("docs/http.md does not say what the route table says (%v): go test ./cmd/clauster-api -run TestReference -update", err)
	}
}
