package delivery

import (
	"fmt"
	"net/url"
	"reflect"
	"slices"
	"strings"
	"testing"

	"clauster/pkg/config"

	"github.com/nicholas-fedor/shoutrrr/pkg/format"
	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/matrix"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// goodURLs has one for each of shoutrrr's services.
func goodURLs() []string {
	const id = "01234567-89ab-4cde-8f01-23456789abcd"
	return []string{"bark://:key@host/path", "discord://token@4174", "generic://host/path?template=json", "generic+https://host/path",
		"googlechat://chat.googleapis.com/v1/spaces/s/messages?key=k&token=t", "hangouts://chat.googleapis.com/v1/spaces/s/messages?key=k&token=t",
		"gotify://host/sub/AzyoeNS.D4iJLVa", "ifttt://key/?events=event", "join://shoutrrr:key@join/?devices=a,b", "lark://open.larksuite.com/token?secret=s",
		"matrix://u:p@host/?rooms=a,!b:host", "mattermost://host/token/channel", "notifiarr://key?channel=12345",
		"notifiarr+https://notifiarr.com/api/v1/notification/passthrough/key", "ntfy://host/topic", "opsgenie://api.opsgenie.com/key",
		"pagerduty://events.pagerduty.com/" + strings.Repeat("aB", 16), "pushbullet://" + strings.Repeat("t", 34), "pushover://shoutrrr:token@user/?devices=a",
		"rocketchat://host/a/b/channel", "signal://host:8080/+491701/+491702/group.abc=", "slack://hook:T0AAAAAAA-B0BBBBBBB-cccccccccccccccccccccccc@webhook",
		"slack://xoxb:123456789-123456789-cccccccccccccccccccccccc@C001", "smtp://u:p@host:587/?from=a@b&to=c@d",
		"teams://" + id + "@" + id + "/" + strings.Repeat("a1", 16) + "/" + id + "/V2abc?host=org.webhook.office.com",
		"teams+https://org.webhook.office.com/webhookb2/" + id + "@" + id + "/IncomingWebhook/" + strings.Repeat("a1", 16) + "/" + id + "/V2abc",
		"telegram://1:a_B@telegram?chats=@me,-1", "wecom://key-1", "zulip://bot%40host.example:key@host.example?stream=s&topic=t"}
}

// taken reports whether shoutrrr itself takes a URL. A panic is a refusal.
func taken(raw string) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v", p)
		}
	}()
	if strings.HasPrefix(raw, "matrix:") { // it would log in
		u, err := url.Parse(raw)
		if err != nil {
			return err
		}
		return new(matrix.Config).SetURL(u)
	}
	_, err = setUp(raw)
	return err
}

// TestServicesAgree: what config lets through the sender takes. It refused
// ifttt://KEY@EVENT, which `config check` had found no fault with.
func TestServicesAgree(t *testing.T) {
	var seen []string
	for _, good := range goodURLs() {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		seen = append(seen, strings.Split(u.Scheme, "+")[0])
		if err := taken(good); err != nil {
			t.Errorf("%s: %v", good, err)
		}
		if _, broken := config.ServiceURL(good); broken != "" {
			t.Errorf("%s: %s", good, broken)
		}
		for _, bad := range worse(*u) {
			service, broken := config.ServiceURL(bad)
			if err := taken(service); broken == "" && err != nil {
				t.Errorf("%s as %s: %v", bad, service, err)
			}
		}
	}
	for _, name := range (&router.ServiceRouter{}).ListServices() {
		if _, broken := config.ServiceURL(name + "://x"); name != "logger" && (!slices.Contains(seen, name) || strings.Contains(broken, "no such service")) {
			t.Error(name, "is not compared:", broken)
		}
	}
}

// worse gives a URL with one thing changed, each.
func worse(u url.URL) []string {
	var all []string
	change := func(f func(*url.URL)) {
		c := u
		f(&c)
		all = append(all, c.String())
	}
	for _, user := range []*url.Userinfo{nil, url.User("x"), url.UserPassword("", ""), url.UserPassword("1", "")} {
		change(func(c *url.URL) { c.User = user })
	}
	for _, path := range []string{"", "/", "//", "/x", "/x/y", "/1/2/3", u.Path + "/", "/12/group.x/y"} {
		change(func(c *url.URL) { c.Path = path })
	}
	for _, host := range []string{"x", "x:0", "x:65536", "a.b:8080", "[::1]:80"} {
		change(func(c *url.URL) { c.Host = host })
	}
	change(func(c *url.URL) { c.RawQuery = "" })
	change(func(c *url.URL) { c.Scheme, _, _ = strings.Cut(c.Scheme, "+"); c.Scheme += "+https" })
	keys := append(fieldsOf(u.Scheme), "nonsense", "Title", "Timeout", "EVENTS", "a;b")
	for key := range u.Query() {
		keys = append(keys, key)
	}
	for _, key := range keys {
		for _, value := range []string{"", "x", "yes", "2", "-2", "99999999999", "a:b", "user:b,team:c", "10s", "a,,b", "%"} {
			change(func(c *url.URL) {
				q := c.Query()
				q.Set(key, value)
				c.RawQuery = q.Encode()
			})
		}
	}
	return all
}

// fieldsOf gives the keys that shoutrrr knows in a service's query.
func fieldsOf(scheme string) []string {
	name, _, _ := strings.Cut(scheme, "+")
	service, err := (&router.ServiceRouter{}).NewService(name)
	if err != nil {
		return nil
	}
	c := reflect.New(reflect.ValueOf(service).Elem().FieldByName("Config").Type().Elem()).Interface().(types.ServiceConfig)
	pkr := format.NewPropKeyResolver(c)
	return pkr.QueryFields()
}

// TestEveryKeyIsKnown: config knows each key that the sender knows.
func TestEveryKeyIsKnown(t *testing.T) {
	for _, good := range goodURLs() {
		u, err := url.Parse(good)
		if err != nil {
			t.Fatal(err)
		}
		for _, key := range fieldsOf(u.Scheme) {
			c := *u
			q := c.Query()
			if q.Get(key) == "" {
				q.Set(key, "nothing")
			}
			c.RawQuery = q.Encode()
			if _, broken := config.ServiceURL(c.String()); strings.Contains(broken, "nothing but") {
				t.Errorf("%s: %s", &c, broken)
			}
		}
	}
}

// TestCauseOfSetUp: the router said «failed to initialize service» of every
// URL, and never why.
func TestCauseOfSetUp(t *testing.T) {
	for raw, want := range map[string]string{
		"ifttt://WebhookID@Event/":         "cannot set the service up: events missing from config URL",
		"signal://x":                       "cannot set the service up: no recipients specified",
		"signal://h/49170/nobodyatall":     "cannot set the service up: invalid recipient: must be phone number or group ID",
		"telegram://SecretSecret@telegram": "cannot set the service up: invalid ",
		"teams+https://host/secretsecret":  "cannot set the service up: ",
		"ntfy+https://host/topic":          "cannot set the service up: it has no such URLs",
	} {
		err := sender{}.shout(raw, "title", "text")
		if err == nil || !strings.HasPrefix(secretsOf(raw).clean(err), want) || strings.Contains(strings.ToLower(err.Error()), "secret") {
			t.Errorf("%s: %v", raw, err)
		}
	}
}

// FuzzServicesAgree: whatever config lets through, the sender takes.
func FuzzServicesAgree(f *testing.F) {
	for _, good := range goodURLs() {
		f.Add(good)
	}
	f.Fuzz(func(t *testing.T, raw string) {
		service, broken := config.ServiceURL(raw)
		if broken != "" {
			return
		}
		if err := taken(service); err != nil {
			t.Errorf("%q as %q: %v", raw, service, err)
		}
	})
}
