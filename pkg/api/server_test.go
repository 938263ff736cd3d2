package api

import (
	"encoding/json"
	"io"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/wire"
)

// fixed admits everybody as one principal.
type fixed struct {
	who     auth.Principal
	problem *wire.Problem
}

func (f fixed) Admit(*http.Request, auth.Door) (auth.Principal, *wire.Problem) {
	return f.who, f.problem
}

type thing struct {
	Name string `json:"name"`
	Size *int   `json:"size,omitempty"`
}

type things struct{}

func (things) Routes() []Route {
	return []Route{
		{Method: "GET", Path: "/things/{name}", Access: auth.ScopeRead, Answer: thing{}, Summary: "One thing",
			Handle: func(r *Request) Response { return JSON{Value: thing{Name: r.PathValue("name")}} }},
		{Method: "POST", Path: "/things", Access: auth.ScopeWrite, Body: thing{}, Answer: thing{}, Summary: "A new thing",
			Query: []Param{{"dry", "only look", nil}},
			Handle: func(r *Request) Response {
				var t thing
				if p := r.Decode(&t); p != nil {
					return Refusal{p}
				}
				return JSON{Code: 201, Value: t}
			}},
		{Method: "GET", Path: "/alive", Bare: true, Handle: func(r *Request) Response { return JSON{Value: map[string]bool{"known": r.Principal.Known()}} }},
		{Method: "POST", Path: "/local", Access: auth.ScopeWrite, LocalOnly: true, Handle: func(*Request) Response { panic("broken") }},
		{Method: "GET", Path: "/kept", Access: auth.ScopeRead, NeedsStore: true, Handle: func(*Request) Response { return JSON{} }},
	}
}

func serve(t *testing.T, s *Server, door auth.Door, method, path, media, body string) (int, wire.Problem, string) {
	t.Helper()
	s.Table, s.Log = NewTable(things{}), slog.New(slog.DiscardHandler)
	r := httptest.NewRequest(method, path, strings.NewReader(body))
	if media != "" {
		r.Header.Set("Content-Type", media)
	}
	w := httptest.NewRecorder()
	s.Handler(door).ServeHTTP(w, r)
	text, _ := io.ReadAll(w.Result().Body)
	var p wire.Problem
	if strings.HasPrefix(w.Header().Get("Content-Type"), wire.ProblemType) {
		if err := json.Unmarshal(text, &p); err != nil || p.Code != w.Code || p.Detail == "" || !slices.Contains(wire.Kinds(), p.Kind) {
			t.Errorf("%s %s: a bad problem %s (%v)", method, path, text, err)
		}
	} else if w.Code >= 400 {
		t.Errorf("%s %s: %d without a problem: %s", method, path, w.Code, text)
	}
	return w.Code, p, string(text)
}

func TestAccess(t *testing.T) {
	reader := fixed{who: auth.Principal{Kind: auth.Token, Name: "ci", Scope: auth.ScopeRead}}
	writer := fixed{who: auth.Principal{Kind: auth.Local, Scope: auth.ScopeWrite}}
	nobody := fixed{who: auth.Principal{Kind: auth.Nobody}}
	wrong := fixed{problem: wire.NewProblem(wire.Unauthenticated, "cannot believe this token", "")}
	foreign := fixed{problem: wire.NewProblem(wire.HostRefused, "cannot serve this host", "")}
	unchecked := fixed{who: auth.Principal{Kind: auth.Token, Scope: auth.ScopeWrite}, problem: wire.NewProblem(wire.StoreRefused, "cannot check who you are", "")}
	unsafe := fixed{problem: wire.NewProblem(wire.DoorClosed, "cannot tell agents from people", "")}
	refused := func() *wire.Problem { return wire.NewProblem(wire.StoreRefused, "cannot use the database", "") }
	closed := func() *wire.Problem { return wire.NewProblem(wire.DoorClosed, "cannot serve", "") }
	for _, c := range []struct {
		server             Server
		door               auth.Door
		method, path, body string
		code               int
		kind               wire.Kind
	}{
		{Server{Gate: reader}, auth.WebDoor, "GET", "/things/a", "", 200, ""},
		{Server{Gate: reader}, auth.WebDoor, "HEAD", "/things/a", "", 200, ""},
		{Server{Gate: reader}, auth.WebDoor, "POST", "/things", "{}", 403, wire.Forbidden},
		{Server{Gate: writer}, auth.WebDoor, "POST", "/things", `{"name":"x"}`, 201, ""},
		{Server{Gate: writer}, auth.WebDoor, "POST", "/things", `{"name":"x"} {}`, 400, wire.BadRequest},
		{Server{Gate: writer}, auth.WebDoor, "POST", "/things", `{"nom":"x"}`, 400, wire.BadRequest},
		{Server{Gate: writer}, auth.WebDoor, "POST", "/things", `{"name":"` + strings.Repeat("x", maxBody) + `"}`, 413, wire.TooLarge},
		{Server{Gate: writer}, auth.WebDoor, "PUT", "/things", "{}", 405, wire.BadMethod},
		{Server{Gate: writer}, auth.WebDoor, "GET", "/nothing", "", 404, wire.NotFound},
		{Server{Gate: nobody}, auth.WebDoor, "GET", "/things/a", "", 401, wire.Unauthenticated},
		{Server{Gate: nobody}, auth.WebDoor, "GET", "/alive", "", 200, ""},
		{Server{Gate: wrong}, auth.WebDoor, "GET", "/alive", "", 200, ""},
		{Server{Gate: wrong}, auth.WebDoor, "GET", "/things/a", "", 401, wire.Unauthenticated},
		{Server{Gate: unchecked, StoreRefused: refused}, auth.WebDoor, "GET", "/alive", "", 200, ""},
		{Server{Gate: unchecked, StoreRefused: refused}, auth.WebDoor, "GET", "/things/a", "", 503, wire.StoreRefused},
		{Server{Gate: unsafe}, auth.WebDoor, "GET", "/alive", "", 200, ""},
		{Server{Gate: unsafe}, auth.WebDoor, "GET", "/things/a", "", 503, wire.DoorClosed},
		{Server{Gate: foreign}, auth.WebDoor, "GET", "/alive", "", 421, wire.HostRefused},
		{Server{Gate: foreign}, auth.WebDoor, "GET", "/nothing", "", 421, wire.HostRefused},
		{Server{Gate: foreign}, auth.WebDoor, "PUT", "/things", "", 421, wire.HostRefused},
		{Server{Gate: writer, WebClosed: closed}, auth.WebDoor, "GET", "/nothing", "", 503, wire.DoorClosed},
		{Server{Gate: writer}, auth.WebDoor, "POST", "/local", "{}", 404, wire.NotFound},
		{Server{Gate: writer}, auth.UnixDoor, "POST", "/local", "{}", 500, wire.Internal},
		{Server{Gate: writer, StoreRefused: refused}, auth.UnixDoor, "GET", "/kept", "", 503, wire.StoreRefused},
		{Server{Gate: writer, StoreRefused: refused}, auth.UnixDoor, "GET", "/things/a", "", 200, ""},
		{Server{Gate: writer, StoreRefused: refused}, auth.UnixDoor, "POST", "/things", "{}", 503, wire.StoreRefused},
		{Server{Gate: writer, StoreRefused: refused}, auth.UnixDoor, "POST", "/local", "{}", 500, wire.Internal},
		{Server{Gate: writer, StoreRefused: refused}, auth.WebDoor, "GET", "/things/a", "", 503, wire.StoreRefused},
		{Server{Gate: writer, StoreRefused: refused}, auth.WebDoor, "GET", "/alive", "", 200, ""},
		{Server{Gate: writer, WebClosed: closed}, auth.WebDoor, "GET", "/things/a", "", 503, wire.DoorClosed},
		{Server{Gate: writer, WebClosed: closed}, auth.WebDoor, "GET", "/alive", "", 200, ""},
		{Server{Gate: writer, WebClosed: closed}, auth.UnixDoor, "GET", "/things/a", "", 200, ""},
	} {
		media := ""
		if c.body != "" {
			media = "application/json"
		}
		code, p, text := serve(t, &c.server, c.door, c.method, c.path, media, c.body)
		if code != c.code || p.Kind != c.kind {
			t.Errorf("%s %s: %d %s, want %d %s\n%.200s", c.method, c.path, code, p.Kind, c.code, c.kind, text)
		}
	}
	for door, want := range map[auth.Door]string{auth.WebDoor: `"known":false`, auth.UnixDoor: `"known":true`} {
		if _, _, text := serve(t, &Server{Gate: writer, WebClosed: closed}, door, "GET", "/alive", "", ""); !strings.Contains(text, want) {
			t.Errorf("%v, while the web door is closed: %s", door, text)
		}
	}
	if code, p, _ := serve(t, &Server{Gate: writer}, auth.WebDoor, "POST", "/things", "text/plain", "{}"); code != 415 || p.Kind != wire.Unsupported {
		t.Errorf("text/plain: %d %s", code, p.Kind)
	}
}

// The document has every route with its parameters and types.
func TestDocument(t *testing.T) {
	data, err := json.Marshal(NewTable(things{}).Document("1", auth.WebDoor))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{`"/things/{name}":{"get":`, `"operationId":"get_things_name"`, `"name":"name","required":true`, `"name":"dry"`,
		`"#/components/schemas/thing"`, `"required":["name"]`, `"size":{"type":"integer"}`, `"application/problem+json"`} {
		if !strings.Contains(string(data), want) {
			t.Errorf("no %s in\n%s", want, data)
		}
	}
}

// The unix socket asks for no token and has routes of its own; what is read is
// strict.
func TestDocumentOfDoors(t *testing.T) {
	unix, err := json.Marshal(NewTable(things{}).Document("1", auth.UnixDoor))
	if err != nil {
		t.Fatal(err)
	}
	web, err := json.Marshal(NewTable(things{}).Document("1", auth.WebDoor))
	if err != nil {
		t.Fatal(err)
	}
	for text, there := range map[string][2]bool{`"security":[`: {false, true}, `"/local"`: {true, false}, `"additionalProperties":false`: {true, true}} {
		if got := [2]bool{strings.Contains(string(unix), text), strings.Contains(string(web), text)}; got != there {
			t.Errorf("%s: %v, want %v", text, got, there)
		}
	}
}

// TestHintsOfUserMode: a hint names the user's own manager, in the answer alone.
func TestHintsOfUserMode(t *testing.T) {
	shared := wire.NewProblem(wire.Unauthenticated, "cannot", "sudo clauster-ctl token issue x")
	for userMode, want := range map[bool]string{true: "clauster-ctl --user token issue x", false: "sudo clauster-ctl token issue x"} {
		_, p, _ := serve(t, &Server{Gate: fixed{problem: shared}, UserMode: userMode}, auth.WebDoor, "GET", "/things/a", "", "")
		if p.Hint != want {
			t.Errorf("user mode %v: hint %q, want %q", userMode, p.Hint, want)
		}
	}
	if shared.Hint != "sudo clauster-ctl token issue x" {
		t.Errorf("the gate's own problem was changed: %q", shared.Hint)
	}
}

// Browsers are told to stay with TLS, on names that are this server's alone.
func TestHSTS(t *testing.T) {
	for address, want := range map[string]string{
		"https://host.example:7621/alive": "max-age=31536000", "http://host.example:7621/alive": "",
		"https://localhost:7621/alive": "", "https://127.0.0.1:7621/alive": "", "https://[::1]:7621/alive": "", "https://host.example/alive": "max-age=31536000",
	} {
		s := &Server{Gate: fixed{}, Table: NewTable(things{}), Log: slog.New(slog.DiscardHandler)}
		w := httptest.NewRecorder()
		s.Handler(auth.WebDoor).ServeHTTP(w, httptest.NewRequest("GET", address, nil))
		if got := w.Header().Get("Strict-Transport-Security"); got != want {
			t.Errorf("%s: %q, want %q", address, got, want)
		}
	}
}

// oneConn is a listener with a single connection.
type oneConn struct {
	conn   chan net.Conn
	closed chan struct{}
}

func (l oneConn) Accept() (net.Conn, error) {
	select {
	case c := <-l.conn:
		return c, nil
	case <-l.closed:
		return nil, net.ErrClosed
	}
}
func (l oneConn) Close() error   { close(l.closed); return nil }
func (l oneConn) Addr() net.Addr { return &net.UnixAddr{} }

// TestClientThatDoesNotRead: its answer is given up.
func TestClientThatDoesNotRead(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		observed := make(chan time.Duration, 1)
		s := &Server{Gate: fixed{who: auth.Principal{Kind: auth.Local, Scope: auth.ScopeWrite}}, Log: slog.New(slog.DiscardHandler), Table: NewTable(things{}),
			Observe: func(_ *Route, _ int, took time.Duration) { observed <- took }}
		l := oneConn{make(chan net.Conn), make(chan struct{})}
		server := &http.Server{Handler: s.Handler(auth.UnixDoor)}
		go server.Serve(l)
		here, there := net.Pipe()
		defer here.Close()
		l.conn <- there
		if _, err := io.WriteString(here, "GET /things/"+strings.Repeat("x", 8<<10)+" HTTP/1.1\r\nHost: x\r\n\r\n"); err != nil {
			t.Fatal(err)
		}
		if took := <-observed; took != answerWait {
			t.Errorf("it was waited for %v", took)
		}
		server.Close()
	})
}
