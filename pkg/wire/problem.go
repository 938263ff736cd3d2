package wire

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

// Status is the HTTP status a kind is answered with. The numbers are written
// out: net/http would come along into every program that prints an Instance.
func (k Kind) Status() int {
	switch k {
	case BadRequest:
		return 400
	case Invalid:
		return 422
	case Unauthenticated:
		return 401
	case Forbidden, OriginRefused:
		return 403
	case HostRefused:
		return 421
	case NotFound:
		return 404
	case BadMethod:
		return 405
	case Conflict:
		return 409
	case TooLarge:
		return 413
	case Unsupported:
		return 415
	case Throttled:
		return 429
	case Failed:
		return 502
	case Unavailable, DoorClosed, StoreRefused:
		return 503
	}
	return 500
}

// title is HTTP's phrase for the status, as RFC 9457 wants it for about:blank.
func (k Kind) title() string {
	switch k.Status() {
	case 400:
		return "Bad Request"
	case 401:
		return "Unauthorized"
	case 403:
		return "Forbidden"
	case 404:
		return "Not Found"
	case 405:
		return "Method Not Allowed"
	case 409:
		return "Conflict"
	case 413:
		return "Request Entity Too Large"
	case 415:
		return "Unsupported Media Type"
	case 421:
		return "Misdirected Request"
	case 422:
		return "Unprocessable Entity"
	case 429:
		return "Too Many Requests"
	case 502:
		return "Bad Gateway"
	case 503:
		return "Service Unavailable"
	}
	return "Internal Server Error"
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
	return &Problem{Type: "about:blank", Title: k.title(), Code: k.Status(), Detail: detail, Kind: k, Hint: hint}
}

// Error makes a Problem an error of the client's calls.
func (p *Problem) Error() string { return p.Detail }
