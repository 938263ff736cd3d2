package ctl

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"path/filepath"

	"github.com/rogpeppe/go-internal/testscript"
)

// apiCommand is the script command `api`: an API on its socket that answers
// from the file api.json, {"METHOD PATH?QUERY": {"status": …, "body": …}}, with
// 404 for what is not in it, and notes what was asked in $WORK/asked.
func apiCommand(ts *testscript.TestScript, _ bool, _ []string) {
	socket := filepath.Join(ts.Getenv("ROOT"), "run/clauster/api.sock")
	ts.Check(os.MkdirAll(filepath.Dir(socket), 0o755))
	l, err := net.Listen("unix", socket)
	ts.Check(err)
	asked, err := os.Create(ts.MkAbs("asked"))
	ts.Check(err)
	file := ts.MkAbs("api.json")
	srv := &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = asked.WriteString(r.Method + " " + r.URL.String() + "\n")
		var answers map[string]struct {
			Status int             `json:"status"`
			Body   json.RawMessage `json:"body"`
		}
		data, err := os.ReadFile(file)
		if err != nil || json.Unmarshal(data, &answers) != nil {
			w.WriteHeader(http.StatusTeapot)
			return
		}
		a, ok := answers[r.Method+" "+r.URL.String()]
		if !ok {
			a.Status, a.Body = http.StatusNotFound, json.RawMessage(`{"detail":"cannot find it","kind":"not-found","hint":"look elsewhere","status":404}`)
		}
		if a.Status >= 400 {
			w.Header().Set("Content-Type", "application/problem+json")
		}
		w.WriteHeader(max(a.Status, http.StatusOK))
		_, _ = w.Write(a.Body)
	})}
	done := make(chan struct{})
	go func() { defer close(done); _ = srv.Serve(l) }()
	ts.Defer(func() { srv.Close(); <-done; asked.Close() })
}
