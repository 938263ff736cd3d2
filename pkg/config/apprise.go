package config

import (
	"net/url"
	"strings"
)

// apprise gives what translates URLs of a scheme that Apprise spells
// differently, nil for a scheme that needs none.
func apprise(scheme string) func(scheme, rest string) (service, broken string) {
	switch scheme {
	case "slack":
		return appriseSlack
	case "discord":
		return appriseDiscord
	case "tgram":
		return appriseTelegram
	case "mailto", "mailtos":
		return appriseMail
	case "json", "jsons":
		return appriseJSON
	case "ntfy", "ntfys":
		return appriseNtfy
	case "gotifys":
		return appriseGotify
	case "pover":
		return apprisePushover
	}
	return nil
}

// parts splits what is behind SCHEME:// into user, host, path segments and
// query, without the rules of URLs about hosts: tokens are in their place.
func parts(rest string) (user, host string, path []string, query url.Values, ok bool) {
	rest, fragment, _ := strings.Cut(rest, "#")
	rest, raw, _ := strings.Cut(rest, "?")
	query, err := url.ParseQuery(raw)
	authority, tail, _ := strings.Cut(rest, "/")
	if i := strings.LastIndexByte(authority, '@'); i >= 0 {
		user, authority = authority[:i], authority[i+1:]
	}
	for _, p := range strings.Split(tail, "/") {
		if p != "" {
			path = append(path, p)
		}
	}
	return user, authority, path, query, err == nil && fragment == ""
}

// slack://[BOT@]A/B/C is understood by both; a channel behind it by Apprise
// alone.
func appriseSlack(_, rest string) (string, string) {
	const form = "slack://hook:A-B-C@webhook (the three parts of the webhook's URL), or slack://xoxb:TOKEN@CHANNEL"
	user, host, path, _, ok := parts(rest)
	switch {
	case ok && len(path) == 0 && (strings.HasPrefix(user, "hook:") || strings.HasPrefix(user, "xox")) && host != "":
		return "slack://" + rest, ""
	case ok && len(path) == 2 && host != "" && !strings.Contains(user, ":"):
		_, query, _ := strings.Cut(rest, "?")
		out := "slack://hook:" + host + "-" + path[0] + "-" + path[1] + "@webhook"
		if user != "" {
			query = strings.Trim("botname="+url.QueryEscape(user)+"&"+query, "&")
		}
		return withQuery(out, query), ""
	}
	return "", "write " + form
}

// discord://ID/TOKEN is Apprise's, discord://TOKEN@ID shoutrrr's.
func appriseDiscord(_, rest string) (string, string) {
	user, host, path, query, ok := parts(rest)
	switch {
	case ok && host != "" && user != "" && (len(path) == 0 || len(path) == 1 && path[0] == "raw"):
		return "discord://" + rest, ""
	case ok && host != "" && len(path) == 1 && len(query) == 0 && !strings.Contains(user, ":"):
		out := "discord://" + path[0] + "@" + host
		if user != "" {
			out = withQuery(out, "username="+url.QueryEscape(user))
		}
		return out, ""
	}
	return "", "write discord://TOKEN@ID (the webhook's URL ends in ID/TOKEN)"
}

// tgram://TOKEN/CHAT[/CHAT…]
func appriseTelegram(_, rest string) (string, string) {
	user, token, path, query, ok := parts(rest)
	number, key, colon := strings.Cut(token, ":")
	if !ok || user != "" || !colon || number == "" || key == "" || len(path) == 0 || len(query) > 0 {
		return "", "write telegram://TOKEN@telegram?chats=CHAT"
	}
	return "telegram://" + token + "@telegram?chats=" + url.QueryEscape(strings.Join(path, ",")), ""
}

// mailto://USER:PASSWORD@DOMAIN?smtp=HOST&from=…&to=…; without smtp= Apprise
// looks the provider up in a table of its own.
func appriseMail(scheme, rest string) (string, string) {
	const form = "smtp://USER:PASSWORD@HOST:587/?from=ADDRESS&to=ADDRESS"
	user, host, path, query, ok := parts(rest)
	server, from, to := query.Get("smtp"), query.Get("from"), query.Get("to")
	if to == "" && len(path) == 1 {
		to = path[0]
	}
	for name := range query {
		ok = ok && (name == "smtp" || name == "from" || name == "to" || name == "user" || name == "pass")
	}
	domain, port, _ := strings.Cut(host, ":")
	login, password, _ := strings.Cut(user, ":")
	if v := query.Get("user"); v != "" {
		login = url.PathEscape(v)
	}
	if v := query.Get("pass"); v != "" {
		password = url.PathEscape(v)
	}
	if from == "" && login != "" && domain != "" && !strings.Contains(login, "%40") && !strings.Contains(login, "@") {
		from = login + "@" + domain
	}
	if !ok || server == "" || strings.ContainsAny(server, "/:@?") || login == "" || !strings.Contains(from, "@") || to == "" || len(path) > 1 {
		return "", "write " + form
	}
	encryption := "&encryption=None&usestarttls=No"
	if scheme == "mailtos" {
		encryption = "&encryption=ExplicitTLS&requirestarttls=Yes"
	}
	if port == "" {
		port = map[string]string{"mailto": "25", "mailtos": "587"}[scheme]
	}
	if password != "" {
		login += ":" + password
	}
	return "smtp://" + login + "@" + server + ":" + port + "/?from=" + url.QueryEscape(from) + "&to=" + url.QueryEscape(to) + encryption, ""
}

// json://HOST/PATH posts {"title", "message", …} without TLS, jsons:// with.
func appriseJSON(scheme, rest string) (string, string) {
	_, host, _, query, ok := parts(rest)
	if !ok || host == "" || len(query) > 0 {
		return "", "write generic://HOST/PATH?template=json (https), with &disabletls=yes for http"
	}
	rest, _, _ = strings.Cut(rest, "?")
	out := "generic://" + rest + "?template=json"
	if scheme == "json" {
		out += "&disabletls=yes"
	}
	return out, ""
}

// ntfy://HOST/TOPIC is https to shoutrrr and http to Apprise: https it is.
// With nothing but a word, Apprise means a topic of ntfy.sh.
func appriseNtfy(scheme, rest string) (string, string) {
	const form = "write ntfy://HOST/TOPIC (https)"
	_, host, path, _, ok := parts(rest)
	switch {
	case !ok || host == "" || len(path) > 1:
		return "", form
	case len(path) == 1:
		return "ntfy://" + rest, ""
	case strings.ContainsAny(rest, ".:@?/"):
		return "", form
	}
	return "ntfy://ntfy.sh/" + rest, ""
}

// gotifys://HOST/TOKEN; gotify:// is https to shoutrrr.
func appriseGotify(_, rest string) (string, string) {
	_, host, path, _, ok := parts(rest)
	if !ok || host == "" || len(path) == 0 {
		return "", "write gotify://HOST/TOKEN (https)"
	}
	return "gotify://" + rest, ""
}

// pover://USER@TOKEN[/DEVICE…]
func apprisePushover(_, rest string) (string, string) {
	user, token, path, query, ok := parts(rest)
	if !ok || user == "" || token == "" || strings.Contains(user+token, ":") || len(query) > 0 {
		return "", "write pushover://shoutrrr:TOKEN@USER/?devices=DEVICE"
	}
	out := "pushover://shoutrrr:" + token + "@" + user
	if len(path) > 0 {
		out += "/?devices=" + url.QueryEscape(strings.Join(path, ","))
	}
	return out, ""
}

func withQuery(service, query string) string {
	if query == "" {
		return service
	}
	return service + "?" + query
}
