package auth

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// signature is the reverse proxy's word: «t=UNIX,v1=HEX».
type signature struct {
	at  int64
	sum []byte
}

var errSignature = errors.New("it is not of the form t=SECONDS,v1=HEX")

// parseSignature reads the header of the reverse proxy.
func parseSignature(text string) (signature, error) {
	at, sum, found := strings.Cut(text, ",")
	digits, ok1 := strings.CutPrefix(at, "t=")
	text, ok2 := strings.CutPrefix(sum, "v1=")
	if !found || !ok1 || !ok2 || len(digits) > 12 || len(text) != 2*sha256.Size {
		return signature{}, errSignature
	}
	n, err := strconv.ParseUint(digits, 10, 63)
	if err != nil {
		return signature{}, errSignature
	}
	raw, err := hex.DecodeString(text)
	if err != nil {
		return signature{}, errSignature
	}
	return signature{int64(n), raw}, nil
}

// signatureOf is the HMAC-SHA256 over «user:t:METHOD:path». The path is that
// of the request line, without the query.
func signatureOf(secret, user string, at int64, method, path string) []byte {
	m := hmac.New(sha256.New, []byte(secret))
	fmt.Fprintf(m, "%s:%d:%s:%s", user, at, method, path)
	return m.Sum(nil)
}

// proxyUser is the identity that the reverse proxy vouches for, "" for none.
// The peer must be the proxy.
func (p *policy) proxyUser(r *http.Request, now time.Time) (string, error) {
	c := p.cfg.Auth.ReverseProxy
	users := r.Header.Values(c.UserHeader)
	switch {
	case len(users) == 0 || len(users) == 1 && users[0] == "":
		return "", nil
	case len(users) > 1:
		return "", fmt.Errorf("the header %s came more than once", c.UserHeader)
	case !plainUser(users[0]):
		return "", fmt.Errorf("the header %s is not a plain name of at most 128 bytes", c.UserHeader)
	}
	if !c.RequireHMAC {
		return users[0], nil
	}
	// A colon would let one signed text be read in two ways.
	if strings.Contains(users[0], ":") {
		return "", fmt.Errorf("the header %s holds a colon, which the signature cannot tell from its own", c.UserHeader)
	}
	signed := r.Header.Values(c.SharedSecretHeader)
	if c.SharedSecret == "" || len(signed) != 1 {
		return "", fmt.Errorf("the header %s is missing", c.SharedSecretHeader)
	}
	s, err := parseSignature(signed[0])
	if err != nil {
		return "", fmt.Errorf("cannot read the header %s: %w", c.SharedSecretHeader, err)
	}
	window := int64(c.HMACWindowSeconds)
	if d := now.Unix() - s.at; d > window || -d > window {
		return "", fmt.Errorf("the header %s is of another time than ours (more than %d s off)", c.SharedSecretHeader, window)
	}
	if !hmac.Equal(s.sum, signatureOf(c.SharedSecret, users[0], s.at, r.Method, r.URL.EscapedPath())) {
		return "", fmt.Errorf("the header %s does not match user, time, method and path", c.SharedSecretHeader)
	}
	return users[0], nil
}

func plainUser(s string) bool {
	return len(s) <= 128 && utf8.ValidString(s) && strings.TrimSpace(s) == s && !strings.ContainsFunc(s, func(c rune) bool { return !unicode.IsPrint(c) })
}
