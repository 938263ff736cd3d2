package ctl

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/systemd"
)

// change asks systemd for a job and waits for its end, with progress on a
// terminal. It returns the fault of a job that did not succeed.
func (a *App) change(ctx context.Context, bus Systemd, i bridge.Instance, v systemd.Verb, unit string, wait bool) error {
	a.sayRequested(ctx, i, v)
	if !wait {
		return a.denied(bus.Enqueue(ctx, v, unit), string(v), i.String())
	}
	began := time.Now()
	done := a.progress(ctx, bus, i, v)
	result, err := bus.Do(ctx, v, unit)
	done()
	switch {
	case errors.Is(ctx.Err(), context.Canceled):
		return failed("clauster-ctl status "+i.String(), "interrupted: the %s of %s goes on without you", v, i)
	case err != nil:
		return a.denied(err, string(v), i.String())
	case result == "canceled":
		return failed("clauster-ctl status "+i.String(), "cannot %s %s: another request came in between", v, i)
	case result != "done":
		return a.explain(ctx, bus, i, v, result, began)
	}
	return nil
}

// explain says why a job failed: by the event that its keeper wrote since, else
// by the state it left.
func (a *App) explain(ctx context.Context, bus Systemd, i bridge.Instance, v systemd.Verb, result string, began time.Time) error {
	reason, hint := fmt.Sprintf("the job ended with %q", result), "clauster-ctl logs "+i.String()
	w, err := a.look(ctx, bus)
	if err != nil {
		return failed(hint, "cannot %s %s: %s", v, i, reason)
	}
	if views, err := w.views(ctx, bus, []bridge.Instance{i}); err == nil && views[0].Reason != "" {
		reason = views[0].Reason
	}
	if e, ok := a.endSince(ctx, i, began); ok && e.Get(bridge.FieldReason) != "" {
		reason, hint = clean(e.Get(bridge.FieldReason)), cmp.Or(clean(e.Get(bridge.FieldHint)), hint)
	}
	if w.ServiceUp(i) {
		hint = "it is tried again by itself: clauster-ctl status " + i.String()
	}
	return failed(hint, "cannot %s %s: %s", v, i, reason)
}

// endSince gives the end event that an instance's keeper wrote since a time.
func (a *App) endSince(ctx context.Context, i bridge.Instance, since time.Time) (journal.Entry, bool) {
	if !a.userMode && !a.JournalReadable() {
		return journal.Entry{}, false
	}
	ctx, cancel := context.WithTimeout(ctx, journalPatience)
	defer cancel()
	last, err := journal.LastEvents(ctx, a.origin(), []bridge.Instance{i})
	e := last[i]
	return e, err == nil && e.Event().Ends() && !e.Time.Before(since)
}

// progress shows on a terminal that and what is waited for; the function it
// returns ends and removes that.
func (a *App) progress(ctx context.Context, bus Systemd, i bridge.Instance, v systemd.Verb) (done func()) {
	if !a.TalkTerminal {
		return func() {}
	}
	ctx, cancel := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() {
		began, text := a.Now(), ""
		tick := time.NewTicker(time.Second)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				fmt.Fprint(a.Stderr, "\r\x1b[K")
				return
			case <-tick.C:
			}
			if g, err := bus.Glances(ctx, []string{i.Unit()}); err == nil {
				text = clean(g[i.Unit()].StatusText)
			}
			const most = 60
			if r := []rune(text); len(r) > most {
				text = string(r[:most]) + "…"
			}
			fmt.Fprintf(a.Stderr, "\r\x1b[K%s of %s: %s %s", v, i, span(a.Now().Sub(began)), a.talkStyle().dim(text))
		}
	})
	return func() { cancel(); wg.Wait() }
}

// changed is the object that start, stop and restart print with --json.
type changed struct {
	View
	Created *bool `json:"created,omitempty"` // start: false when it was running already
	Stopped *bool `json:"stopped,omitempty"` // stop: false when it was down already
}

// after gives the instance's view once a job is over.
func (a *App) after(ctx context.Context, bus Systemd, i bridge.Instance) (View, error) {
	// A job that the operator no longer waits for is still worth a look.
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	w, err := a.look(ctx, bus)
	if err != nil {
		return View{}, err
	}
	return w.one(ctx, bus, i)
}

// talk says something on stderr, for people only.
func (a *App) talk(format string, args ...any) {
	fmt.Fprintln(a.Stderr, a.commands(fmt.Sprintf(format, args...)))
}

// concurrently runs f for each instance at once, within reason, and gives the
// errors in the order of the instances.
func concurrently(instances []bridge.Instance, f func(bridge.Instance) error) []error {
	const most = 32
	errs := make([]error, len(instances))
	slots := make(chan struct{}, most)
	var wg sync.WaitGroup
	for n, i := range instances {
		slots <- struct{}{}
		wg.Go(func() {
			errs[n] = f(i)
			<-slots
		})
	}
	wg.Wait()
	return slices.DeleteFunc(errs, func(err error) bool { return err == nil })
}
