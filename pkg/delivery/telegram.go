package delivery

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"html"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
)

// telegramAPI is where the messages of Telegram's bots are posted to.
const telegramAPI = "https://api.telegram.org"

// maxTelegramAnswer bounds what is read of an answer. It holds the message
// again; cut short it would be no JSON, and a message sent would count as lost.
const maxTelegramAnswer = 256 << 10

// telegramMessage is the body of a sendMessage, as shoutrrr makes it.
type telegramMessage struct {
	Chat      string `json:"chat_id"`
	Thread    int    `json:"message_thread_id,omitempty"`
	Text      string `json:"text"`
	ParseMode string `json:"parse_mode,omitempty"`
	Silent    bool   `json:"disable_notification"`
	NoPreview bool   `json:"disable_web_page_preview"`
}

// sendTelegram sends a message to every chat of a telegram:// URL, to the
// others also where one fails. shoutrrr reads the URL and would send too, but
// it takes a request without an answer for a success: see
// docs/decisions/telegram.md. The URL's title gives way to the message's, as
// it does there.
func sendTelegram(base string, c *telegram.Config, title, text string) error {
	ctx, cancel := context.WithTimeout(context.Background(), NotifyTimeout)
	defer cancel()
	var first error
	failed := 0
	for _, chat := range c.Chats {
		if err := postTelegram(ctx, base+"/bot"+c.Token+"/sendMessage", newTelegramMessage(c, chat, title, text)); err != nil {
			failed++
			if first == nil {
				first = err
			}
		}
	}
	switch {
	case failed > 0 && len(c.Chats) > 1:
		return fmt.Errorf("cannot send by telegram to %d of %d chats: %w", failed, len(c.Chats), first)
	case failed > 0:
		return fmt.Errorf("cannot send by telegram: %w", first)
	}
	return nil
}

// newTelegramMessage words a message for a chat, which may be CHAT:THREAD.
func newTelegramMessage(c *telegram.Config, chat, title, text string) telegramMessage {
	m := telegramMessage{Chat: chat, Silent: !c.Notification, NoPreview: !c.Preview}
	if id, thread, found := strings.Cut(chat, ":"); found {
		m.Chat = id
		m.Thread, _ = strconv.Atoi(thread) // 0 where it is none, which is left out
	}
	m.Text, m.ParseMode = telegramText(c, title, text)
	return m
}

// telegramText marks a message up. Ours are plain text with names and reasons
// that an agent chooses: each mark of the mode is escaped, as Telegram refuses
// a message with one that has no end. Without a mode it is HTML, for the title.
func telegramText(c *telegram.Config, title, text string) (marked, mode string) {
	switch c.ParseMode {
	case telegram.ParseModeMarkdown: // has no escapes within bold
		return escapeMarks(title+"\n"+text, "_*`["), c.ParseMode.String()
	case telegram.ParseModeMarkdownV2:
		const marks = "\\_*[]()~`>#+-=|{}.!"
		return "*" + escapeMarks(title, marks) + "*\n" + escapeMarks(text, marks), c.ParseMode.String()
	}
	return "<b>" + html.EscapeString(title) + "</b>\n" + html.EscapeString(text), telegram.ParseModes.HTML.String()
}

// escapeMarks puts a backslash before each of some characters.
func escapeMarks(text, marks string) string {
	var b strings.Builder
	for _, c := range text {
		if strings.ContainsRune(marks, c) {
			b.WriteByte('\\')
		}
		b.WriteRune(c)
	}
	return b.String()
}

// postTelegram posts one message. It is sent where Telegram says so and in no
// other case. The target holds the bot's token: no error carries it.
func postTelegram(ctx context.Context, target string, m telegramMessage) error {
	body, err := json.Marshal(m)
	if err != nil {
		return err // strings and bools: it cannot happen
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, target, bytes.NewReader(body))
	if err != nil {
		return errors.New("its URL cannot be used")
	}
	req.Header.Set("Content-Type", "application/json")
	client := http.Client{Timeout: NotifyTimeout, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	res, err := client.Do(req)
	if err != nil {
		var wrapped *url.Error // prints the URL
		if errors.As(err, &wrapped) {
			err = wrapped.Err
		}
		if errors.Is(err, context.DeadlineExceeded) {
			return fmt.Errorf("no answer within %s", NotifyTimeout)
		}
		return err
	}
	defer res.Body.Close()
	var answer struct {
		OK          bool   `json:"ok"`
		Description string `json:"description"`
	}
	err = json.NewDecoder(io.LimitReader(res.Body, maxTelegramAnswer)).Decode(&answer)
	switch {
	case err == nil && answer.OK && res.StatusCode == http.StatusOK:
		return nil
	case res.StatusCode >= 300 && res.StatusCode < 400:
		return fmt.Errorf("it answered %d: redirects are not followed", res.StatusCode)
	case err == nil && answer.Description != "":
		return fmt.Errorf("it answered %d: %s", res.StatusCode, answer.Description)
	}
	return fmt.Errorf("the answer (%d) was not one of Telegram's", res.StatusCode)
}
