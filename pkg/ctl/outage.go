package ctl

import (
	"context"
	"fmt"
	"net/http/httptrace"
	"sync"

	"clauster/pkg/client"
)

// outage tells once that nobody listens where a stream came from. The client
// tries again for ever, and was silent about it. While the API alone restarts,
// systemd listens in its place.
type outage struct {
	mu   sync.Mutex
	said bool
	say  func(error)
}

func (o *outage) connected(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if err != nil && !o.said {
		o.said = true
		o.say(err)
	}
}

func (o *outage) answered() {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.said = false
}

// watchOutages gives a context whose connections to the API are watched.
func (a *App) watchOutages(ctx context.Context) context.Context {
	o := &outage{say: func(err error) {
		if ctx.Err() == nil {
			a.sayAway(ctx, err)
		}
	}}
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		ConnectDone:          func(_, _ string, err error) { o.connected(err) },
		GotFirstResponseByte: o.answered,
	})
}

// sayAway warns in the words in which other commands fail.
func (a *App) sayAway(ctx context.Context, why error) {
	err := a.explained(ctx, &client.UnreachableError{Socket: a.api().Socket, Err: why}, "events")
	s := a.talkStyle()
	fmt.Fprintf(a.Stderr, "%s %s; events go on once it answers\n", s.warn("warning:"), clean(err.Error()))
	if hint := hintOf(err); hint != "" {
		fmt.Fprintf(a.Stderr, "%s %s\n", s.dim("hint:"), clean(a.commands(hint)))
	}
}
