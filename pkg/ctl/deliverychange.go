package ctl

import (
	"context"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"

	"github.com/spf13/cobra"
)

// deliveryChangeCommand is one of retry, discard and cancel.
func (a *App) deliveryChangeCommand(verb, short, done string) *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: verb + " ID...", Short: short, Args: deliveryArgs(-1),
		Example:           "  clauster-ctl deliveries " + verb + " 01890a5d-ac96-774b-bcce-b302099a8057",
		ValidArgsFunction: a.completeDeliveries(verb),
		RunE: func(c *cobra.Command, args []string) error {
			all := []wire.Delivery{}
			var errs []error
			gone := func(wire.Delivery) bool { return false }
			if verb == "retry" {
				gone = a.targetGone(c.Context())
			}
			for _, id := range args {
				var d wire.Delivery
				if err := a.delivery(c.Context(), verb+" "+id, http.MethodPost, "/"+url.PathEscape(id)+"/"+verb, &d); err != nil {
					errs = append(errs, err)
					continue
				}
				all = append(all, d)
				if gone(d) {
					if d = a.givenUp(c.Context(), d); d.State == wire.DeliveryDead {
						errs = append(errs, failed("clauster-ctl deliveries discard "+bridge.Word(d.ID), "cannot deliver %s to %s: %s", d.Event, d.Target, d.Error))
						continue
					}
				}
				a.talk("%s to %s %s", clean(d.Event), clean(d.Target), done)
			}
			if asJSON {
				errs = append(errs, printJSON(a.Stdout, all))
			}
			return together(present(errs))
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

// targetGone tells deliveries to a target that the API does not know. It takes
// a retry of those too and gives them up a moment later, while we said that
// they were tried again. It is asked before the first retry: after it, what
// waits makes the target one of the API's again.
func (a *App) targetGone(ctx context.Context) func(wire.Delivery) bool {
	var answer wire.Deliveries
	err := a.delivery(ctx, "list", http.MethodGet, "?limit=1", &answer)
	return func(d wire.Delivery) bool {
		return err == nil && !slices.ContainsFunc(answer.Targets, func(t wire.Target) bool { return t.Target == d.Target && t.Channel == d.Channel })
	}
}

// givenUp waits for a moment until a delivery does not wait any more, and
// gives it as it is then. With a faulty configuration it goes on waiting.
func (a *App) givenUp(ctx context.Context, d wire.Delivery) wire.Delivery {
	for range 10 {
		now := d
		if a.delivery(ctx, "show "+d.ID, http.MethodGet, "/"+url.PathEscape(d.ID), &now) != nil || now.State != wire.DeliveryWaiting {
			return now
		}
		select {
		case <-ctx.Done():
			return now
		case <-time.After(200 * time.Millisecond):
		}
	}
	return d
}

// present leaves out what is no error.
func present(errs []error) []error {
	var some []error
	for _, err := range errs {
		if err != nil {
			some = append(some, err)
		}
	}
	return some
}

// deliveryArgs wants ids, exactly most of them where that is not negative.
func deliveryArgs(most int) cobra.PositionalArgs {
	return func(c *cobra.Command, args []string) error {
		if len(args) == 0 || most > 0 && len(args) > most {
			return usage("clauster-ctl deliveries list", "%s needs the id of a delivery", c.CommandPath())
		}
		for _, id := range args {
			// In the address of the API, "" and ".." are another page.
			if id == "" || strings.ContainsFunc(id, func(r rune) bool { return r != '-' && !isASCIIAlnum(r) }) {
				return usage("clauster-ctl deliveries list", "cannot %s delivery %q: an id is letters, digits and -", c.Name(), id)
			}
		}
		return nil
	}
}

func isASCIIAlnum(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// completeDeliveries completes the ids of deliveries for which a verb is
// something to do.
func (a *App) completeDeliveries(verb string) cobra.CompletionFunc {
	state := map[string]string{"retry": "dead", "discard": "dead", "cancel": "waiting"}[verb]
	return func(c *cobra.Command, args []string, _ string) ([]string, cobra.ShellCompDirective) {
		ctx, cancel := context.WithTimeout(c.Context(), completionPatience)
		defer cancel()
		var answer wire.Deliveries
		if (verb == "" && len(args) > 0) || a.api().Call(ctx, http.MethodGet, "/api/v1/deliveries?limit=100&state="+state, nil, &answer) != nil {
			return nil, cobra.ShellCompDirectiveNoFileComp
		}
		var ids []string
		for _, d := range answer.Deliveries {
			ids = append(ids, cobra.CompletionWithDesc(clean(d.ID), clean(d.Event+" "+d.Instance+" to "+d.Target)))
		}
		return ids, cobra.ShellCompDirectiveNoFileComp
	}
}
