package delivery

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"

	"clauster/pkg/config"
)

// reach is what stands in for the network in http.DefaultTransport.
type reach func(r *http.Request) (*http.Response, error)

func (f reach) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// network puts f in the place of the network for one test.
func network(t *testing.T, f reach) {
	t.Helper()
	real := http.DefaultTransport
	t.Cleanup(func() { http.DefaultTransport = real })
	http.DefaultTransport = f
}

// answer is an answer with a status and a body.
func answer(r *http.Request, status int, body string) *http.Response {
	return &http.Response{StatusCode: status, Status: http.StatusText(status), Header: http.Header{}, Request: r, Body: io.NopCloser(strings.NewReader(body))}
}

// oneOfEach gives goodURLs as config hands them on. Three services and mail
// have a transport of their own: those are given a port nobody listens on.
func oneOfEach(t *testing.T) []string {
	t.Helper()
	var all []string
	for _, raw := range goodURLs() {
		service, broken := config.ServiceURL(raw)
		if broken != "" {
			t.Fatal(raw, broken)
		}
		for _, own := range []string{"gotify://", "mattermost://", "ntfy://", "smtp://"} {
			if strings.HasPrefix(service, own) {
				service = strings.NewReplacer("host:587", "127.0.0.1:1", "host/", "127.0.0.1:1/").Replace(service)
			}
		}
		all = append(all, service)
	}
	return all
}

// TestNoFailureIsASuccess: telegram's code in the library gave no error where
// there was no network, so that the alert counted as delivered and was lost.
// Every service is held to it, in every way to fail.
func TestNoFailureIsASuccess(t *testing.T) {
	for name, fail := range map[string]reach{
		"no network": func(*http.Request) (*http.Response, error) { return nil, errors.New("dial tcp: lookup: no such host") },
		"HTML 502":   func(r *http.Request) (*http.Response, error) { return answer(r, 502, "<html>bad gateway"), nil },
		"JSON 404":   func(r *http.Request) (*http.Response, error) { return answer(r, 404, `{}`), nil },
		"refusal 401": func(r *http.Request) (*http.Response, error) {
			return answer(r, 401, `{"ok":false,"description":"no"}`), nil
		},
		"empty 500": func(r *http.Request) (*http.Response, error) { return answer(r, 500, ""), nil },
	} {
		t.Run(name, func(t *testing.T) {
			network(t, fail)
			for _, url := range oneOfEach(t) {
				synctest.Test(t, func(t *testing.T) { // discord sleeps between its tries
					var calls sync.WaitGroup
					r := newNotifier(url, url, &calls).send(t.Context(), "title", "text")
					if r.err == "" {
						t.Errorf("%s counts as sent", url)
					}
					for _, word := range []string{"runtime error", "nil pointer", "panic"} {
						if strings.Contains(r.err, word) {
							t.Errorf("%s: %s", url, r.err)
						}
					}
					calls.Wait()
				})
			}
		})
	}
}

// TestNoRefusalIsASuccess is the same for those with a transport of their own.
func TestNoRefusalIsASuccess(t *testing.T) {
	for status, body := range map[int]string{502: "<html>bad gateway", 404: `{}`, 401: `{"ok":false}`, 500: ""} {
		e := receive(t, func(_ int, w http.ResponseWriter, _ *http.Request) {
			w.WriteHeader(status)
			io.WriteString(w, body)
		})
		for _, url := range []string{"gotify://host/AzyoeNS.D4iJLVa?disabletls=yes", "gotify://host/AzyoeNS.D4iJLVa?disabletls=yes&useheader=yes",
			"mattermost://host/token?disabletls=yes", "ntfy://host/topic?disabletls=yes"} {
			url = strings.Replace(url, "//host/", "//"+e.Listener.Addr().String()+"/", 1)
			if r := newNotifier(url, url, &sync.WaitGroup{}).send(t.Context(), "title", "text"); r.err == "" {
				t.Errorf("%d: %s counts as sent", status, url)
			}
			e.next(t)
		}
	}
}

// TestFormsReachTheirHost: of pagerduty://events.pagerduty.com/KEY, the form
// that `config check` asked for, the library made a post to port 0. What is
// requested for each form is held here.
func TestFormsReachTheirHost(t *testing.T) {
	want := map[string]string{"bark": "https://host/", "discord": "https://discord.com/", "generic": "https://host/path", "generic+https": "https://host/path",
		"googlechat": "https://chat.googleapis.com/v1/spaces/", "hangouts": "https://chat.googleapis.com/v1/spaces/", "ifttt": "https://maker.ifttt.com/",
		"join": "https://joinjoaomgcd.appspot.com/", "lark": "https://open.larksuite.com/open-apis/bot/v2/hook/token", "matrix": "https://host/_matrix/client/",
		"notifiarr": "https://notifiarr.com/api/v1/", "notifiarr+https": "https://notifiarr.com/api/v1/", "opsgenie": "https://api.opsgenie.com:443/", "pagerduty": "https://events.pagerduty.com:443/v2/enqueue",
		"pushbullet": "https://api.pushbullet.com/", "pushover": "https://api.pushover.net/", "rocketchat": "https://host/hooks/a/b", "signal": "https://host:8080/v2/send",
		"slack": "https://", "teams": "https://org.webhook.office.com/webhookb2/", "teams+https": "https://org.webhook.office.com/webhookb2/",
		"telegram": "https://api.telegram.org/bot1:a_B/sendMessage", "wecom": "https://qyapi.weixin.qq.com/", "zulip": "https://bot%40host.example:key@host.example/api/v1/messages"}
	var asked []string
	network(t, func(r *http.Request) (*http.Response, error) {
		asked = append(asked, r.URL.String())
		return nil, errors.New("enough")
	})
	// The forms that goodURLs has another spelling of.
	forms := append(oneOfEach(t), "matrix://:token@host/?rooms=room", "bark://:key@host", "rocketchat://host/a/b", "zulip://bot@host.example:key@host.example?stream=s&topic=t")
	for _, url := range forms {
		scheme, _, _ := strings.Cut(url, "://")
		asked = nil
		var calls sync.WaitGroup
		r := newNotifier(url, url, &calls).send(t.Context(), "title", "text")
		calls.Wait()
		switch {
		case strings.Contains(url, "127.0.0.1:1"):
			if !strings.Contains(r.err, "127.0.0.1:1") {
				t.Errorf("%s: %s", url, r.err)
			}
		case want[scheme] == "" || len(asked) == 0 || !strings.HasPrefix(asked[0], want[scheme]):
			t.Errorf("%s asks for %q: %s", url, asked, r.err)
		}
	}
}
