package wire

import "net/http"

// Kind is the machine-readable reason of a refusal: a closed list, and the
// only part of a Problem that a program should branch on.
type Kind string

// The kinds, each with the one HTTP status it is answered with.
const (
	BadRequest      Kind = "bad-request"     // 400: the request cannot be understood
	Invalid         Kind = "invalid"         // 422: a value breaks a rule
	Unauthenticated Kind = "unauthenticated" // 401: who are you
	Forbidden       Kind = "forbidden"       // 403: not you
	OriginRefused   Kind = "origin-refused"  // 403: a browser sent it from elsewhere
	HostRefused     Kind = "host-refused"    // 421: not a name of this server
	NotFound        Kind = "not-found"       // 404: no such thing, or not offered
	BadMethod       Kind = "bad-method"      // 405
	Conflict        Kind = "conflict"        // 409: not in this state
	TooLarge        Kind = "too-large"       // 413
	Unsupported     Kind = "unsupported"     // 415: not JSON
	Throttled       Kind = "throttled"       // 429: too many failures; Retry-After says when
	Failed          Kind = "failed"          // 502: systemd tried and it did not work; detail has the reason
	Unavailable     Kind = "unavailable"     // 503: something the answer needs is away
	DoorClosed      Kind = "door-closed"     // 503: this socket may not serve (exposure without authentication)
	StoreRefused    Kind = "store-refused"   // 503: the database cannot be used; hint has the way back
	Internal        Kind = "internal"        // 500: our fault
)

// Kinds lists them all.
func Kinds() []Kind {
	return []Kind{BadRequest, Invalid, Unauthenticated, Forbidden, OriginRefused, HostRefused, NotFound, BadMethod, Conflict,
		TooLarge, Unsupported, Throttled, Failed, Unavailable, DoorClosed, StoreRefused, Internal}
}

// Status is the HTTP status a kind is answered with.
func (k Kind) Status() int {
	switch k {
	case BadRequest:
		return http.StatusBadRequest
	case Invalid:
		return http.StatusUnprocessableEntity
	case Unauthenticated:
		return http.StatusUnauthorized
	case Forbidden, OriginRefused:
		return http.StatusForbidden
	case HostRefused:
		return http.StatusMisdirectedRequest
	case NotFound:
		return http.StatusNotFound
	case BadMethod:
		return http.StatusMethodNotAllowed
	case Conflict:
		return http.StatusConflict
	case TooLarge:
		return http.StatusRequestEntityTooLarge
	case Unsupported:
		return http.StatusUnsupportedMediaType
	case Throttled:
		return http.StatusTooManyRequests
	case Failed:
		return http.StatusBadGateway
	case Unavailable, DoorClosed, StoreRefused:
		return http.StatusServiceUnavailable
	}
	return http.StatusInternalServerError
}

// ProblemType is the media type of a Problem (RFC 9457).
const ProblemType = "application/problem+json"

// Problem is every answer that is not a success (RFC 9457, with kind and hint
// of our own). Detail is one plain sentence, «cannot …»; Hint the next command.
type Problem struct {
	Type   string `json:"type"` // always about:blank: kind says more
	Title  string `json:"title"`
	Code   int    `json:"status"`
	Detail string `json:"detail"`
	Kind   Kind   `json:"kind"`
	Hint   string `json:"hint,omitempty"`

	RetryAfter int      `json:"retry_after_seconds,omitempty"` // of Throttled
	Candidates []string `json:"candidates,omitempty"`          // of a name that means several
}

// NewProblem makes a Problem of a kind.
func NewProblem(k Kind, detail, hint string) *Problem {
	code := k.Status()
	return &Problem{Type: "about:blank", Title: http.StatusText(code), Code: code, Detail: detail, Kind: k, Hint: hint}
}

// Error makes a Problem an error of the client's calls.
func (p *Problem) Error() string { return p.Detail }
