package auth

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"net/url"
	"strings"

	"clauster/pkg/wire"
)

// The beginnings of tokens, by which a secret scanner and the gate know them.
const (
	TokenPrefix       = "clauster_pat_"
	ScrapeTokenPrefix = "clauster_metrics_"
)

// maxToken bounds what is hashed of an Authorization header, in bytes.
const maxToken = 512

// NewToken mints a secret: the prefix and 32 random bytes in 43 url-safe
// characters. Only HashToken of it is kept.
func NewToken(prefix string) string { return prefix + randomText() }

// HashToken is what is kept of a token: its SHA-256 in hex. A token is random,
// so nothing slow is needed.
func HashToken(token string) string {
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:])
}

func randomText() string {
	raw := make([]byte, 32)
	_, _ = rand.Read(raw) // never fails
	return base64.RawURLEncoding.EncodeToString(raw)
}

// same compares two hashes in constant time; an empty one is like nothing.
func same(a, b string) bool {
	return a != "" && subtle.ConstantTimeCompare([]byte(a), []byte(b)) == 1
}

// checkAddress refuses one that holds a token, plainly or escaped: it is in logs,
// histories and Referer headers by now. A query that cannot be read is refused,
// too, in words of its own: nothing tells what is in it.
func checkAddress(u *url.URL) *wire.Problem {
	query, err := url.QueryUnescape(u.RawQuery)
	for _, part := range []string{u.Path, u.RawPath, u.RawQuery, u.Opaque, query} {
		if holdsToken(part) {
			return wire.NewProblem(wire.BadRequest, "cannot take a token in the address: it is in logs and histories now",
				"send it as the header Authorization: Bearer TOKEN, and replace this one: clauster-ctl token rotate ID")
		}
	}
	if err != nil {
		return wire.NewProblem(wire.BadRequest, "cannot read the query of the address: "+err.Error(), "write a percent sign as %25")
	}
	return nil
}

func holdsToken(s string) bool {
	return strings.Contains(s, TokenPrefix) || strings.Contains(s, ScrapeTokenPrefix)
}
