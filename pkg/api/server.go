package api

import (
	"fmt"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"path"
	"runtime/debug"
	"strings"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/bridge"
	"clauster/pkg/wire"
)

// Gate admits requests; *auth.Gate is the real one.
type Gate interface {
	// Admit tells who a request comes from. The problem is set where it may
	// not come at all: a foreign Host or Origin, a wrong credential.
	Admit(r *http.Request, door auth.Door) (auth.Principal, *wire.Problem)
}

// Server answers requests on both doors.
type Server struct {
	Table Table
	Gate  Gate
	Log   *slog.Logger
	// UserMode makes the commands in hints those of the user's own manager.
	UserMode bool
	// StoreRefused gives why the database is not used, nil while it is.
	StoreRefused func() *wire.Problem
	// WebClosed gives why the web door answers nobody, nil while it does.
	WebClosed func() *wire.Problem
	// Observe, where set, counts a finished request. took is negative for a
	// Stream, which lasts as long as its reader likes.
	Observe func(route *Route, code int, took time.Duration)
}

// Handler serves one door.
func (s *Server) Handler(door auth.Door) http.Handler {
	mux := http.NewServeMux()
	seen := map[string]bool{}
	for i := range s.Table {
		route := &s.Table[i]
		if route.LocalOnly && door != auth.UnixDoor {
			continue
		}
		mux.Handle(route.Method+" "+route.Path, s.endpoint(route, door))
		if !seen[route.Path] {
			seen[route.Path] = true
			methods := s.Table.methods(route.Path)
			allow, are := strings.Join(methods, ", "), "allowed are "
			if len(methods) == 1 {
				are = "allowed is "
			}
			mux.HandleFunc(route.Path, s.nothing(door, func(w http.ResponseWriter, r *http.Request) *wire.Problem {
				w.Header().Set("Allow", allow)
				return wire.NewProblem(wire.BadMethod, fmt.Sprintf("cannot %s %s", r.Method, route.Path), are+allow)
			}))
		}
	}
	mux.HandleFunc("/", s.nothing(door, noSuchPage(door)))
	return s.guard(door, s.canonical(door, mux))
}

// canonical answers what ServeMux would answer by itself, to any Host and not as
// a problem: an HTML page that leads to the cleaned path, a plain 404 to CONNECT,
// an empty 400 to «*». All that is left to ServeMux has a handler of ours.
func (s *Server) canonical(door auth.Door, mux *http.ServeMux) http.Handler {
	stray := s.nothing(door, noSuchPage(door))
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodConnect || !cleanPath(r.URL.EscapedPath()) {
			stray(w, r)
			return
		}
		mux.ServeHTTP(w, r)
	})
}

// cleanPath reports whether ServeMux takes a path as it is.
func cleanPath(p string) bool {
	if !strings.HasPrefix(p, "/") {
		return false
	}
	clean := path.Clean(p)
	return p == clean || clean != "/" && p == clean+"/"
}

// noSuchPage hints at what the door answers: the web door has no /openapi.json
// unless api.openapi_enabled says so.
func noSuchPage(door auth.Door) func(http.ResponseWriter, *http.Request) *wire.Problem {
	list := "docs/http.md"
	if door == auth.UnixDoor {
		list = "GET /openapi.json"
	}
	return func(http.ResponseWriter, *http.Request) *wire.Problem {
		return wire.NewProblem(wire.NotFound, "cannot find such a page", list+" lists what there is")
	}
}

// nothing answers where there is no route: to who would be let in, and to
// others as any route does. A foreign page learns nothing from a 404.
func (s *Server) nothing(door auth.Door, say func(http.ResponseWriter, *http.Request) *wire.Problem) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		refused := s.closed(&Route{Method: http.MethodGet}, door)
		if refused == nil {
			_, refused = s.Gate.Admit(r, door)
		}
		if refused == nil {
			refused = say(w, r)
		}
		writeProblem(w, refused)
	}
}

// guard is around every request: headers, bounds, and the end of a panic.
func (s *Server) guard(door auth.Door, next http.Handler) http.Handler {
	// Shared by all answers: nobody changes a value, Set and Add replace it.
	always := http.Header{"X-Content-Type-Options": {"nosniff"}, "X-Frame-Options": {"DENY"}, "Referrer-Policy": {"same-origin"},
		"Cache-Control": {"no-store"}, "Content-Security-Policy": {"default-src 'none'; frame-ancestors 'none'"}}
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		maps.Copy(h, always)
		if r.TLS != nil && !local(r.Host) {
			h.Set("Strict-Transport-Security", "max-age=31536000")
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				s.Log.Error("cannot answer a request: panic", "path", r.URL.Path, "panic", fmt.Sprint(p), "stack", string(debug.Stack()))
				writeProblem(w, wire.NewProblem(wire.Internal, "cannot answer: an error of ours, which is in the journal", s.commands("journalctl -u clauster-api")))
			}
		}()
		next.ServeHTTP(w, r)
	})
}

// local tells the names of this machine itself: to a browser HTTPS for ever of
// localhost would be that of every other program's port as well.
func local(host string) bool {
	name, _, err := net.SplitHostPort(host)
	if err != nil {
		name = host
	}
	return strings.EqualFold(name, "localhost") || net.ParseIP(strings.Trim(name, "[]")) != nil
}

// endpoint admits, checks the route's access rule and writes the answer.
func (s *Server) endpoint(route *Route, door auth.Door) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		rec := &recorder{ResponseWriter: w}
		began := time.Now()
		response := s.answer(route, door, r)
		if stream, ok := response.(Stream); ok {
			response = s.watched(stream, route, door)
		}
		if refusal, ok := response.(Refusal); ok && s.UserMode {
			p := *refusal.Problem // the original may be shared
			p.Hint = s.commands(p.Hint)
			response = Refusal{&p}
		}
		response.write(rec, r)
		if s.Observe != nil {
			s.Observe(route, rec.status(), duration(response, began))
		}
	})
}

func (s *Server) commands(hint string) string {
	if s.UserMode {
		return bridge.ForUser(hint)
	}
	return hint
}

func (s *Server) answer(route *Route, door auth.Door, r *http.Request) Response {
	if p := s.closed(route, door); p != nil {
		return Refusal{p}
	}
	who, problem := s.Gate.Admit(r, door)
	if problem != nil || s.shut(door) != nil {
		who = auth.Principal{Kind: auth.Nobody, UID: -1} // whatever a faulty configuration lets them be
	}
	switch {
	case problem != nil && !(route.Bare && ours(problem.Kind)):
		return Refusal{problem}
	case !who.May(route.Access) && who.Kind == auth.Nobody:
		return Refuse(wire.Unauthenticated, "cannot answer: this socket asks for authentication",
			"log in where a password is set: POST /api/v1/login; or send a token: sudo clauster-ctl token issue LABEL makes one")
	case !who.May(route.Access):
		return Refuse(wire.Forbidden, fmt.Sprintf("cannot allow this to %s: it needs the scope %s", who, route.Access),
			fmt.Sprintf("sudo clauster-ctl token issue LABEL --scope %s", route.Access))
	}
	request := &Request{Request: r, Principal: who, Door: door}
	if problem := request.checkAsked(route); problem != nil {
		return Refusal{problem}
	}
	return route.Handle(request)
}

// ours tells refusals for want of a credential, or of what credentials are
// checked with, from those of a foreign page or an agent. Liveness is told in
// spite of them: a good token once got 503 where a bad one got 200.
func ours(k wire.Kind) bool {
	return k == wire.Unauthenticated || k == wire.StoreRefused || k == wire.DoorClosed
}

// closed is why a route is not answered now whoever asks. Without the database
// nobody's session or token can be checked on the web door, and nothing that is
// done would be remembered: this host's own door still shows what there is.
func (s *Server) closed(route *Route, door auth.Door) *wire.Problem {
	if route.Bare {
		return nil
	}
	if p := s.shut(door); p != nil {
		return p
	}
	reads := route.Method == http.MethodGet && !route.NeedsStore
	if s.StoreRefused == nil || door == auth.UnixDoor && (reads || route.LocalOnly) {
		return nil
	}
	return s.StoreRefused()
}

// shut is why a door answers nobody, nil while it does.
func (s *Server) shut(door auth.Door) *wire.Problem {
	if door != auth.WebDoor || s.WebClosed == nil {
		return nil
	}
	return s.WebClosed()
}

// recorder remembers the status code.
type recorder struct {
	http.ResponseWriter
	code int
}

// answerWait bounds how long a client may take to read its answer: one that
// does not read keeps nothing for long. Streams set their own limits, and a
// connection that is taken over has none of ours.
const answerWait = time.Minute

// WriteHeader remembers the code.
func (r *recorder) WriteHeader(code int) {
	if r.code == 0 {
		r.code = code
		_ = http.NewResponseController(r.ResponseWriter).SetWriteDeadline(time.Now().Add(answerWait))
	}
	r.ResponseWriter.WriteHeader(code)
}

// status is the code; a connection that was taken over went without.
func (r *recorder) status() int {
	if r.code == 0 {
		return http.StatusSwitchingProtocols
	}
	return r.code
}

// duration is what an answer took, negative for a Stream.
func duration(response Response, began time.Time) time.Duration {
	if _, stream := response.(Stream); stream {
		return -1
	}
	return time.Since(began)
}

// Unwrap lets http.ResponseController and WebSockets reach the connection.
func (r *recorder) Unwrap() http.ResponseWriter { return r.ResponseWriter }
