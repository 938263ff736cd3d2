package ctl

import (
	"context"
	"net/http"

	"clauster/pkg/wire"

	"github.com/spf13/cobra"
)

func (a *App) errorsCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "errors",
		Short: "Sum up what the model API refused: overload, rate limits, logins",
		Long: `Sum up the refusals of the model API that bridges met in the last hour and day,
by kind and project: overloaded (529), throttled and rejected (rate limits),
limit (the plan's), server-error, login and other. A keeper reports each kind at
most once a minute.`,
		Example: "  clauster-ctl errors\n  clauster-ctl errors --json | jq .last_1h.by_kind",
		Args:    noArgs,
		RunE:    func(c *cobra.Command, _ []string) error { return a.apiErrors(c.Context(), asJSON) },
	}
	jsonFlag(c, &asJSON)
	return c
}

func (a *App) apiErrors(ctx context.Context, asJSON bool) error {
	asking, cancel := context.WithTimeout(ctx, apiPatience)
	defer cancel()
	var sums wire.APIErrors
	if err := a.api().Call(asking, http.MethodGet, "/api/v1/errors", nil, &sums); err != nil {
		return a.explained(ctx, err, "errors")
	}
	if asJSON {
		return printJSON(a.Stdout, sums)
	}
	if sums.LastDay.Total == 0 {
		a.talk("no errors of the model API in the last 24 hours")
		return nil
	}
	hour := map[[2]string]int{}
	for _, c := range sums.LastHour.Counts {
		hour[[2]string{c.Project, c.Kind}] = c.Count
	}
	t := table{header: []string{"PROJECT", "KIND", "1H", "24H", "LAST"}}
	for _, c := range sums.LastDay.Counts {
		t.add(plain(clean(c.Project)), plain(clean(c.Kind)), plain(itoa(hour[[2]string{c.Project, c.Kind}])), plain(itoa(c.Count)),
			plain(a.ago(c.Last)+" ago"))
	}
	t.add(plain("all"), plain(""), plain(itoa(sums.LastHour.Total)), plain(itoa(sums.LastDay.Total)), plain(""))
	return t.write(a.Stdout, a.style())
}
