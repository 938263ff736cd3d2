package config

import (
	"net/url"
	"slices"
	"strings"
)

// ServiceURL gives a notification URL as the sender (shoutrrr) wants it.
// Spellings of Apprise, which the Python Clauster has, are translated where
// they can mean one thing only. Otherwise broken says which form to write; it
// never holds a part of the URL, only a scheme from a list of known ones.
func ServiceURL(raw string) (service, broken string) {
	const form = "it must be a URL: SERVICE://…"
	scheme, rest, found := strings.Cut(raw, "://")
	if !found || scheme == "" || rest == "" || strings.ContainsFunc(raw, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return "", form
	}
	scheme = strings.ToLower(scheme)
	service = scheme + "://" + rest
	if translate := apprise(scheme); translate != nil {
		service, broken = translate(scheme, rest)
	} else {
		broken = checkService(scheme, rest)
	}
	if broken != "" {
		return "", broken
	}
	if u, err := url.Parse(service); err != nil || u.Host == "" {
		return "", form
	}
	return service, ""
}

// checkService looks at a URL whose spelling is the sender's own already.
func checkService(scheme, rest string) string {
	if form := rewrite(scheme); form != "" {
		return scheme + ":// is a spelling of Apprise; write " + form
	}
	base, transport, custom := strings.Cut(scheme, "+")
	switch {
	case !slices.Contains(services(), base) || custom && transport != "http" && transport != "https":
		return "no such service; there are " + strings.Join(services(), ", ")
	case base == "telegram" && !(strings.Contains(rest, "@") && strings.Contains(rest, "chats=")):
		return "write telegram://TOKEN@telegram?chats=CHAT"
	}
	return ""
}

// services are those that messages can be sent to. shoutrrr's own `logger`,
// which writes to the log, is not one of them.
func services() []string {
	return []string{"bark", "discord", "generic", "googlechat", "gotify", "hangouts", "ifttt", "join", "lark", "matrix", "mattermost",
		"notifiarr", "ntfy", "opsgenie", "pagerduty", "pushbullet", "pushover", "rocketchat", "signal", "slack", "smtp", "teams",
		"telegram", "wecom", "zulip"}
}

// rewrite gives the form to write for a scheme of Apprise that is not
// translated, "" for any other scheme.
func rewrite(scheme string) string {
	switch scheme {
	case "mmost", "mmosts":
		return "mattermost://HOST/TOKEN"
	case "rocket", "rockets":
		return "rocketchat://HOST/TOKEN_A/TOKEN_B"
	case "matrixs":
		return "matrix://USER:PASSWORD@HOST/?rooms=ROOM"
	case "msteams", "workflows":
		return "teams://GROUP@TENANT/ALT_ID/GROUP_OWNER?host=ORGANISATION.webhook.office.com"
	case "pbul":
		return "pushbullet://TOKEN"
	case "signals":
		return "signal://HOST:PORT/SOURCE_PHONE/RECIPIENT_PHONE"
	case "form", "forms", "xml", "xmls":
		return "generic://HOST/PATH?template=json"
	case "gchat":
		return "googlechat://chat.googleapis.com/v1/spaces/SPACE/messages?key=KEY&token=TOKEN"
	case "barks":
		return "bark://:KEY@HOST"
	case "windows", "macosx", "gnome", "dbus", "syslog", "twilio", "sns", "pushy", "prowl", "simplepush", "hassio", "hassios":
		return "the URL of another service"
	}
	return ""
}
