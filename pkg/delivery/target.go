package delivery

import (
	"crypto/sha256"
	"encoding/hex"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"clauster/pkg/redact"
)

// The channels.
const (
	Webhook      = "webhook"
	Notification = "notification"
)

// key names a target: what the outbox keeps of it.
type key struct{ channel, target string }

// targetName names a URL without its secrets: scheme, host where the host is
// no secret, and 8 hex digits of its SHA-256.
func targetName(raw string) string {
	sum := sha256.Sum256([]byte(raw))
	short := "#" + hex.EncodeToString(sum[:4])
	scheme, _, _ := strings.Cut(raw, ":")
	scheme = strings.ToLower(scheme)
	u, err := url.Parse(raw)
	if err != nil || !hostIsPublic(scheme) {
		return scheme + "://" + short // the URL of a service may have its key where others have the host
	}
	return scheme + "://" + u.Host + short
}

// hostIsPublic reports whether the host in a URL is a server's name.
func hostIsPublic(scheme string) bool {
	scheme, _, _ = strings.Cut(scheme, "+")
	return slices.Contains([]string{"http", "https", "smtp", "ntfy", "gotify", "generic", "matrix", "mattermost", "rocketchat", "zulip", "json", "jsons", "gotifys"}, scheme)
}

// maxError bounds the text of an error that is kept.
const maxError = 300

// secrets are the parts of a URL that must not be in any text.
type secrets []string

// secretsOf takes a URL apart; more are secrets as they are. Short parts are
// left alone: to cut each «hook» out of a sentence hides its meaning and no key.
func secretsOf(raw string, more ...string) secrets {
	var s secrets
	add := func(least int, parts ...string) {
		for _, p := range parts {
			if len(p) >= least && !slices.Contains(s, p) {
				s = append(s, p)
			}
		}
	}
	scheme, rest, _ := strings.Cut(raw, "://")
	add(4, raw, rest)
	add(4, more...)
	if u, err := url.Parse(raw); err == nil {
		pass, _ := u.User.Password()
		add(4, u.User.String(), u.User.Username(), pass, u.RawQuery, u.Fragment)
		add(8, strings.Split(u.Path, "/")...)
		add(8, strings.Split(u.EscapedPath(), "/")...)
		for _, values := range u.Query() {
			add(4, values...)
		}
	}
	if !hostIsPublic(strings.ToLower(scheme)) {
		add(8, strings.FieldsFunc(rest, func(c rune) bool { return strings.ContainsRune("/:@?&=,", c) })...)
	}
	// The longest first: a part of a secret must not spoil the search for it.
	slices.SortStableFunc(s, func(a, b string) int { return len(b) - len(a) })
	return s
}

// anyURL finds URLs in errors of libraries: they carry keys in their paths.
var anyURL = regexp.MustCompile(`[a-zA-Z][a-zA-Z0-9+.-]*://[^\s"'<>]+`)

// clean makes an error's text fit to be kept and shown.
func (s secrets) clean(err error) string {
	text := anyURL.ReplaceAllStringFunc(err.Error(), func(found string) string {
		scheme, rest, _ := strings.Cut(found, "://")
		host, _, more := strings.Cut(rest, "/")
		if _, after, userinfo := strings.Cut(host, "@"); userinfo {
			host = after
		}
		host, _, query := strings.Cut(host, "?")
		if more || query {
			host += "/…"
		}
		return scheme + "://" + host
	})
	for _, secret := range s {
		text = strings.ReplaceAll(text, secret, redact.Mask)
	}
	text = strings.Join(strings.Fields(redact.String(text)), " ")
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + "…"
	}
	return text
}
