package ctl

import (
	"context"
	"os"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *App) attachCommand() *cobra.Command {
	var readOnly bool
	var keys string
	c := &cobra.Command{
		Use:   "attach INSTANCE",
		Short: "Show a bridge's terminal, and type into it",
		Long: `Show a bridge's terminal: first what it showed lately, then everything as it
comes. What you type goes to claude. Leave with ctrl-]; the bridge goes on.

Several people can be attached at once. When the keeper is replaced the terminal
stays and goes on where it was.

The bytes are the bridge's own, escape sequences included: attach only with a
terminal that you would let claude use.`,
		Example:           "  clauster-ctl attach blog\n  clauster-ctl attach --read-only blog\n  clauster-ctl attach --detach-keys ctrl-p,ctrl-q blog",
		Args:              instanceArgs(1, 1),
		ValidArgsFunction: a.completeInstances,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := parseDetachKeys(keys)
			if err != nil {
				return err
			}
			return a.attach(c.Context(), args[0], readOnly, d)
		},
	}
	c.Flags().BoolVar(&readOnly, "read-only", false, "only look")
	c.Flags().StringVar(&keys, "detach-keys", defaultDetach, "`KEYS` that leave, separated by commas")
	return c
}

func (a *App) attach(ctx context.Context, name string, readOnly bool, keys *detacher) error {
	in, ok := a.Stdin.(*os.File)
	isTTY := ok && term.IsTerminal(int(in.Fd())) && a.Terminal
	if !isTTY && !readOnly {
		return usage("clauster-ctl attach --read-only "+name, "cannot attach: stdin and stdout are not a terminal")
	}
	bus, w, err := a.ready(ctx, "attach", name)
	if err != nil {
		return err
	}
	defer bus.Close()
	i, err := w.resolve(name)
	if err != nil {
		return err
	}
	v := &viewer{app: a, bus: bus, instance: i, readOnly: readOnly, keys: keys}
	if isTTY {
		v.tty = in
	}
	conn, err := a.dialFor(ctx, v, w)
	if err != nil {
		return err
	}
	if isTTY {
		a.talk("attached to %s; %s leaves", i, "ctrl-] (or your --detach-keys)")
	}
	return v.run(ctx, conn)
}

// Pacing of a viewer: how long it waits for a keeper at first, and how long
// for one that is being replaced.
const (
	attachPatience = 10 * time.Second
	redialPatience = 2 * time.Minute
)
