package config

import (
	"net/url"
	"strings"
)

// ServiceURL gives a notification URL as the sender (shoutrrr) wants it.
// Spellings of Apprise, which the Python Clauster has, are translated where
// they can mean one thing only. Otherwise broken says which form to write; it
// never holds a part of the URL, only names from lists of known ones.
//
// The sender refuses what this refuses, and the other way round: it said so of
// ifttt://KEY@EVENT when the first message was to go out, and not why.
func ServiceURL(raw string) (service, broken string) {
	const form = "it must be a URL: SERVICE://…"
	scheme, rest, found := strings.Cut(raw, "://")
	if found && strings.EqualFold(scheme, "logger") { // also with nothing behind it, as shoutrrr has it
		return "", "no such service is offered: logger:// writes to a log and tells nobody; there are " + strings.Join(services(), ", ")
	}
	if !found || scheme == "" || rest == "" || strings.ContainsFunc(raw, func(c rune) bool { return c <= ' ' || c == 0x7f }) {
		return "", form
	}
	scheme = strings.ToLower(scheme)
	service = scheme + "://" + rest
	if translate := apprise(scheme); translate != nil {
		if service, broken = translate(scheme, rest); broken != "" {
			return "", broken
		}
	} else if form := rewrite(scheme); form != "" {
		return "", scheme + ":// is a spelling of Apprise; write " + form
	}
	base, _, _ := strings.Cut(service, ":")
	base, _, _ = strings.Cut(base, "+")
	known := serviceOf(base)
	if known == nil {
		return "", "no such service; there are " + strings.Join(services(), ", ")
	}
	u, err := url.Parse(service)
	if err != nil || u.Host == "" {
		return "", "write " + known.form
	}
	if broken = known.broken(u); broken != "" {
		return "", broken
	}
	if u.Scheme == "pagerduty" && u.Port() == "" { // the sender would ask port 0
		u.Host = strings.TrimSuffix(u.Host, ":") + ":443"
		service = u.String()
	}
	return service, ""
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
		return serviceOf("matrix").form
	case "msteams", "workflows":
		return serviceOf("teams").form
	case "pbul":
		return "pushbullet://TOKEN"
	case "signals":
		return serviceOf("signal").form
	case "form", "forms", "xml", "xmls":
		return "generic://HOST/PATH?template=json"
	case "gchat":
		return serviceOf("googlechat").form
	case "barks":
		return "bark://:KEY@HOST"
	case "windows", "macosx", "gnome", "dbus", "syslog", "twilio", "sns", "pushy", "prowl", "simplepush", "hassio", "hassios":
		return "the URL of another service"
	}
	return ""
}
