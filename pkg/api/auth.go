package api

import (
	"net/http"

	"clauster/pkg/auth"
	"clauster/pkg/wire"
)

// Logins is what the auth resource asks of the gate.
type Logins interface {
	// Login checks a password and gives the cookie of a new session.
	Login(r *http.Request, password string) (*http.Cookie, *wire.Problem)
	// Logout ends every session and gives the cookie that deletes one.
	Logout(r *http.Request) (*http.Cookie, *wire.Problem)
}

// Auth is who one is: login, logout, whoami. Tokens are made on the host only
// (clauster-ctl token): what leaks over HTTP must not make more of itself.
type Auth struct{ Logins Logins }

// Routes are the resource's rows.
func (a Auth) Routes() []Route {
	return []Route{
		{Method: "POST", Path: "/api/v1/login", Access: auth.ScopeNone, Handle: a.login, NeedsStore: true,
			Summary: "Log in by password. The answer, 204, sets a session cookie.", Body: wire.Login{}},
		{Method: "POST", Path: "/api/v1/logout", Access: auth.ScopeWrite, Handle: a.logout, NeedsStore: true,
			Summary: "Log out everywhere: every session ends. The answer is 204."},
		{Method: "GET", Path: "/api/v1/whoami", Access: auth.ScopeRead, Handle: a.whoami,
			Summary: "Tell how the sender was recognised, and what it may do.", Answer: wire.Who{}},
	}
}

func (a Auth) login(r *Request) Response {
	if r.Door == auth.UnixDoor {
		return Refuse(wire.Conflict, "cannot log in on the unix socket: it knows accounts by their uid", "")
	}
	var in wire.Login
	if problem := r.Decode(&in); problem != nil {
		return Refusal{problem}
	}
	cookie, problem := a.Logins.Login(r.Request, in.Password)
	if problem != nil {
		return Refusal{problem}
	}
	return noContent{cookie}
}

func (a Auth) logout(r *Request) Response {
	cookie, problem := a.Logins.Logout(r.Request)
	if problem != nil {
		return Refusal{problem}
	}
	return noContent{cookie}
}

func (a Auth) whoami(r *Request) Response {
	p := r.Principal
	return JSON{Value: wire.Who{Kind: string(p.Kind), Name: p.Name, Scope: string(p.Scope)}}
}

// noContent is 204 with a cookie.
type noContent struct{ cookie *http.Cookie }

func (n noContent) write(w http.ResponseWriter, _ *http.Request) {
	http.SetCookie(w, n.cookie)
	w.WriteHeader(http.StatusNoContent)
}
