package delivery

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"clauster/pkg/config"
	"clauster/pkg/store"
	"clauster/pkg/wire"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
)

// people is a configuration with notifications alone, as by default.
func people(urls ...string) *config.Config {
	return &config.Config{InstanceName: "here", Notifications: config.Notifications{Enabled: true, URLs: urls, NotifyOnCrash: true, NotifyOnError: true}}
}

// TestNotification goes through the real library: Apprise's json:// becomes a
// JSON post with title and message.
func TestNotification(t *testing.T) {
	e := receive(t, nil)
	s := open(t)
	c := start(t, s, people("json://"+e.Listener.Addr().String()+"/notify"))
	happen(t, s, c, event("e1", "crash"), event("e2", "ready"), event("e3", "stop"))
	var got struct{ Title, Message string }
	if err := json.Unmarshal([]byte(e.next(t).body), &got); err != nil {
		t.Fatal(err)
	}
	if got.Title != "here: blog crashed" || got.Message != "Bridge blog on here crashed.\nReason: claude ended with exit status 1\nWhat to do: clauster-ctl logs blog" {
		t.Errorf("%+v", got)
	}
	until(t, "the end of it", func() bool { return !c.Busy() })
	if all := deliveries(t, s); len(all) != 1 || all[0].State != wire.DeliveryDone || all[0].Channel != Notification {
		t.Errorf("%+v", all)
	}
}

func TestNotifyTest(t *testing.T) {
	well := receive(t, nil)
	sick := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) { w.WriteHeader(500) })
	c := start(t, open(t), people("json://"+well.Listener.Addr().String()+"/very-secret-1", "json://"+sick.Listener.Addr().String()+"/very-secret-2", "slack://nothing@x"))
	all := c.Test(t.Context())
	if len(all) != 2 || !all[0].OK || all[0].Error != "" || all[1].OK || all[1].Error == "" {
		t.Errorf("%+v", all)
	}
	if text := fmt.Sprint(all); strings.Contains(text, "very-secret") {
		t.Error(text)
	}
	if body := well.next(t).body; !strings.Contains(body, "clauster-ctl notify test") {
		t.Error(body)
	}
}

// TestHangingService: a service that never comes back costs one goroutine and
// its own target's time.
func TestHangingService(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var calls sync.WaitGroup
		release := make(chan struct{})
		entered := 0
		n := newNotifier("generic://h/", "generic://h/", &calls)
		n.deliver = func(string, string, string) error { entered++; <-release; return nil }
		for range 3 {
			if r := n.send(t.Context(), "title", "text"); r.err == "" {
				t.Error("it came back")
			}
		}
		synctest.Wait()
		if entered != 1 {
			t.Error(entered, "calls at once")
		}
		close(release)
		calls.Wait()
		n.deliver = func(string, string, string) error { panic("at the service") }
		if r := n.send(t.Context(), "title", "text"); !strings.HasPrefix(r.err, "cannot send by generic: ") || strings.Contains(r.err, "at the service") {
			t.Error(r)
		}
	})
}

// TestWordlessFailure: an error without a text is no success.
func TestWordlessFailure(t *testing.T) {
	n := newNotifier("ntfy://x/y", "ntfy://x/y", &sync.WaitGroup{})
	for _, text := range []string{"", " \n", "\x1b[0m"} {
		n.deliver = func(string, string, string) error { return errors.New(text) }
		if r := n.send(t.Context(), "title", "text"); r.err != "it failed" {
			t.Errorf("%q: %+v", text, r)
		}
	}
}

// TestToggles: which event reaches people under which key.
func TestToggles(t *testing.T) {
	ended := event("x", "stop")
	ended.Fields["verdict"] = "session-ended"
	waiting := wire.Event{Kind: "health", Fields: map[string]string{"health": "waiting"}}
	for _, test := range []struct {
		n    config.Notifications
		e    wire.Event
		want bool
	}{
		{config.Notifications{NotifyOnCrash: true}, event("x", "crash"), true},
		{config.Notifications{NotifyOnError: true}, event("x", "crash"), false},
		{config.Notifications{NotifyOnError: true}, event("x", "error"), true},
		{config.Notifications{NotifyOnReady: true}, event("x", "ready"), true},
		{config.Notifications{NotifyOnStop: true}, event("x", "stop"), true},
		{config.Notifications{NotifyOnSessionEnd: true}, event("x", "stop"), false},
		{config.Notifications{NotifyOnSessionEnd: true}, ended, true},
		{config.Notifications{NotifyOnStop: true}, ended, true},
		{config.Notifications{NotifyOnPermission: true}, event("x", "permission-needed"), true},
		{config.Notifications{NotifyOnPermission: true}, waiting, true},
		{config.Notifications{NotifyOnPermission: true}, wire.Event{Kind: "health", Fields: map[string]string{"health": "ok"}}, false},
		{config.Notifications{NotifyOnReconnectFailed: true}, event("x", "fallback"), true},
		{config.Notifications{NotifyOnReconnectFailed: true}, event("x", "spawn"), false},
	} {
		if notifies(test.n, test.e) {
			t.Error("sent while off", test)
		}
		test.n.Enabled = true
		if notifies(test.n, test.e) != test.want {
			t.Errorf("%+v", test)
		}
	}
}

// TestMergedWords: a storm in one message that every service takes, and that
// calls nobody an agent names.
func TestMergedWords(t *testing.T) {
	var due []store.Outgoing
	for i := range 200 {
		e := event(fmt.Sprint("e", i), "crash")
		e.Instance = fmt.Sprintf("blog%d", i%40)
		if i%2 == 1 {
			e.Kind = "error"
		}
		e.Fields["reason"] = "@everyone <!channel> " + strings.Repeat("é very long ", 200)
		body, err := noteOf("here", e).encode()
		if err != nil {
			t.Fatal(err)
		}
		due = append(due, store.Outgoing{Body: body})
	}
	title, text := merge(due)
	if title != "here: 200 events of 40 bridges" || !strings.HasPrefix(text, "100 × crashed, 100 × could not start\nblog0 crashed: ") || !strings.HasSuffix(text, "and 192 more: clauster-ctl events") {
		t.Errorf("%s\n%s", title, text)
	}
	if len(text) > 1000 || strings.Contains(text, "@everyone") || strings.Contains(text, "<!") {
		t.Errorf("%d bytes: %s", len(text), text)
	}
	if title, text = merge(due[:1]); len(text) > 1000 || strings.Contains(text, "@everyone") {
		t.Errorf("%s\n%s", title, text)
	}
	if title, _ = merge([]store.Outgoing{{Body: "no JSON", Delivery: wire.Delivery{Instance: "a", Event: "crash"}}, due[0]}); title == "" {
		t.Error("nothing is said")
	}
}

// TestMergedWorstFirst: eight lines of stops came first, and two crashes were
// among the «and 5 more».
func TestMergedWorstFirst(t *testing.T) {
	var due []store.Outgoing
	for i, kind := range []string{"stop", "stop", "ready", "ready", "stop", "ready", "stop", "ready", "stop", "ready", "ready", "crash", "error"} {
		e := event(fmt.Sprint("e", i), kind)
		e.Instance = fmt.Sprint("blog", i)
		e.Fields["reason"] = "reason " + fmt.Sprint(i)
		body, err := noteOf("here", e).encode()
		if err != nil {
			t.Fatal(err)
		}
		due = append(due, store.Outgoing{Body: body})
	}
	_, text := merge(due)
	if want := "1 × crashed, 1 × could not start, 5 × was stopped, 6 × is ready\nblog11 crashed: reason 11\nblog12 could not start: reason 12\nblog0 was stopped: reason 0\n"; !strings.HasPrefix(text, want) {
		t.Error(text)
	}
}

// TestTranslations: what config lets through is what the library takes, and
// its errors tell no secret.
func TestTranslations(t *testing.T) {
	for _, raw := range []string{"slack://T0AAAAAAA/B0BBBBBBB/cccccccccccccccccccccccc", "slack://bot@T0AAAAAAA/B0BBBBBBB/cccccccccccccccccccccccc",
		"discord://4174/AbCd-_", "discord://me@4174/AbCd", "tgram://123456789:abcdefghijklmnopqrstuvwxyz_ABCDEFGH/-1001/2",
		"mailtos://me:pw@example.com?smtp=mail.example.com&to=you@example.net", "mailto://me:pw@example.com:26?smtp=mx&from=a@b&to=c@d",
		"json://host:8080/hook", "jsons://user:pw@host/hook", "ntfy://alerts", "ntfys://push.example/alerts",
		"gotifys://push.example/AzyoeNS.D4iJLVa", "pover://ukey@atoken", "pover://ukey@atoken/phone/pad", "generic+https://host/path"} {
		service, broken := config.ServiceURL(raw)
		if broken != "" {
			t.Error(raw, broken)
			continue
		}
		if _, err := (&router.ServiceRouter{}).Locate(service); err != nil {
			t.Errorf("%s as %s: %v", raw, service, err)
		}
	}
}

// TestErrorsTellNoSecret: libraries print URLs in every way there is.
func TestErrorsTellNoSecret(t *testing.T) {
	const raw = "tgram://123456789:SecretSecretSecret/-1001"
	hide := secretsOf(raw, "telegram://123456789:SecretSecretSecret@telegram?chats=-1001")
	for _, text := range []string{
		`Post "https://api.telegram.org/bot123456789:SecretSecretSecret/sendMessage": EOF`,
		"invalid telegram token: 123456789:SecretSecretSecret", "bad SecretSecretSecret", "sending to " + raw,
		"x https://user:SecretSecretSecret@host?key=SecretSecretSecret y",
	} {
		if got := hide.clean(errors.New(text)); strings.Contains(got, "Secret") || got == "" {
			t.Error(got)
		}
	}
	if got := hide.clean(errors.New("dial tcp: lookup api.telegram.org: no such host")); got != "dial tcp: lookup api.telegram.org: no such host" {
		t.Error(got)
	}
	for service, text := range map[string]string{
		"telegram://123456789:SecretSecretSecret@telegram?chats=-1001":                                "dial tcp: lookup api.telegram.org: no such host",
		"pagerduty://events.pagerduty.com:443/0123456789abcdef0123456789abcdef":                       "lookup events.pagerduty.com on 127.0.0.53:53: no such host",
		"slack://hook:T0AAAAAAA-B0BBBBBBB-cccccccccccccccccccccccc@webhook":                           "failed to invoke webhook: lookup hooks.slack.com",
		"googlechat://chat.googleapis.com/v1/spaces/s/messages?key=k&token=SecretSecretSecret":        "lookup chat.googleapis.com",
		"opsgenie://api.opsgenie.com/SecretSecretSecret":                                              "lookup api.opsgenie.com: no such host",
		"signal://signal.example:8080/+491701/+491702":                                                "lookup signal.example: no such host",
		"zulip://signal%40chat.example:SecretSecretSecret@chat.example?stream=general&topic=clauster": "lookup chat.example: no such host in general",
		"generic://pull:SecretSecretSecret@pull.example/hook?template=json":                           "lookup pull.example: no json",
		"ifttt://SecretSecretSecret/?events=event":                                                    "failed to send IFTTT event",
		"teams://a@b/c/d/e?host=org.webhook.office.com":                                               "lookup org.webhook.office.com",
	} {
		if got := secretsOfBoth(service, service).clean(errors.New(text)); got != text {
			t.Errorf("%s: %q became %q", service, text, got)
		}
		leak := errors.New("at " + service + " xSecretSecretSecret")
		if got := secretsOfBoth(service, service).clean(leak); strings.Contains(service, "Secret") && strings.Contains(got, "Secret") {
			t.Error(got)
		}
	}
	const mail = "mailtos://me:hunter22@mail.example?smtp=mail.example&to=you@example.net"
	service, _ := config.ServiceURL(mail)
	if got := secretsOfBoth(mail, service).clean(errors.New("lookup mail.example: hunter22")); got != "lookup mail.example: <redacted>" {
		t.Error(got)
	}
	if got := secretsOf("https://hooks.example").clean(errors.New("lookup hooks.example: no such host")); got != "lookup hooks.example: no such host" {
		t.Error(got)
	}
	if got := secretsOf("https://h/p?events=SecretSecret").clean(errors.New("SecretSecret")); got != "<redacted>" {
		t.Error(got)
	}
	if got := secretsOf("").clean(errors.New(strings.Repeat("é", 9999))); len(got) > maxError+4 {
		t.Error(len(got))
	}
}
