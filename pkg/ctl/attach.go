package ctl

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"time"

	"clauster/pkg/wire"

	"github.com/spf13/cobra"
	"golang.org/x/term"
)

func (a *App) attachCommand() *cobra.Command {
	var readOnly, asJSON bool
	var keys string
	c := &cobra.Command{
		Use:   "attach INSTANCE",
		Short: "Show a bridge's terminal, and type into it",
		Long: `Show a bridge's terminal: first what it showed lately, then everything as it
comes. What you type goes to claude. Leave with ctrl-]; the bridge goes on.

Several people can be attached at once. When the keeper is replaced the terminal
stays and goes on where it was.

The bytes are the bridge's own, escape sequences included: attach only with a
terminal that you would let claude use. With --json, which only looks, each
piece of output is an object on a line of its own: instance, time, and the bytes
as data in base64.`,
		Example:           "  clauster-ctl attach blog\n  clauster-ctl attach --read-only blog\n  clauster-ctl attach --json blog | jq -r '.data | @base64d'\n  clauster-ctl attach --detach-keys ctrl-p,ctrl-q blog",
		Args:              instanceArgs(1, 1),
		ValidArgsFunction: a.completeInstances,
		RunE: func(c *cobra.Command, args []string) error {
			d, err := parseDetachKeys(keys)
			if err != nil {
				return err
			}
			return a.attach(c.Context(), args[0], readOnly, asJSON, d)
		},
	}
	c.Flags().BoolVar(&readOnly, "read-only", false, "only look")
	jsonFlag(c, &asJSON)
	c.Flags().StringVar(&keys, "detach-keys", defaultDetach, "`KEYS` that leave, separated by commas")
	return c
}

func (a *App) attach(ctx context.Context, name string, readOnly, asJSON bool, keys *detacher) error {
	in, ok := a.Stdin.(*os.File)
	isTTY := ok && term.IsTerminal(int(in.Fd())) && a.Terminal && !asJSON
	readOnly = readOnly || asJSON
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
	if asJSON {
		a.Stdout = &outputLines{to: a.Stdout, instance: i.String(), now: a.Now}
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

// outputLines writes each piece of a terminal's output as a line of JSON.
type outputLines struct {
	to       io.Writer
	instance string
	now      func() time.Time
}

// Write writes one object. A piece may end within a character: data is bytes.
func (o *outputLines) Write(p []byte) (int, error) {
	err := json.NewEncoder(o.to).Encode(struct {
		Instance string    `json:"instance"`
		Time     wire.Time `json:"time"`
		Data     []byte    `json:"data"`
	}{o.instance, wire.Time{Time: o.now()}, p})
	return len(p), err
}
