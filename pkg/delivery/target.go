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

// secrets are the parts of a URL that must not be in any text, and the host of
// its server, which must stay: what cannot be looked up or reached is half of
// what an error has to say.
type secrets struct {
	parts []string // the longest first: a part of a secret must not spoil the search for it
	host  string   // "" where none is known
}

// secretsOf takes a URL apart; more are secrets as they are. Short parts are
// left alone: to cut each «hook» out of a sentence hides its meaning and no key.
func secretsOf(raw string, more ...string) secrets {
	return secrets{}.with(raw).and(4, more...)
}

// secretsOfBoth takes a URL of a service apart as it was written and as it is
// sent to, which is the one that has the server's name.
func secretsOfBoth(raw, service string) secrets {
	s := secretsOf(raw).with(service)
	s.host = serverOf(service)
	return s
}

// with adds the parts of a URL.
func (s secrets) with(raw string) secrets {
	scheme, rest, _ := strings.Cut(raw, "://")
	s.host = serverOf(raw)
	if s.host == "" || strings.Trim(rest, "/") != s.host {
		s = s.and(4, raw, rest)
	}
	if u, err := url.Parse(raw); err == nil {
		pass, _ := u.User.Password()
		s = s.and(4, u.User.String(), u.User.Username(), pass, u.RawQuery, u.Fragment)
		s = s.and(8, strings.Split(u.Path, "/")...).and(8, strings.Split(u.EscapedPath(), "/")...)
		for name, values := range u.Query() {
			if !harmless(strings.ToLower(scheme), strings.ToLower(name)) {
				s = s.and(4, values...)
			}
		}
	}
	if !hostIsPublic(strings.ToLower(scheme)) {
		s = s.and(8, strings.FieldsFunc(rest, func(c rune) bool { return strings.ContainsRune("/:@?&=,", c) })...)
	}
	return s
}

// harmless reports whether a key of a service's query is known to hold no
// secret: «failed to send <redacted>» came of ifttt's events=event. In the
// URLs of webhooks any key may hold one.
func harmless(scheme, key string) bool {
	if strings.HasPrefix(scheme, "http") || strings.HasPrefix(scheme, "json") || strings.HasPrefix(scheme, "generic") {
		return key == "template" && strings.HasPrefix(scheme, "generic")
	}
	return slices.Contains([]string{"devices", "events", "host", "stream", "title", "topic"}, key)
}

// and adds parts of a least length, but for the words that the URLs of some
// services are written with: of «failed to invoke webhook» was left
// «failed to invoke web<redacted>», as slack's begin with hook.
func (s secrets) and(least int, parts ...string) secrets {
	for _, p := range parts {
		if len(p) >= least && !slices.Contains([]string{"hook", "webhook", "xoxb", "xoxp", "telegram", "shoutrrr", "notification"}, p) && !slices.Contains(s.parts, p) {
			s.parts = append(s.parts, p)
		}
	}
	slices.SortStableFunc(s.parts, func(a, b string) int { return len(b) - len(a) })
	return s
}

// serverOf gives the host of a URL where it is a server's name, "" where it
// may be a key. These are more than hostIsPublic has, whose answer is part of
// the targets' names and so must stay what it is.
func serverOf(raw string) string {
	u, err := url.Parse(raw)
	if err != nil {
		return ""
	}
	base, _, custom := strings.Cut(strings.ToLower(u.Scheme), "+")
	switch {
	case custom, hostIsPublic(base), slices.Contains([]string{"bark", "googlechat", "hangouts", "lark", "opsgenie", "pagerduty", "signal"}, base):
		return u.Hostname()
	case base == "teams":
		return u.Query().Get("host")
	}
	return ""
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
	text = s.mask(text)
	text = strings.Join(strings.Fields(redact.String(text)), " ")
	if len(text) > maxError {
		text = strings.ToValidUTF8(text[:maxError], "") + "…"
	}
	return text
}

// mask puts the mask in the place of each secret. The host is out of the way
// meanwhile, behind a byte that no shown text has, but only of secrets that are
// shorter: the others may hold it.
func (s secrets) mask(text string) string {
	const aside = "\x00"
	text, kept := strings.ReplaceAll(text, aside, ""), s.host == ""
	for _, secret := range s.parts {
		if !kept && len(secret) <= len(s.host) {
			text, kept = strings.ReplaceAll(text, s.host, aside), true
		}
		text = strings.ReplaceAll(text, secret, redact.Mask)
	}
	return strings.ReplaceAll(text, aside, s.host)
}
