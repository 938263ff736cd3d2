package auth

import (
	"net/http"
	"strings"

	"clauster/pkg/wire"
)

// proof is what a browser said about where a request comes from.
type proof int

const (
	proofNone    proof = iota // nothing: no browser, or an old one
	proofGood                 // from our own pages, or an allowed origin
	proofForeign              // from elsewhere
)

// needsProof reports whether a request changes something or opens a WebSocket,
// which no same-origin policy of browsers guards.
func needsProof(r *http.Request) bool {
	switch r.Method {
	case http.MethodGet, http.MethodHead, http.MethodOptions:
	default:
		return true
	}
	for _, v := range r.Header.Values("Upgrade") {
		if strings.Contains(strings.ToLower(v), "websocket") {
			return true
		}
	}
	return false
}

// browserProof judges Origin and Sec-Fetch-Site. An Origin must be ours or an
// allowed one whatever the method: nobody else has to read from here. Without
// one, Sec-Fetch-Site decides about unsafe requests (as http.CrossOriginProtection
// does); links from elsewhere may be followed.
func (p *policy) browserProof(r *http.Request) proof {
	origins := r.Header.Values("Origin")
	site := r.Header.Values("Sec-Fetch-Site")
	switch {
	case len(origins) > 1 || len(site) > 1:
		return proofForeign
	case len(origins) == 1:
		return p.judgeOrigin(r, origins[0], site)
	case len(site) == 0:
		return proofNone
	case site[0] == "same-origin":
		return proofGood
	case site[0] == "none":
		return proofNone // the person's own doing, as a bookmark is: no page's, ours neither
	case needsProof(r):
		return proofForeign
	}
	return proofNone
}

// judgeOrigin takes those of the configuration, and our own: the scheme and
// authority that this request was sent to (the Host was allowed already).
// Another loopback address with our port is somebody else's, an agent's perhaps.
func (p *policy) judgeOrigin(r *http.Request, text string, site []string) proof {
	o, ok := parseOrigin(text)
	if !ok {
		return proofForeign
	}
	if p.origins[o] {
		return proofGood
	}
	scheme := p.scheme(r)
	own, ok := parseHost(r.Host, defaultPort(scheme))
	if !ok || o != (origin{scheme, own}) || len(site) == 1 && site[0] != "same-origin" {
		return proofForeign
	}
	return proofGood
}

// checkBrowser refuses what a browser sent from elsewhere.
func (p *policy) checkBrowser(r *http.Request) (proof, *wire.Problem) {
	got := p.browserProof(r)
	if got != proofForeign {
		return got, nil
	}
	from := "another site"
	if o, ok := parseOrigin(r.Header.Get("Origin")); ok {
		from = o.String()
	}
	return got, wire.NewProblem(wire.OriginRefused, "cannot take this request: a browser sent it from "+from,
		"if that page may, add its origin to auth.allowed_origins in clauster.toml, then: systemctl reload-or-restart clauster-api")
}

// checkCookie asks for proof where the browser itself added the credential.
func checkCookie(r *http.Request, got proof) *wire.Problem {
	if got == proofGood || !needsProof(r) {
		return nil
	}
	return wire.NewProblem(wire.OriginRefused, "cannot take this request: it has a session cookie and no Origin, so nothing tells that our own page sent it",
		"programs send a token instead: clauster-ctl token issue LABEL")
}
