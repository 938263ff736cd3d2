package api

import (
	"context"
	"errors"
	"net/http"
	"strconv"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/bridge"
	"clauster/pkg/home"
	"clauster/pkg/project"
	"clauster/pkg/terminal"
	"clauster/pkg/wire"
)

// Home is what the projects need of the bridge user's home; *home.Client is
// the real one.
type Home interface {
	Projects(ctx context.Context) (home.Projects, home.Age, error)
	Project(ctx context.Context, name string) (project.Facts, home.Age, error)
}

// Projects is the resource of the directories below projects_root.
type Projects struct {
	Host string
	Home Home
	// Instances lists the instances of every project, by its name.
	Instances func() map[string][]string
	// MayBypass tells whether root allows bypassPermissions in a project.
	MayBypass func(project string) bool
}

// homeTime is how long an answer of the bridge user's home is waited for; the
// home bounds itself tighter.
const homeTime = 10 * time.Second

// Routes gives its two routes.
func (p *Projects) Routes() []Route {
	return []Route{
		{Method: http.MethodGet, Path: "/api/v1/projects", Access: auth.ScopeRead, Handle: p.list, Answer: []wire.Project{},
			Summary: "The directories below projects_root in which bridges can run, by name; at most 5 seconds old, or as old as the header Age says"},
		{Method: http.MethodGet, Path: "/api/v1/projects/{name}", Access: auth.ScopeRead, Handle: p.get, Answer: wire.Project{},
			Summary: "One project"},
	}
}

func (p *Projects) list(r *Request) Response {
	ctx, cancel := context.WithTimeout(r.Context(), homeTime)
	defer cancel()
	found, age, err := p.Home.Projects(ctx)
	if err != nil {
		return homeRefusal("list projects", err)
	}
	instances := p.Instances()
	all := make([]wire.Project, len(found.Projects))
	for i, f := range found.Projects {
		all[i] = p.project(f, instances)
	}
	return JSON{Value: all, Header: ageHeader(age)}
}

func (p *Projects) get(r *Request) Response {
	name := r.PathValue("name")
	if err := bridge.CheckProject(name); err != nil {
		return Refuse(wire.NotFound, err.Error(), "GET /api/v1/projects lists what there is")
	}
	ctx, cancel := context.WithTimeout(r.Context(), homeTime)
	defer cancel()
	f, age, err := p.Home.Project(ctx, name)
	if err != nil {
		return homeRefusal("show the project "+name, err)
	}
	return JSON{Value: p.project(f, p.Instances()), Header: ageHeader(age)}
}

func (p *Projects) project(f project.Facts, instances map[string][]string) wire.Project {
	w := wire.Project{Host: p.Host, Name: f.Name, Path: terminal.Clean(f.Path), IsGitRepo: f.Git, GitBranch: f.Branch,
		HasClaudeMD: f.HasClaudeMD, HasClaudeDir: f.HasClaudeDir, TrustState: "untrusted",
		AllowBypassPermissions: p.MayBypass(f.Name), Instances: instances[f.Name]}
	if f.Trusted {
		w.TrustState = "trusted"
	}
	if w.Instances == nil {
		w.Instances = []string{}
	}
	return w
}

// ageHeader marks an answer that is older than it should be (RFC 9111: Age in
// seconds).
func ageHeader(age home.Age) http.Header {
	if !age.Stale {
		return nil
	}
	return http.Header{"Age": {strconv.Itoa(int(time.Since(age.At).Seconds()))}}
}

// homeRefusal says why the bridge user's home gives no answer.
func homeRefusal(what string, err error) Response {
	var refused *home.Error
	hint := "systemctl status clauster-home.service"
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" {
		hint = hinted.Hint()
	}
	if errors.As(err, &refused) && refused.Kind == home.RefusedNotFound {
		return Refuse(wire.NotFound, "cannot "+what+": "+refused.Message, hint)
	}
	return Refuse(wire.Unavailable, "cannot "+what+": "+err.Error(), hint)
}
