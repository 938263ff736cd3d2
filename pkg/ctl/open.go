package ctl

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"clauster/pkg/control"
	"clauster/pkg/fleet"

	"github.com/spf13/cobra"
	"rsc.io/qr"
)

func (a *App) openCommand() *cobra.Command {
	var asJSON, noQR bool
	c := &cobra.Command{
		Use:   "open INSTANCE",
		Short: "Print a bridge's link, and a QR code of it for the phone",
		Long: `Print the address of a bridge on claude.ai, and on a terminal a QR code of it.
Who has the link and the account can drive the bridge: treat it as a secret.`,
		Example:           "  clauster-ctl open blog\n  xdg-open \"$(clauster-ctl open blog)\"",
		Args:              instanceArgs(1, 1),
		ValidArgsFunction: a.completeInstances,
		RunE: func(c *cobra.Command, args []string) error {
			link, err := a.link(c.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.Stdout, map[string]string{"instance": args[0], "url": link})
			}
			if _, err := fmt.Fprintln(a.Stdout, link); err != nil {
				return err
			}
			if a.Terminal && !noQR {
				return printQR(a.Stdout, link)
			}
			return nil
		},
	}
	jsonFlag(c, &asJSON)
	c.Flags().BoolVar(&noQR, "no-qr", false, "print the link only")
	return c
}

func (a *App) link(ctx context.Context, name string) (string, error) {
	bus, w, err := a.ready(ctx, "open", name)
	if err != nil {
		return "", err
	}
	defer bus.Close()
	i, err := w.resolve(name)
	if err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, 2*keeperPatience)
	defer cancel()
	conn, err := a.dialOrSay(ctx, bus, w, i, "open")
	if err != nil {
		return "", err
	}
	defer conn.Close()
	link, err := conn.Link(ctx)
	var refused *control.Error
	switch {
	case errors.As(err, &refused) && refused.Kind == control.RefusedNotReady:
		return "", failed("clauster-ctl status "+i.String(), "%s has no link yet: %w", i, err)
	case err != nil:
		return "", err
	}
	if err := fleet.CheckLink(link); err != nil {
		return "", err
	}
	return link, nil
}

// printQR draws a QR code in half blocks, dark on light whatever the
// terminal's colours are, with the margin that readers need.
func printQR(w io.Writer, text string) error {
	code, err := qr.Encode(text, qr.L)
	if err != nil {
		return fmt.Errorf("cannot make a QR code: %w", err)
	}
	const margin = 2
	var b strings.Builder
	for y := -margin; y < code.Size+margin; y += 2 {
		b.WriteString("\x1b[30;47m")
		for x := -margin; x < code.Size+margin; x++ {
			switch upper, lower := code.Black(x, y), code.Black(x, y+1); {
			case upper && lower:
				b.WriteString("█")
			case upper:
				b.WriteString("▀")
			case lower:
				b.WriteString("▄")
			default:
				b.WriteString(" ")
			}
		}
		b.WriteString("\x1b[0m\n")
	}
	_, err = io.WriteString(w, b.String())
	return err
}
