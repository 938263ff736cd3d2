package ctl

import (
	"context"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"clauster/pkg/wire"

	"github.com/spf13/cobra"
)

func (a *App) deliveriesCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "deliveries",
		Short: "Events on their way to webhooks and notification services",
		Long: `Show what the API delivers to webhooks and notification services, and decide
about what could not be delivered.

A delivery that fails is tried again after 1, 2, 4, 8 and 16 minutes. Then it is
dead: retry it, or discard it.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.deliveriesListCommand(), a.deliveriesShowCommand(),
		a.deliveryChangeCommand("retry", "Try dead or cancelled deliveries anew, or waiting ones at once", "is tried again"),
		a.deliveryChangeCommand("discard", "Put dead deliveries aside", "is discarded"),
		a.deliveryChangeCommand("cancel", "Do not try waiting deliveries again", "is cancelled"))
	return c
}

// delivery calls the API about deliveries; words are what follows `deliveries`
// on the command line.
func (a *App) delivery(ctx context.Context, words, method, path string, out any) error {
	asking, cancel := context.WithTimeout(ctx, apiPatience)
	defer cancel()
	err := a.api().Call(asking, method, "/api/v1/deliveries"+path, nil, out)
	return a.explained(ctx, err, "deliveries", words)
}

// deliveryStates are the words of --state.
func deliveryStates() []string {
	var all []string
	for _, s := range []wire.DeliveryState{wire.DeliveryWaiting, wire.DeliveryDone, wire.DeliveryDead, wire.DeliveryCancelled, wire.DeliveryDiscarded} {
		all = append(all, string(s))
	}
	return all
}

func (a *App) deliveriesListCommand() *cobra.Command {
	var asJSON bool
	var limit int
	values := map[string]*string{"state": new(string), "channel": new(string), "target": new(string), "event": new(string), "before": new(string)}
	c := &cobra.Command{
		Use:     "list",
		Aliases: []string{"ls"},
		Short:   "List deliveries, newest first, and the health of their targets",
		Long: `List deliveries, newest first, and the targets. A target is named by scheme,
host and a short hash: its URL may hold keys and is never shown.

With --json all that match are printed, however many there are.`,
		Example: "  clauster-ctl deliveries list --state dead\n  clauster-ctl deliveries list --event crash --json | jq .deliveries",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			q := url.Values{}
			for name, v := range values {
				if *v != "" {
					q.Set(name, *v)
				}
			}
			if asJSON && !c.Flags().Changed("limit") {
				return a.printAllDeliveries(c.Context(), q)
			}
			q.Set("limit", strconv.Itoa(limit))
			var answer wire.Deliveries
			if err := a.delivery(c.Context(), "list", http.MethodGet, "?"+q.Encode(), &answer); err != nil {
				return err
			}
			show := a.printDeliveries
			if asJSON {
				show = func(answer wire.Deliveries) error { return printJSON(a.Stdout, answer) }
			}
			if err := show(answer); err != nil || answer.Next == "" {
				return err
			}
			a.talk("there are more: %s", nextDeliveries(c, answer.Next))
			return nil
		},
	}
	flags := c.Flags()
	flags.StringVar(values["state"], "state", "", "only those in this `STATE`: waiting, delivered, dead, cancelled, discarded")
	flags.StringVar(values["channel"], "channel", "", "only those of this `CHANNEL`: webhook, notification")
	flags.StringVar(values["target"], "target", "", "only those to this `TARGET`, as it is named here")
	flags.StringVar(values["event"], "event", "", "only those of this `EVENT`: an id or a kind, such as crash")
	flags.StringVar(values["before"], "before", "", "only those older than the delivery with this `ID`")
	flags.IntVar(&limit, "limit", 50, "at most so many; with --json all, unless this is given")
	// They fail for a flag that does not exist only.
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(deliveryStates(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("channel", cobra.FixedCompletions([]string{"webhook", "notification"}, cobra.ShellCompDirectiveNoFileComp))
	jsonFlag(c, &asJSON)
	return c
}

func (a *App) printDeliveries(answer wire.Deliveries) error {
	s := a.style()
	if len(answer.Targets) == 0 {
		a.talk("no targets: docs/deliveries.md says how to set webhooks and notifications up")
	}
	targets := table{header: []string{"TARGET", "CHANNEL", "HEALTH", "WAITING", "DEAD", "LAST SUCCESS", "ERROR"}}
	for _, t := range answer.Targets {
		health := cell{"ok", s.good}
		if !t.Healthy {
			health = cell{counted(t.Failures, "failure", "failures"), s.bad}
		}
		targets.add(plain(clean(t.Target)), plain(clean(t.Channel)), health, plain(number(t.Waiting)), plain(number(t.Dead)), plain(a.since(t.LastSuccess)), plain(clean(t.Error)))
	}
	list := table{header: []string{"ID", "EVENT", "INSTANCE", "TARGET", "STATE", "TRIES", "AGE", "NEXT", "ERROR"}}
	for _, d := range answer.Deliveries {
		list.add(plain(clean(d.ID)), plain(clean(d.Event)), plain(clean(d.Instance)), plain(clean(d.Target)), cell{clean(string(d.State)), paintDelivery(s, d.State)},
			plain(number(d.Attempts)), plain(a.since(d.Created)), plain(a.until(d.Next)), plain(clean(d.Error)))
	}
	if len(targets.rows) > 0 {
		if err := targets.write(a.Stdout, s); err != nil {
			return err
		}
	}
	if len(list.rows) == 0 {
		a.talk("no deliveries")
		return nil
	}
	if len(targets.rows) > 0 {
		fmt.Fprintln(a.Stdout)
	}
	if err := list.write(a.Stdout, s); err != nil {
		return err
	}
	return nil
}

func paintDelivery(s style, state wire.DeliveryState) func(string) string {
	switch state {
	case wire.DeliveryDone:
		return s.good
	case wire.DeliveryDead:
		return s.bad
	case wire.DeliveryWaiting:
		return s.warn
	}
	return s.dim
}

// since is how long ago a moment was, until how far off it is; "" for none.
func (a *App) since(t wire.Time) string {
	if t.IsZero() {
		return ""
	}
	return span(a.Now().Sub(t.Time))
}

func (a *App) until(t wire.Time) string {
	if t.IsZero() {
		return ""
	}
	if left := t.Sub(a.Now()); left > time.Second {
		return "in " + span(left)
	}
	return "now"
}

func (a *App) deliveriesShowCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use: "show ID", Short: "Show one delivery", Args: deliveryArgs(1),
		Example:           "  clauster-ctl deliveries show 01890a5d-ac96-774b-bcce-b302099a8057",
		ValidArgsFunction: a.completeDeliveries(""),
		RunE: func(c *cobra.Command, args []string) error {
			var d wire.Delivery
			if err := a.delivery(c.Context(), "show "+args[0], http.MethodGet, "/"+url.PathEscape(args[0]), &d); err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.Stdout, d)
			}
			return a.printDelivery(d)
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

func (a *App) printDelivery(d wire.Delivery) error {
	for _, row := range [...][2]string{{"delivery", d.ID}, {"event", d.Event + " " + d.EventID}, {"instance", d.Instance}, {"channel", d.Channel},
		{"target", d.Target}, {"state", string(d.State)}, {"tries", number(d.Attempts)}, {"queued", when(d.Created)}, {"changed", when(d.Updated)},
		{"next try", when(d.Next)}, {"answer", number(d.Code)}, {"error", d.Error}} {
		if row[1] == "" {
			continue
		}
		if _, err := fmt.Fprintf(a.Stdout, "%-9s %s\n", row[0], clean(row[1])); err != nil {
			return err
		}
	}
	return nil
}

func when(t wire.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t.Time)
}
