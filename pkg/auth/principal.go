// Package auth decides who a request comes from and whether it may come at
// all: peer credentials on the unix socket; password sessions, API tokens,
// reverse-proxy identities and the scrape token on the web socket; Host and
// Origin allow-lists on every request. It knows nothing of routes: what a
// principal may do is written beside each route.
package auth

// Door is the socket a request came through.
type Door int

// The two doors.
const (
	UnixDoor Door = iota // clauster-api.socket: peers are local accounts, by SO_PEERCRED
	WebDoor              // clauster-web.socket: TCP
)

// Scope is what a principal may do.
type Scope string

// The scopes; a higher one includes those before it.
const (
	ScopeNone   Scope = ""       // liveness only
	ScopeScrape Scope = "scrape" // /metrics and nothing else
	ScopeRead   Scope = "read"
	ScopeWrite  Scope = "write"
)

// Kind is how a principal was recognised.
type Kind string

// The kinds.
const (
	Nobody  Kind = "nobody"
	Local   Kind = "local"   // a local account on the unix socket
	Open    Kind = "open"    // the web socket while auth.enabled is false
	Session Kind = "session" // password login
	Token   Kind = "token"
	Proxy   Kind = "proxy"
	Scraper Kind = "scraper"
)

// Principal is who a request comes from.
type Principal struct {
	Kind  Kind
	Name  string // login, token label or proxy user; "" for nobody
	UID   int    // of a Local one, and of an Open one of this host; else -1
	ID    string // token id, session hash
	Scope Scope
}

// May reports whether the principal has a scope.
func (p Principal) May(s Scope) bool {
	switch s {
	case ScopeNone:
		return true
	case ScopeScrape:
		return p.Scope != ScopeNone
	case ScopeRead:
		return p.Scope == ScopeRead || p.Scope == ScopeWrite
	}
	return p.Scope == ScopeWrite
}

// Known reports whether the principal is anybody at all: an open web socket
// counts, a request that has shown nothing on a guarded one does not.
func (p Principal) Known() bool { return p.Scope == ScopeRead || p.Scope == ScopeWrite }

// String names the principal for the audit and for requested events.
func (p Principal) String() string {
	if p.Name == "" {
		return string(p.Kind)
	}
	return string(p.Kind) + ":" + p.Name
}
