package delivery

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	"clauster/pkg/wire"
)

// telegramAt makes a notifier for a telegram URL and an API at base.
func telegramAt(base, url string) *notifier {
	n := newNotifier(url, url, &sync.WaitGroup{})
	n.deliver = sender{base}.shout
	return n
}

// TestTelegram holds what is posted for each option of the URL.
func TestTelegram(t *testing.T) {
	for query, want := range map[string]telegramMessage{
		"?chats=-1001": {Chat: "-1001", Text: "<b>a_b &lt;c&gt;</b>\nit. ended* [&amp;", ParseMode: "HTML"},
		"?chats=@ops:7&notification=no&preview=no":      {Chat: "@ops", Thread: 7, Silent: true, NoPreview: true, Text: "<b>a_b &lt;c&gt;</b>\nit. ended* [&amp;", ParseMode: "HTML"},
		"?channels=5&parsemode=html&title=never":        {Chat: "5", Text: "<b>a_b &lt;c&gt;</b>\nit. ended* [&amp;", ParseMode: "HTML"},
		"?chats=5&parsemode=markdown":                   {Chat: "5", Text: "a\\_b <c>\nit. ended\\* \\[&", ParseMode: "Markdown"},
		"?chats=5&parseMode=MarkdownV2&notification=no": {Chat: "5", Silent: true, Text: "*a\\_b <c\\>*\nit\\. ended\\* \\[&", ParseMode: "MarkdownV2"},
	} {
		path := make(chan string, 1)
		e := receive(t, func(_ int, w http.ResponseWriter, r *http.Request) {
			path <- r.Method + " " + r.URL.Path
			w.Write([]byte(`{"ok":true,"result":{"message_id":1}}`))
		})
		if r := telegramAt(e.URL, "telegram://123:to-k_en@telegram"+query).send(t.Context(), "a_b <c>", "it. ended* [&"); r.err != "" {
			t.Fatal(query, r.err)
		}
		post := e.next(t)
		var got telegramMessage
		if err := json.Unmarshal([]byte(post.body), &got); err != nil || got != want || post.media != "application/json" {
			t.Errorf("%s: %v\n got %+v\nwant %+v", query, err, got, want)
		}
		if p := <-path; p != "POST /bot123:to-k_en/sendMessage" {
			t.Error(p)
		}
	}
}

// TestTelegramFailures: a message is sent where Telegram says so, and else it
// is not. No error has the token.
func TestTelegramFailures(t *testing.T) {
	const token = "123456789:Secret-Secret_Secret"
	for _, test := range []struct {
		status     int
		body, want string
	}{
		{200, `{"ok":true}`, ""},
		{200, "<html>welcome to this hotel's network", "cannot send by telegram: the answer (200) was not one of Telegram's"},
		{200, "", "cannot send by telegram: the answer (200) was not one of Telegram's"},
		{200, "null", "cannot send by telegram: the answer (200) was not one of Telegram's"},
		{502, "<html>", "cannot send by telegram: the answer (502) was not one of Telegram's"},
		{502, `{"ok":true}`, "cannot send by telegram: the answer (502) was not one of Telegram's"},
		{400, `{"ok":false,"error_code":400,"description":"Bad Request: chat not found"}`, "cannot send by telegram: it answered 400: Bad Request: chat not found"},
		{401, `{"ok":false,"description":"no bot` + token + `"}`, "cannot send by telegram: it answered 401: no bot<redacted>"},
		{302, "", "cannot send by telegram: it answered 302: redirects are not followed"},
		{200, strings.Repeat(" ", maxTelegramAnswer) + `{"ok":true}`, "cannot send by telegram: the answer (200) was not one of Telegram's"},
	} {
		followed := false
		s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			followed = followed || !strings.HasSuffix(r.URL.Path, "/sendMessage")
			w.Header().Set("Location", "/elsewhere")
			w.WriteHeader(test.status)
			w.Write([]byte(test.body))
		}))
		r := telegramAt(s.URL, "telegram://"+token+"@telegram?chats=1").send(t.Context(), "title", "text")
		s.Close()
		if r.err != test.want || followed {
			t.Errorf("%d %.40s: %q", test.status, test.body, r.err)
		}
		if test.want != "" { // now nobody listens there
			r = telegramAt(s.URL, "telegram://"+token+"@telegram?chats=1").send(t.Context(), "title", "text")
			if !strings.HasPrefix(r.err, "cannot send by telegram: dial tcp 127.0.0.1:") || strings.Contains(r.err, "Secret") {
				t.Error(r.err)
			}
		}
	}
	for _, base := range []string{"http://127.0.0.1:1", "http://nobody.invalid", "http://bad host", "nothing://x"} { // without the notifier's redaction
		if err := (sender{base}).shout("telegram://"+token+"@telegram?chats=1", "title", "text"); err == nil || strings.Contains(err.Error(), "Secret") {
			t.Error(base, err)
		}
	}
}

// TestTelegramChats: each chat is tried, and one that fails is a failure.
func TestTelegramChats(t *testing.T) {
	e := receive(t, func(n int, w http.ResponseWriter, _ *http.Request) {
		if n == 1 {
			w.WriteHeader(403)
			w.Write([]byte(`{"ok":false,"description":"Forbidden: bot was kicked"}`))
			return
		}
		w.Write([]byte(`{"ok":true}`))
	})
	r := telegramAt(e.URL, "telegram://1:a@telegram?chats=1,2,3").send(t.Context(), "title", "text")
	if r.err != "cannot send by telegram to 1 of 3 chats: it answered 403: Forbidden: bot was kicked" {
		t.Error(r.err)
	}
	for _, chat := range []string{"1", "2", "3"} {
		if body := e.next(t).body; !strings.Contains(body, `"chat_id":"`+chat+`"`) {
			t.Error(body)
		}
	}
}

// TestTelegramWithoutNetwork: the alert counted as delivered and was lost. It
// waits for its next try.
func TestTelegramWithoutNetwork(t *testing.T) {
	gone := httptest.NewServer(nil)
	gone.Close()
	s := open(t)
	c := start(t, s, people("tgram://123456789:SecretSecretSecret/-1001"))
	for _, l := range c.plan.Load().testers {
		l.deliver = sender{gone.URL}.shout
	}
	happen(t, s, c, event("e1", "crash"))
	until(t, "a try", func() bool { all := deliveries(t, s); return len(all) == 1 && all[0].Attempts > 0 })
	if d := deliveries(t, s)[0]; d.State != wire.DeliveryWaiting || !strings.HasPrefix(d.Error, "cannot send by telegram: ") || strings.Contains(d.Error, "Secret") {
		t.Errorf("%+v", d)
	}
}
