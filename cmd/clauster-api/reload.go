package main

import (
	"context"
	"net/http"
	"path/filepath"

	"clauster/pkg/api"
	"clauster/pkg/auth"
	"clauster/pkg/client"
	"clauster/pkg/wire"
)

// reload is ExecReload=: it asks the running API to read its configuration
// again, so that a faulty one fails the reload with its sentence.
func reload(ctx context.Context, w world, _ []string) error {
	return w.client().Call(ctx, http.MethodPost, "/api/v1/reload", struct{}{}, nil)
}

// client speaks to the API of the manager that is meant.
func (w world) client() *client.Client {
	if w.userMode {
		return client.New(filepath.Join(w.getenv("XDG_RUNTIME_DIR"), "clauster/api.sock"))
	}
	return client.New(client.SystemSocket)
}

// reloader is the other end of it.
type reloader struct{ settings *settings }

// Routes gives its one route.
func (r *reloader) Routes() []api.Route {
	return []api.Route{{Method: http.MethodPost, Path: "/api/v1/reload", Access: auth.ScopeWrite, LocalOnly: true, Handle: r.post,
		Summary: "Read the configuration again; a faulty one is refused and the old one stays (systemctl reload clauster-api)"}}
}

func (r *reloader) post(*api.Request) api.Response {
	if p := r.settings.load(); p != nil {
		return api.Refusal{Problem: wire.NewProblem(wire.Invalid, p.Detail+"; the one before stays in force", p.Hint)}
	}
	return api.Text{Code: http.StatusNoContent, Media: "application/json"}
}
