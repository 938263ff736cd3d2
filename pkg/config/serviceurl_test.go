package config

import (
	"strings"
	"testing"
)

const slackParts = "T0AAAAAAA/B0BBBBBBB/cccccccccccccccccccccccc"

func TestServiceURL(t *testing.T) {
	for in, want := range map[string]string{
		"slack://" + slackParts:     "slack://hook:T0AAAAAAA-B0BBBBBBB-cccccccccccccccccccccccc@webhook",
		"slack://bot@" + slackParts: "slack://hook:T0AAAAAAA-B0BBBBBBB-cccccccccccccccccccccccc@webhook?botname=bot",
		"slack://hook:T0AAAAAAA-B0BBBBBBB-cccccccccccccccccccccccc@webhook": "slack://hook:T0AAAAAAA-B0BBBBBBB-cccccccccccccccccccccccc@webhook",
		"discord://4174/AbCd-_":                                                "discord://AbCd-_@4174",
		"discord://me@4174/AbCd":                                               "discord://AbCd@4174?username=me",
		"discord://AbCd@4174?title=x":                                          "discord://AbCd@4174?title=x",
		"tgram://123456:abc_DEF/-1001":                                         "telegram://123456:abc_DEF@telegram?chats=-1001",
		"tgram://123456:abc_DEF/1/2/":                                          "telegram://123456:abc_DEF@telegram?chats=1%2C2",
		"telegram://1:a@telegram?chats=@me":                                    "telegram://1:a@telegram?chats=@me",
		"mailtos://me:pw@example.com?smtp=mail.example.com&to=you@example.net": "smtp://me:pw@mail.example.com:587/?from=me%40example.com&to=you%40example.net&encryption=ExplicitTLS&requirestarttls=Yes",
		"mailto://me:pw@example.com:26?smtp=mx&from=a@b&to=c@d":                "smtp://me:pw@mx:26/?from=a%40b&to=c%40d&encryption=None&usestarttls=No",
		"json://host:8080/hook":                                                "generic://host:8080/hook?template=json&disabletls=yes",
		"jsons://user:pw@host/hook":                                            "generic://user:pw@host/hook?template=json",
		"ntfy://alerts":                                                        "ntfy://ntfy.sh/alerts",
		"ntfys://push.example/alerts":                                          "ntfy://push.example/alerts",
		"gotifys://push.example/AzyoeNS.D4iJLVa":                               "gotify://push.example/AzyoeNS.D4iJLVa",
		"gotify://push.example/AzyoeNS.D4iJLVa":                                "gotify://push.example/AzyoeNS.D4iJLVa",
		"pover://ukey@atoken":                                                  "pushover://shoutrrr:atoken@ukey",
		"pover://ukey@atoken/phone/pad":                                        "pushover://shoutrrr:atoken@ukey/?devices=phone%2Cpad",
		"generic+https://host/path":                                            "generic+https://host/path",
		"pagerduty://events.pagerduty.com/0123456789abcdef0123456789abcdef":    "pagerduty://events.pagerduty.com:443/0123456789abcdef0123456789abcdef",
		"pagerduty://events.pagerduty.com:/0123456789abcdef0123456789abcdef":   "pagerduty://events.pagerduty.com:443/0123456789abcdef0123456789abcdef",
		"pagerduty://h:8443/0123456789abcdef0123456789abcdef":                  "pagerduty://h:8443/0123456789abcdef0123456789abcdef",
		"SMTP://u:p@h:25/?from=a&to=b":                                         "smtp://u:p@h:25/?from=a&to=b",
	} {
		got, broken := ServiceURL(in)
		if got != want || broken != "" {
			t.Errorf("%s\n got %s %q\nwant %s", in, got, broken, want)
		}
	}
}

func TestServiceURLRefused(t *testing.T) {
	for in, want := range map[string]string{
		"":                                      "SERVICE://",
		"nothing":                               "SERVICE://",
		"slack://":                              "SERVICE://",
		"slack://" + slackParts + "/#general":   "slack://hook:",
		"slack://xoxb-1-2-3/#general":           "slack://xoxb:",
		"discord://4174/AbCd?thread=7":          "discord://TOKEN@ID",
		"discord://4174":                        "discord://TOKEN@ID",
		"tgram://nocolon/1":                     "telegram://TOKEN",
		"tgram://1:a":                           "telegram://TOKEN",
		"telegram://1:a":                        "telegram://TOKEN",
		"mailto://me:pw@gmail.com":              "smtp://USER",
		"mailto://me:pw@a.b?smtp=h&to=a&cc=b":   "smtp://USER",
		"mailto://me:pw@a.b?smtp=h:1@evil&to=a": "smtp://USER",
		"ntfy://push.example.com":               "ntfy://HOST/TOPIC",
		"mmosts://host/token":                   "mattermost://",
		"msteams://a/b/c":                       "teams://",
		"logger://x":                            "no such service",
		"logger://":                             "no such service is offered: logger:// writes to a log and tells nobody; there are bark, ",
		"Logger://":                             "no such service is offered",
		"zulip://b:k@chat.example:8443?topic=t": "the HOST without a port",
		"opsgenie://api.opsgenie.com:0/key":     "its port is no port",
		"file:///etc/passwd":                    "no such service",
		"generic+file://host/path":              "write generic+https://",
		"discord://a b@c":                       "SERVICE://",
		"ifttt://WebhookID@Event/":              "write ifttt://KEY/?events=EVENT",
		"ifttt://a@b":                           "write ifttt://KEY/?events=EVENT",
		"ifttt://k/?events=e&titlevalue=2":      "write ifttt://",
		"signal://x":                            "write signal://HOST:PORT/",
		"signal://h:8080/49170/nobody":          "write signal://HOST:PORT/",
		"slack://hook:A-B-C@webhook":            "write slack://hook:",
		"gotify://push.example/short":           "write gotify://",
		"ntfy://h/t?prio=high":                  "may hold nothing but actions, at, attach",
		"ntfy://h/t?priority=veryhigh":          "its priority= must be one of min, low",
		"smtp://u:p@h:25/?from=a&to=b&timeout=": "its timeout= must be a time such as 10s",
		"generic://h/p?disabletls=maybe":        "its disabletls= must be yes or no",
		"ntfy://h:99999/t":                      "its port",
		"matrix://u:p@h/?rooms=a,,b":            "write matrix://",
		"discord+https://a@b":                   "discord://TOKEN@ID",
	} {
		got, broken := ServiceURL(in)
		if got != "" || !strings.Contains(broken, want) {
			t.Errorf("%s: %q %q", in, got, broken)
		}
	}
}

// TestEveryBadURLIsTold: only the first of a list was.
func TestEveryBadURLIsTold(t *testing.T) {
	const urls = `["ifttt://WebhookID@Event/", "ntfy://h/t", "signal://x"]`
	_, r := load(t, Source{FS: machine("user = \"ops\"\n[notifications]\nurls = " + urls + "\n[webhooks]\nurls = [\"ftp://h\", \"https://h\", \"h\"]\n")})
	got := strings.Join(findings(r.Faults), "\n")
	for _, want := range []string{"number 1 cannot be used: write ifttt://KEY/?events=EVENT; number 3 cannot be used: write signal://HOST",
		"number 1 cannot be used: it must be an http:// or https:// URL with a host; number 3 cannot be used: it must"} {
		if !strings.Contains(got, want) {
			t.Errorf("%q is not in %s", want, got)
		}
	}
}

// FuzzServiceURL: whatever is written, there is an answer, a sentence never
// holds what could be a key, and a translated URL is one that stays.
func FuzzServiceURL(f *testing.F) {
	for _, seed := range []string{"slack://" + slackParts, "tgram://1:a/2", "mailtos://u:p@d?smtp=h&to=a@b", "ntfy://x", "pover://a@b/c", "discord://1/2", "json://h"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		got, broken := ServiceURL(raw)
		if (got == "") == (broken == "") {
			t.Fatalf("%q: %q %q", raw, got, broken)
		}
		_, rest, _ := strings.Cut(raw, "://")
		if len(rest) > 12 && strings.Contains(broken, rest) && !strings.ContainsAny(rest, "ABCDEFGHIJKLMNOPQRSTUVWXYZ") && strings.ContainsAny(rest, "0123456789") {
			t.Fatalf("%q is quoted in %q", raw, broken)
		}
		if again, broken := ServiceURL(got); got != "" && again != got {
			t.Fatalf("%q became %q, which became %q: %s", raw, got, again, broken)
		}
	})
}
