package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"time"

	"clauster/pkg/wire"

	"github.com/spf13/cobra"
)

// notifyPatience is how long a test may take: all messages go out at once, and
// the API gives each half a minute.
const notifyPatience = 45 * time.Second

func (a *App) notifyCommand() *cobra.Command {
	c := &cobra.Command{
		Use:   "notify",
		Short: "Notification services",
		Long:  `Notifications go to the services of notifications.urls in clauster.toml.`,
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(a.notifyTestCommand())
	return c
}

func (a *App) notifyTestCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "test",
		Short: "Send a test message to every notification service",
		Long: `Send a test message to every service of notifications.urls, at once and past the
outbox, and tell how each went. It fails if one of them did.`,
		Example: "  clauster-ctl notify test",
		Args:    noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			var answer wire.NotifyTest
			asking, cancel := context.WithTimeout(c.Context(), notifyPatience)
			defer cancel()
			if err := a.api().Call(asking, http.MethodPost, "/api/v1/notify/test", nil, &answer); err != nil {
				return a.untestable(c.Context(), err)
			}
			failures := 0
			for _, r := range answer.Results {
				if !r.OK {
					failures++
				}
			}
			if err := a.printNotifyTest(answer, asJSON); err != nil {
				return err
			}
			if failures > 0 {
				return failed("correct the URL in notifications.urls, then: systemctl reload clauster-api", "cannot reach %d of %d notification targets", failures, len(answer.Results))
			}
			return nil
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

// untestable says why no test message was sent. With a fault in its
// configuration the API has no targets: that they are turned on is no help then.
func (a *App) untestable(ctx context.Context, err error) error {
	var refused *wire.Problem
	if errors.As(err, &refused) && refused.Kind == wire.Conflict {
		if _, broken := a.config(); broken != nil && !errors.Is(broken, fs.ErrPermission) {
			return fmt.Errorf("cannot send a test message: %w", broken)
		}
	}
	return a.explained(ctx, err, "notify", "test")
}

func (a *App) printNotifyTest(answer wire.NotifyTest, asJSON bool) error {
	if asJSON {
		return printJSON(a.Stdout, answer)
	}
	s := a.style()
	for _, r := range answer.Results {
		word := s.good("sent")
		if !r.OK {
			word = s.bad("failed") + ": " + clean(r.Error)
		}
		if _, err := fmt.Fprintf(a.Stdout, "%s  %s\n", clean(r.Target), word); err != nil {
			return err
		}
	}
	return nil
}
