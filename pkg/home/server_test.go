package home

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log/slog"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/project"
)

// refuser knows one project.
type refuser struct{}

func (refuser) Claude(context.Context) (Claude, error) { return Claude{Version: "2.1.330"}, nil }
func (refuser) Auth(context.Context) (Auth, error) {
	return Auth{}, errors.New("cannot ask")
}
func (refuser) Projects(ctx context.Context) (Projects, error) {
	return Projects{Root: "/p", Projects: []project.Facts{{Name: "hello"}}}, nil
}
func (refuser) Project(_ context.Context, name string) (project.Facts, error) {
	if err := bridge.CheckProject(name); err != nil {
		return project.Facts{}, &Error{RefusedRequest, err.Error(), ""}
	}
	if name != "hello" {
		return project.Facts{}, &Error{RefusedNotFound, "no", ""}
	}
	return project.Facts{Name: name}, nil
}

// serve runs a server until the test ends; done gives the end of Serve.
func serve(t *testing.T, s *Server) (socket string, done <-chan error) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "home.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket})
	if err != nil {
		t.Fatal(err)
	}
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.UIDs == nil {
		s.UIDs = []int{os.Geteuid()}
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- s.Serve(ctx, l, nil); close(ended) }()
	t.Cleanup(func() {
		cancel()
		<-ended
	})
	return socket, ended
}

func client(t *testing.T, socket string) *Client {
	t.Helper()
	c := NewClient(socket, "test")
	t.Cleanup(c.Close)
	return c
}

// TestCalls: the four calls, and their refusals.
func TestCalls(t *testing.T) {
	socket, _ := serve(t, &Server{Facts: refuser{}})
	c := client(t, socket)
	if v, _, err := c.ClaudeVersion(t.Context()); err != nil || v.Version != "2.1.330" {
		t.Errorf("%+v %v", v, err)
	}
	if _, _, err := c.AuthStatus(t.Context()); err == nil || err.Error() != "cannot ask" {
		t.Errorf("%v", err)
	}
	if p, _, err := c.Projects(t.Context()); err != nil || len(p.Projects) != 1 {
		t.Errorf("%+v %v", p, err)
	}
	if p, _, err := c.Project(t.Context(), "hello"); err != nil || p.Name != "hello" {
		t.Errorf("%+v %v", p, err)
	}
	var e *Error
	if _, _, err := c.Project(t.Context(), "other"); !errors.As(err, &e) || e.Kind != RefusedNotFound {
		t.Errorf("%v", err)
	}
	for _, name := range []string{"", "..", "a/b", "a\nb"} {
		var bad *bridge.NameError
		if _, _, err := c.Project(t.Context(), name); !errors.As(err, &bad) {
			t.Errorf("%q: %v", name, err)
		}
	}
	if l := c.Login(); !l.ClaudeOK || l.ClaudeVersion != "2.1.330" || l.LoginOK || l.Err == nil {
		t.Errorf("%+v", l)
	}
}

// TestServerRefuses: whoever may not ask, what is not understood, and all while
// there is nobody to answer as.
func TestServerRefuses(t *testing.T) {
	stranger, _ := serve(t, &Server{Facts: refuser{}, UIDs: []int{os.Geteuid() + 1}})
	faulty, _ := serve(t, &Server{Refused: &Error{RefusedConfig, "no user", "write one"}})
	good, _ := serve(t, &Server{Facts: refuser{}})
	for _, test := range []struct {
		name, socket string
		request      Request
		kind         ErrorKind
	}{
		{"a stranger", stranger, Request{Version: 1, MinVersion: 1, Call: CallClaude}, RefusedDenied},
		{"no bridge user", faulty, Request{Version: 1, MinVersion: 1, Call: CallClaude}, RefusedConfig},
		{"an unknown call", good, Request{Version: 1, MinVersion: 1, Call: "rm"}, RefusedRequest},
		{"a path", good, Request{Version: 1, MinVersion: 1, Call: CallProject, Project: "../etc"}, RefusedRequest},
		{"a newer client", good, Request{Version: 9, MinVersion: 8, Call: CallClaude}, RefusedVersion},
		{"no version", good, Request{Call: CallClaude}, RefusedVersion},
		{"a large request", good, Request{Version: 1, MinVersion: 1, Call: CallProject, Project: strings.Repeat("x", MaxRequest)}, RefusedRequest},
	} {
		conn, err := net.Dial("unix", test.socket)
		if err != nil {
			t.Fatal(err)
		}
		_ = WriteFrame(conn, test.request, 1<<20) // may be cut off
		var a Answer
		if err := ReadFrame(conn, &a, MaxAnswer); err != nil || a.Error == nil || a.Error.Kind != test.kind || a.Version != Version {
			t.Errorf("%s: %+v %v", test.name, a.Error, err)
		}
		conn.Close()
	}
}

// TestSilentPeer: who connects and says nothing is let go, and keeps nobody
// else waiting.
func TestSilentPeer(t *testing.T) {
	socket, _ := serve(t, &Server{Facts: refuser{}})
	silent, err := net.Dial("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	if _, _, err := client(t, socket).ClaudeVersion(t.Context()); err != nil {
		t.Error(err)
	}
	_ = silent.SetReadDeadline(time.Now().Add(10 * time.Second))
	var a Answer
	if err := ReadFrame(silent, &a, MaxAnswer); err != nil || a.Error == nil {
		t.Errorf("%+v %v", a, err)
	}
}

// TestServerEnds: by idleness, by age, when told to; never over a question.
func TestServerEnds(t *testing.T) {
	leave := make(chan struct{}, 1)
	leave <- struct{}{}
	for name, s := range map[string]*Server{
		"idle": {idle: 10 * time.Millisecond}, "old": {life: 10 * time.Millisecond}, "told": {Leave: leave},
		"faulty": {Refused: &Error{RefusedConfig, "a fault", ""}}, // whoever mends it does not wait
	} {
		s.Facts = refuser{}
		_, done := serve(t, s)
		select {
		case err := <-done:
			if err != nil {
				t.Errorf("%s: %v", name, err)
			}
		case <-time.After(10 * time.Second):
			t.Errorf("%s: it goes on", name)
		}
	}
	held := make(chan struct{})
	socket, done := serve(t, &Server{Facts: slow{release: held}, life: time.Millisecond})
	got := make(chan error, 1)
	go func() {
		_, _, err := client(t, socket).ClaudeVersion(context.Background())
		got <- err
	}()
	select {
	case <-done:
		// It was old before the question came: systemd would start the next.
		close(held)
		<-got
	case held <- struct{}{}:
		if err := <-got; err != nil {
			t.Errorf("old with a question open: %v", err)
		}
	}
}

// slow answers when released.
type slow struct {
	refuser
	release chan struct{}
}

func (s slow) Claude(context.Context) (Claude, error) {
	<-s.release
	return Claude{Version: "1"}, nil
}

// TestWatchdogIsFed from the loop.
func TestWatchdogIsFed(t *testing.T) {
	fed := make(chan struct{}, 100)
	serve(t, &Server{Facts: refuser{}, Watchdog: time.Millisecond, Alive: func() {
		select {
		case fed <- struct{}{}:
		default:
		}
	}})
	for range 3 {
		<-fed
	}
}

// TestUnreachable: nobody, and somebody who talks nonsense.
func TestUnreachable(t *testing.T) {
	var u *UnreachableError
	if _, _, err := client(t, filepath.Join(t.TempDir(), "none")).Projects(t.Context()); !errors.As(err, &u) || u.Hint() == "" {
		t.Errorf("%v", err)
	}
	for _, nonsense := range []string{"", "HTTP/1.1 400 Bad Request\r\n", "\x00\x00\x00\x02{}", "\x00\x00\x00\x1f{\"version\":1,\"min_version\":1}  "} {
		socket := filepath.Join(t.TempDir(), "s")
		l, err := net.Listen("unix", socket)
		if err != nil {
			t.Fatal(err)
		}
		done := make(chan struct{})
		go func() {
			defer close(done)
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = io.Copy(conn, bytes.NewBufferString(nonsense))
			conn.Close()
		}()
		if p, _, err := client(t, socket).Projects(t.Context()); err == nil {
			t.Errorf("%q: %+v", nonsense, p)
		}
		l.Close()
		<-done
	}
}
