package delivery

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/nicholas-fedor/shoutrrr/pkg/router"
	"github.com/nicholas-fedor/shoutrrr/pkg/services/chat/telegram"
	"github.com/nicholas-fedor/shoutrrr/pkg/types"
)

// NotifyTimeout is how long one message may take. shoutrrr sends some through
// http.DefaultClient, which has no limit of its own: a program that has a
// Courier sets its Timeout to this.
const NotifyTimeout = 30 * time.Second

// notifier sends messages to one service. shoutrrr's calls take no context and
// some of its services wait for ever, so that each call has a goroutine and a
// target has at most one: a service that hangs costs one goroutine, not one a
// try.
type notifier struct {
	url     string // as shoutrrr wants it
	hide    secrets
	timeout time.Duration
	turn    chan struct{}   // holds one token while a call runs
	calls   *sync.WaitGroup // of all notifiers
	deliver func(url, title, text string) error
}

func newNotifier(raw, service string, calls *sync.WaitGroup) *notifier {
	return &notifier{url: service, hide: secretsOfBoth(raw, service), timeout: NotifyTimeout,
		turn: make(chan struct{}, 1), calls: calls, deliver: sender{telegramAPI}.shout}
}

// send sends one message.
func (n *notifier) send(ctx context.Context, title, text string) result {
	ctx, cancel := context.WithTimeout(ctx, n.timeout)
	defer cancel()
	select {
	case n.turn <- struct{}{}:
	case <-ctx.Done():
		return result{err: "the message before this one is still on its way"}
	}
	done := make(chan error, 1)
	n.calls.Go(func() {
		defer func() { <-n.turn }()
		done <- n.call(title, text)
	})
	select {
	case err := <-done:
		if err != nil {
			return result{err: cmp.Or(n.hide.clean(err), "it failed")} // "" would be a success
		}
		return result{}
	case <-ctx.Done():
		return result{err: fmt.Sprintf("no answer within %s", n.timeout)}
	}
}

// call keeps a panic in a service's code away from the API. Go's words for it
// help nobody: zulip's code falls over the answer it did not get, whatever kept
// that from coming.
func (n *notifier) call(title, text string) (err error) {
	defer func() {
		if recover() != nil {
			name, _, _ := strings.Cut(n.url, ":")
			err = fmt.Errorf("cannot send by %s: its code in the library broke down, as it does where there is no answer; is the host in the URL right, and can it be reached from here?", name)
		}
	}()
	return n.deliver(n.url, title, text)
}

// sender sends messages to any service.
type sender struct {
	telegram string // base address of Telegram's API: another one in tests
}

// shout sends through shoutrrr, but for telegram. The service is made anew for
// each message: some keep the last message's parameters in their configuration.
func (s sender) shout(url, title, text string) error {
	service, err := setUp(url)
	if err != nil {
		return err
	}
	if t, ok := service.(*telegram.Service); ok {
		return sendTelegram(s.telegram, t.GetConfig(), title, text)
	}
	params := types.Params{}
	if titled(service.GetID()) {
		params.SetTitle(title)
	} else {
		text = title + "\n" + text
	}
	return service.Send(text, &params)
}

// setUp makes a service of its URL. shoutrrr's router does the same, but puts
// «failed to initialize service» in the place of every cause.
func setUp(raw string) (types.Service, error) {
	r := router.ServiceRouter{}
	scheme, u, err := r.ExtractServiceName(raw)
	if err != nil {
		return nil, innermost(err)
	}
	service, err := r.NewService(scheme)
	if err != nil {
		return nil, innermost(err)
	}
	if u.Scheme != scheme {
		custom, ok := service.(types.CustomURLService)
		if !ok {
			return nil, errors.New("cannot set the service up: it has no such URLs")
		}
		if u, err = custom.GetConfigURLFromCustom(u); err != nil {
			return nil, fmt.Errorf("cannot set the service up: %w", innermost(err))
		}
	}
	if err := service.Initialize(u, nil); err != nil { // one logs in here
		return nil, fmt.Errorf("cannot set the service up: %w", innermost(err))
	}
	return service, nil
}

// titled reports whether a service has a place for a title of its own.
func titled(service string) bool {
	return slices.Contains([]string{"bark", "discord", "generic", "gotify", "ifttt", "join", "lark", "matrix", "mattermost", "ntfy",
		"opsgenie", "pushbullet", "pushover", "slack", "smtp", "teams", "telegram"}, strings.ToLower(service))
}

// innermost is an error without the URLs that were wrapped around it.
func innermost(err error) error {
	for {
		inner := errors.Unwrap(err)
		if inner == nil {
			return err
		}
		err = inner
	}
}
