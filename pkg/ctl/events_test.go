package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/client"
	"clauster/pkg/systemd"
)

// heard gives what is written to it, write by write.
type heard chan string

func (h heard) Write(p []byte) (int, error) { h <- string(p); return len(p), nil }

// TestFollowedAPIGoesAway: events -f waited for an API that was turned off, and
// said nothing.
func TestFollowedAPIGoesAway(t *testing.T) {
	a := New("test")
	h := make(heard, 100)
	a.Root, a.UID, a.Stdout, a.Stderr, a.TalkTerminal = t.TempDir(), 0, io.Discard, h, false
	socket := a.path(client.SystemSocket)
	for _, d := range []string{filepath.Dir(socket), a.path("run/systemd/system"), a.path("sys/fs/cgroup/cgroup.controllers")} {
		if err := os.MkdirAll(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	a.Connect = func(context.Context, systemd.Manager) (Systemd, error) {
		return &fakeBus{Release: "252", Units: map[string]*fakeUnit{"clauster-api.socket": {Active: "inactive"}}}, nil
	}
	streams := make(chan struct{}, 10)
	serve := func() *httptest.Server {
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		s := &httptest.Server{Listener: l, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.URL.Path == "/api/v1/events" {
				fmt.Fprint(w, `{"events":[]}`)
				return
			}
			_ = http.NewResponseController(w).Flush()
			streams <- struct{}{}
			<-r.Context().Done()
		})}}
		s.Start()
		return s
	}
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	ended := make(chan error, 1)
	s := serve()
	go func() { ended <- a.events(ctx, &eventFlags{follow: true}) }()
	for range 2 { // what has come back may go again
		<-streams
		s.CloseClientConnections()
		s.Close()
		var said strings.Builder
		for strings.Count(said.String(), "\n") < 2 {
			select {
			case text := <-h:
				said.WriteString(text)
			case <-ctx.Done():
				t.Fatal("it says nothing")
			}
		}
		want := "warning: cannot reach the API at " + socket + ": no such file or directory: clauster-api.socket is not started; events go on once it answers\n" +
			"hint: systemctl enable --now clauster-api.socket clauster-wake.socket\n"
		if said.String() != want {
			t.Errorf("it says\n%swant\n%s", said.String(), want)
		}
		s = serve()
	}
	<-streams
	cancel()
	if err := <-ended; err != nil || len(h) > 0 {
		t.Errorf("%v, and %d lines more", err, len(h))
	}
	s.CloseClientConnections()
	s.Close()
	// Without --follow, and at the first try, it fails.
	for _, follow := range []bool{false, true} {
		var away *client.UnreachableError
		if err := a.events(t.Context(), &eventFlags{follow: follow, lines: 1}); !errors.As(err, &away) || exitCode(err) != ExitUnreachable {
			t.Errorf("follow %v: %v", follow, err)
		}
	}
}
