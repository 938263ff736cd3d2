package config

import (
	"encoding/json"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// What the sender's services want of the parts of a URL besides its query.
// Each is told the query's first values by name.

// nothingElse is for services whose host is enough.
func nothingElse(*url.URL, map[string]string) bool { return true }

// keyed is for services that have their key where others have a password.
func keyed(u *url.URL, _ map[string]string) bool {
	password, _ := u.User.Password()
	return password != ""
}

// goodPath is for services that have their key or topic in the path.
func goodPath(u *url.URL, _ map[string]string) bool { return len(u.Path) > 1 }

func goodDiscord(u *url.URL, _ map[string]string) bool {
	token := u.User.Username()
	return token != "" && !strings.Contains(token, "/") && (u.Path == "" || u.Path == "/raw")
}

func goodGotify(u *url.URL, q map[string]string) bool {
	path := strings.TrimSuffix(u.Path, "/")
	var extras map[string]any
	return matches(`^A[a-zA-Z0-9._-]{14}$`, path[strings.LastIndexByte(path, '/')+1:]) &&
		(q["extras"] == "" || json.Unmarshal([]byte(q["extras"]), &extras) == nil)
}

// goodIFTTT: the value that the message takes, the second one unless told, is
// not the title's.
func goodIFTTT(u *url.URL, q map[string]string) bool {
	message := q["messagevalue"]
	if message == "" {
		message = "2"
	}
	return u.Hostname() != "" && q["events"] != "" && q["titlevalue"] != message
}

// goodMatrix: the sender falls over a room without a name.
func goodMatrix(u *url.URL, q map[string]string) bool {
	for _, key := range []string{"room", "rooms"} {
		if rooms, set := q[key]; set && slices.Contains(strings.Split(rooms, ","), "") {
			return false
		}
	}
	return keyed(u, q)
}

const (
	phone = `\+?[0-9\s)(+-]+`
	group = `group\.[a-zA-Z0-9_+/=-]+`
)

func goodSignal(u *url.URL, _ map[string]string) bool {
	return matches(`^`+phone+`(/(`+phone+`|`+group+`))+$`, strings.Trim(u.Path, "/"))
}

// goodSlack: a token has the form that Slack gives it, in the user's place or,
// as formerly, in that of host and path.
func goodSlack(u *url.URL, _ map[string]string) bool {
	token := u.User.String()
	if len(u.Path) > 1 {
		token = u.Hostname() + u.Path
	}
	const word, end = `[A-Z0-9]{9,}`, `[A-Za-z0-9]{24,}`
	return matches(`^((xox.|hook)[-:]|:?)(`+word+`-`+word+`-`+end+`|`+word+`/`+word+`/`+end+`|`+word+`,`+word+`,`+end+`)$`, token)
}

func goodSMTP(_ *url.URL, q map[string]string) bool {
	return given(q, "from", "fromaddress") && given(q, "to", "toaddresses")
}

// given reports whether a value is there by one of its names, and not empty by
// another.
func given(q map[string]string, names ...string) bool {
	found := false
	for _, name := range names {
		value, set := q[name]
		if set && value == "" {
			return false
		}
		found = found || set
	}
	return found
}

func goodTeams(u *url.URL, q map[string]string) bool {
	const id = `^[0-9a-f-]{36}$`
	return matches(id, u.User.Username()) && matches(id, u.Hostname()) && matches(`^/[0-9a-f]{32}/[0-9a-f-]{36}/[^/]+$`, u.Path) &&
		matches(`^[a-zA-Z0-9-]+\.webhook\.office\.com$`, q["host"])
}

func goodTelegram(u *url.URL, q map[string]string) bool {
	key, _ := u.User.Password()
	return matches(`^[0-9]+$`, u.User.Username()) && matches(`^[a-zA-Z0-9_-]+$`, key) && given(q, "chats", "channels")
}

// goodZulip: the sender leaves a port out and asks 443, whatever is written.
func goodZulip(u *url.URL, q map[string]string) bool {
	return (u.Port() == "" || u.Port() == "443") && u.User.Username() != "" && keyed(u, q) && matches(`^([a-zA-Z0-9]([a-zA-Z0-9-]{0,61}[a-zA-Z0-9])?\.)+[a-zA-Z]{2,}$`, u.Hostname())
}

// goodCustom is for SERVICE+https, behind which the service's own URL is.
func goodCustom(u *url.URL) bool {
	switch u.Scheme {
	case "generic+http", "generic+https":
		return true
	case "notifiarr+https":
		return matches(`/passthrough/[^/]+`, u.Path)
	case "teams+https":
		return matches(`^[a-zA-Z0-9-]+\.webhook\.office\.com$`, u.Host) &&
			matches(`^/webhookb2/[0-9a-f-]{36}@[0-9a-f-]{36}/IncomingWebhook/[0-9a-f]{32}/[0-9a-f-]{36}/[^/]+$`, u.Path)
	}
	return false
}

// segments splits a path; there is always one, which may be empty.
func segments(u *url.URL) []string { return strings.Split(strings.TrimPrefix(u.Path, "/"), "/") }

func matches(pattern, text string) bool { return regexp.MustCompile(pattern).MatchString(text) }
