package wire

// Login is the body of POST /api/v1/login.
type Login struct {
	Password string `json:"password"`
}

// Who is the answer of GET /api/v1/whoami: how the sender was recognised, as
// whom, and what that may do.
type Who struct {
	Kind  string `json:"kind"`           // local, open, session, token, proxy
	Name  string `json:"name,omitempty"` // account, token label or proxy user
	Scope string `json:"scope"`          // read or write
}
