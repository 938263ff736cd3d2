package config

import (
	"maps"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
)

// service is what the sender (shoutrrr) wants of the URLs of one service. Its
// own code cannot be asked: it links net/http, and the keeper reads this
// package. A test of pkg/delivery compares the two.
type service struct {
	form string                                     // to write
	keys string                                     // of its query, each with its kind; see misfit
	more bool                                       // any other key goes to the receiver
	plus string                                     // the form of SERVICE+https, "" where there is none
	good func(u *url.URL, q map[string]string) bool // what the parts must be
}

// serviceOf gives the rule of a scheme, nil for one that nothing can be sent
// to. shoutrrr's own `logger`, which writes to the log, is not among them.
func serviceOf(scheme string) *service {
	s := service{}
	switch scheme {
	case "bark":
		s = service{form: "bark://:KEY@HOST", keys: "badge# category copy group icon scheme sound title url", good: keyed}
	case "discord":
		s = service{form: "discord://TOKEN@ID (the webhook's URL ends in ID/TOKEN)", good: goodDiscord,
			keys: "avatar avatarurl color% colordebug% colorerror% colorinfo% colorwarn% json? splitlines? thread_id title username"}
	case "generic":
		s = service{form: "generic://HOST/PATH?template=json", plus: "generic+https://HOST/PATH", more: true, good: nothingElse,
			keys: "contenttype disabletls? messagekey method template=,json title titlekey"}
	case "googlechat", "hangouts":
		s = service{form: scheme + "://chat.googleapis.com/v1/spaces/SPACE/messages?key=KEY&token=TOKEN", keys: "key token", more: true,
			good: func(_ *url.URL, q map[string]string) bool { return q["key"] != "" && q["token"] != "" }}
	case "gotify":
		s = service{form: "gotify://HOST/TOKEN, the TOKEN an application's: A and 14 characters", good: goodGotify,
			keys: "date disabletls? extras insecureskipverify? priority=-2,-1,0,1,2,3,4,5,6,7,8,9,10 title useheader?"}
	case "ifttt":
		s = service{form: "ifttt://KEY/?events=EVENT", keys: "events messagevalue=1,2,3 title titlevalue=0,1,2,3 value1 value2 value3", good: goodIFTTT}
	case "join":
		s = service{form: "join://shoutrrr:KEY@join/?devices=DEVICE", keys: "devices icon title",
			good: func(u *url.URL, q map[string]string) bool { return keyed(u, q) && q["devices"] != "" }}
	case "lark":
		s = service{form: "lark://open.larksuite.com/TOKEN?secret=SECRET", keys: "link secret title",
			good: func(u *url.URL, _ map[string]string) bool {
				return (u.Host == "open.larksuite.com" || u.Host == "open.feishu.cn") && strings.Trim(u.Path, "/") != ""
			}}
	case "matrix":
		s = service{form: "matrix://USER:PASSWORD@HOST/?rooms=ROOM, or matrix://:TOKEN@HOST/?rooms=ROOM", keys: "disabletls? room rooms title", good: goodMatrix}
	case "mattermost":
		s = service{form: "mattermost://HOST/TOKEN", keys: "disabletls? icon icon_emoji icon_url title",
			good: func(u *url.URL, _ map[string]string) bool { return segments(u)[0] != "" }}
	case "notifiarr":
		s = service{form: "notifiarr://KEY?channel=CHANNEL", plus: "notifiarr+https://notifiarr.com/api/v1/notification/passthrough/KEY",
			keys: "apikey channel color image name thumbnail", more: true, good: nothingElse}
	case "ntfy":
		s = service{form: "ntfy://HOST/TOPIC", good: goodPath,
			keys: "actions attach at cache? click delay disabletls? disabletlsverification? email filename firebase? icon in priority=min,low,default,high,max,1,2,3,4,5,urgent scheme tags title"}
	case "opsgenie":
		s = service{form: "opsgenie://api.opsgenie.com/KEY", good: goodPath,
			keys: "actions alias description details& entity note priority responders@ source tags title user visibleto@"}
	case "pagerduty":
		s = service{form: "pagerduty://events.pagerduty.com/KEY, the KEY 32 hex digits", keys: "action client client_url contexts dedup_key details severity source",
			good: func(u *url.URL, _ map[string]string) bool { return matches(`^/[0-9a-fA-F]{32}$`, u.Path) }}
	case "pushbullet":
		s = service{form: "pushbullet://TOKEN, the TOKEN 34 characters", keys: "title",
			good: func(u *url.URL, _ map[string]string) bool { return len(u.Hostname()) == 34 }}
	case "pushover":
		s = service{form: "pushover://shoutrrr:TOKEN@USER/?devices=DEVICE", keys: "devices priority=-2,-1,0,1,2 title", good: keyed}
	case "rocketchat":
		s = service{form: "rocketchat://HOST/TOKEN_A/TOKEN_B", more: true,
			good: func(u *url.URL, _ map[string]string) bool {
				p := segments(u)
				return len(p) > 1 && p[0] != "" && p[1] != ""
			}}
	case "signal":
		s = service{form: "signal://HOST:PORT/SOURCE_PHONE/RECIPIENT_PHONE", good: goodSignal,
			keys: "apikey disabletls? host password port# recipients source to token user"}
	case "slack":
		s = service{form: "slack://hook:A-B-C@webhook (the three parts of the webhook's URL), or slack://xoxb:A-B-C@CHANNEL", good: goodSlack,
			keys: "botname color icon icon_emoji icon_url thread_ts title username"}
	case "smtp":
		s = service{form: "smtp://USER:PASSWORD@HOST:587/?from=ADDRESS&to=ADDRESS", good: goodSMTP,
			keys: "auth=none,plain,crammd5,unknown,oauth2 clienthost encryption=none,explicittls,implicittls,auto from fromaddress fromname requirestarttls? skiptlsverify? starttls? subject timeout~ title to toaddresses usehtml? usestarttls?"}
	case "teams":
		s = service{form: "teams://GROUP@TENANT/ALT_ID/GROUP_OWNER/EXTRA_ID?host=ORGANISATION.webhook.office.com",
			plus: "teams+https://ORGANISATION.webhook.office.com/webhookb2/GROUP@TENANT/IncomingWebhook/ALT_ID/GROUP_OWNER/EXTRA_ID",
			keys: "color host title", good: goodTeams}
	case "telegram":
		s = service{form: "telegram://TOKEN@telegram?chats=CHAT", keys: "channels chats notification? parsemode=none,markdown,html,markdownv2 preview? title", good: goodTelegram}
	case "wecom":
		s = service{form: "wecom://KEY", keys: "key mentioned_list mentioned_mobile_list",
			good: func(u *url.URL, _ map[string]string) bool {
				return !strings.ContainsAny(u.Host, "@!#$%^&*()+=[]{}|\\:;\"'<>?,./")
			}}
	case "zulip":
		s = service{form: "zulip://BOT_MAIL:KEY@HOST?stream=STREAM&topic=TOPIC, the HOST without a port", more: true, good: goodZulip}
	default:
		return nil
	}
	return &s
}

// broken says what is wrong with a URL of the service, "" where nothing is.
func (s *service) broken(u *url.URL) string {
	_, _, custom := strings.Cut(u.Scheme, "+")
	form := s.form
	if custom && s.plus != "" {
		form = s.plus
	}
	values, refused := s.query(u)
	switch {
	case refused != "":
		return refused + "; write " + form
	case u.Port() != "" && !isPort(u.Port()):
		return "its port is no port; write " + form
	case custom && !goodCustom(u), !custom && !s.good(u, values):
		return "write " + form
	}
	return ""
}

// query gives the first value of each key, or what is wrong: the sender does
// not know a key, or its value is not of the key's kind. The names that are
// said are ours, never the URL's.
func (s *service) query(u *url.URL) (values map[string]string, refused string) {
	raw, values := *u, map[string]string{}
	raw.RawQuery = strings.ReplaceAll(u.RawQuery, ";", "%3b") // ntfy's actions
	kinds := s.kinds()
	for written, all := range raw.Query() {
		name := written
		if !s.more {
			name = strings.ToLower(written)
		}
		kind, known := kinds[name]
		if !known && !s.more {
			return nil, "its query may hold nothing but " + strings.Join(slices.Sorted(maps.Keys(kinds)), ", ")
		}
		what := misfit(kind, all[0])
		if kind == "~" && written != name { // the sender takes this one as written
			what = "written in lower case"
		}
		if what != "" {
			return nil, "its " + name + "= must be " + what
		}
		values[name] = all[0]
	}
	return values, ""
}

// kinds gives the keys of the query with their kinds.
func (s *service) kinds() map[string]string {
	kinds := map[string]string{}
	for _, key := range strings.Fields(s.keys) {
		name := key
		if i := strings.IndexAny(key, "?#%&@~="); i >= 0 {
			name = key[:i]
		}
		kinds[name] = key[len(name):]
	}
	return kinds
}

// misfit says what a value must be that is not of a kind: ? yes or no, # a
// number, % a colour, & pairs, @ people, ~ a time, =A,B,C one of these, and
// any text for none.
func misfit(kind, value string) string {
	mark, words := "", ""
	if kind != "" {
		mark, words = kind[:1], kind[1:]
	}
	lower := strings.ToLower(value)
	switch {
	case mark == "?" && !slices.Contains([]string{"true", "1", "yes", "y", "false", "0", "no", "n"}, lower):
		return "yes or no"
	case mark == "#" && !matches(`^-?[0-9]{1,9}$`, value):
		return "a number"
	case mark == "%" && !matches(`^(#|0x|0X)?[0-9a-fA-F]{1,8}$`, value):
		return "a colour such as 50D9ff"
	case mark == "&" && !matches(`^[^:,]*:[^:,]*(,[^:,]*:[^:,]*)*$`, value):
		return "KEY:VALUE"
	case mark == "@" && !matches(`^(team|user):[^:,]*(,(team|user):[^:,]*)*$`, value):
		return "team:NAME or user:NAME"
	case mark == "~" && !isDuration(value):
		return "a time such as 10s"
	case mark == "=" && !slices.Contains(strings.Split(words, ","), lower):
		return "one of " + strings.TrimPrefix(strings.ReplaceAll(words, ",", ", "), ", ")
	}
	return ""
}

func isDuration(text string) bool { _, err := time.ParseDuration(text); return err == nil }
func isPort(text string) bool     { n, err := strconv.ParseUint(text, 10, 16); return err == nil && n > 0 }
