package api

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"clauster/pkg/home"
	"clauster/pkg/project"
	"clauster/pkg/wire"
)

// fakeHome has one project.
type fakeHome struct {
	err error
	age home.Age
}

func (f fakeHome) Projects(context.Context) (home.Projects, home.Age, error) {
	return home.Projects{Root: "/p", Projects: []project.Facts{{Name: "a", Path: "/p/a", Git: true, Branch: "main", Trusted: true}, {Name: "b", Path: "/p/b\x1b[31m"}}}, f.age, f.err
}

func (f fakeHome) Project(_ context.Context, name string) (project.Facts, home.Age, error) {
	if name != "a" {
		return project.Facts{}, f.age, &home.Error{Kind: home.RefusedNotFound, Message: "there is no project " + name}
	}
	return project.Facts{Name: "a", Path: "/p/a"}, f.age, f.err
}

// askProjects calls a handler as the server would.
func askProjects(p *Projects, path string) (code int, header http.Header, body string) {
	mux := http.NewServeMux()
	for _, route := range p.Routes() {
		mux.HandleFunc(route.Method+" "+route.Path, func(w http.ResponseWriter, r *http.Request) {
			route.Handle(&Request{Request: r}).write(w, r)
		})
	}
	w := httptest.NewRecorder()
	mux.ServeHTTP(w, httptest.NewRequest(http.MethodGet, path, nil))
	data, _ := io.ReadAll(w.Result().Body)
	return w.Code, w.Header(), string(data)
}

// TestProjects: the list with instances and root's ceiling, one, and none.
func TestProjects(t *testing.T) {
	p := &Projects{Host: "h", Home: fakeHome{}, Instances: func() map[string][]string { return map[string][]string{"a": {"a", "a:x"}} },
		MayBypass: func(name string) bool { return name == "b" }}
	code, header, body := askProjects(p, "/api/v1/projects")
	want := `[{"host":"h","name":"a","path":"/p/a","is_git_repo":true,"git_branch":"main","has_claude_md":false,"has_claude_dir":false,"trust_state":"trusted","allow_bypass_permissions":false,"instances":["a","a:x"]},` +
		`{"host":"h","name":"b","path":"/p/b","is_git_repo":false,"has_claude_md":false,"has_claude_dir":false,"trust_state":"untrusted","allow_bypass_permissions":true,"instances":[]}]`
	if code != http.StatusOK || !sameJSON(body, want) || header.Get("Age") != "" {
		t.Errorf("%d %v %s", code, header, body)
	}
	if code, _, body := askProjects(p, "/api/v1/projects/a"); code != http.StatusOK || !strings.Contains(body, `"instances":["a","a:x"]`) {
		t.Errorf("%d %s", code, body)
	}
	for _, name := range []string{"none", "%2e%2e%2fetc", "a%0a", "a%00", ".hidden", strings.Repeat("x", 65)} {
		code, _, body := askProjects(p, "/api/v1/projects/"+name)
		var problem wire.Problem
		if err := json.Unmarshal([]byte(body), &problem); err != nil || code != http.StatusNotFound || problem.Kind != wire.NotFound {
			t.Errorf("%s: %d %s", name, code, body)
		}
	}
}

// TestProjectsWithoutHome: a home that is away is 503 with its hint, an old
// answer says how old it is.
func TestProjectsWithoutHome(t *testing.T) {
	p := &Projects{Instances: func() map[string][]string { return nil }, MayBypass: func(string) bool { return false }}
	p.Home = fakeHome{err: &home.UnreachableError{Socket: "/s", Err: errors.New("refused")}}
	for _, path := range []string{"/api/v1/projects", "/api/v1/projects/a"} {
		code, _, body := askProjects(p, path)
		if code != http.StatusServiceUnavailable || !strings.Contains(body, `"kind":"unavailable"`) || !strings.Contains(body, "clauster-home.socket") {
			t.Errorf("%s: %d %s", path, code, body)
		}
	}
	p.Home = fakeHome{age: home.Age{At: time.Now().Add(-time.Minute), Stale: true}}
	if code, header, _ := askProjects(p, "/api/v1/projects"); code != http.StatusOK || header.Get("Age") != "60" {
		t.Errorf("%d %v", code, header)
	}
}

func sameJSON(a, b string) bool {
	var x, y any
	if json.Unmarshal([]byte(a), &x) != nil || json.Unmarshal([]byte(b), &y) != nil {
		return false
	}
	p, _ := json.Marshal(x)
	q, _ := json.Marshal(y)
	return string(p) == string(q)
}
