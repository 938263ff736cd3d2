package ctl

import (
	"context"
	"fmt"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/wire"

	"github.com/spf13/cobra"
)

func (a *App) statusCommand() *cobra.Command {
	var asJSON bool
	c := &cobra.Command{
		Use:   "status INSTANCE",
		Short: "Show one bridge: how it is, since when and why",
		Long: `Show one bridge. Root and the group also see what its keeper knows, such as its
link on claude.ai.

The exit code is 0 whatever the status is; the status is in the output.`,
		Example:           "  clauster-ctl status blog\n  clauster-ctl status blog:review --json",
		Args:              instanceArgs(1, 1),
		ValidArgsFunction: a.completeInstances,
		RunE: func(c *cobra.Command, args []string) error {
			v, err := a.status(c.Context(), args[0])
			if err != nil {
				return err
			}
			if asJSON {
				return printJSON(a.Stdout, v)
			}
			return a.printStatus(v)
		},
	}
	jsonFlag(c, &asJSON)
	return c
}

func (a *App) status(ctx context.Context, name string) (View, error) {
	bus, err := a.systemd(ctx)
	if err != nil {
		return View{}, err
	}
	defer bus.Close()
	w, err := a.look(ctx, bus)
	if err != nil {
		return View{}, err
	}
	i, err := w.resolve(name)
	if err != nil {
		return View{}, err
	}
	v, err := w.one(ctx, bus, i)
	w.warn()
	return v, err
}

// one is the view of one instance with what its keeper adds.
func (w *world) one(ctx context.Context, bus Systemd, i bridge.Instance) (View, error) {
	views, err := w.views(ctx, bus, []bridge.Instance{i})
	if err != nil {
		return View{}, err
	}
	v := views[0]
	if r, ok := w.Records[i]; ok && w.app.entitled() {
		v.Path, v.Worktree = clean(r.Path), clean(r.Worktree)
	}
	if w.ServiceUp(i) && w.app.entitled() {
		w.app.askKeeper(ctx, bus, i, &v)
	}
	return v, nil
}

// keeperPatience is how long status waits for a keeper: one that is being
// started again takes about a second.
const keeperPatience = 2 * time.Second

// askKeeper adds what only the keeper knows. A keeper that does not answer
// costs these fields and nothing else: systemd has said the rest.
func (a *App) askKeeper(ctx context.Context, bus Systemd, i bridge.Instance, v *View) {
	ctx, cancel := context.WithTimeout(ctx, keeperPatience)
	defer cancel()
	c, err := a.dial(ctx, bus, i)
	if err != nil {
		return
	}
	defer c.Close()
	s, err := c.State(ctx)
	if err != nil || s.Instance != i.String() {
		return
	}
	v.TakeKeeper(s)
}

func (a *App) printStatus(v View) error {
	s := a.style()
	var b strings.Builder
	row := func(name, text string) {
		if text != "" {
			fmt.Fprintf(&b, "%12s  %s\n", name, text)
		}
	}
	word := paintStatus(s, v.Status, v.Health)(string(v.Status))
	if v.Health != "" && v.Health != bridge.OK {
		word += " (" + s.warn(string(v.Health)) + ")"
	}
	fmt.Fprintf(&b, "%s %s\n", s.bold(v.Name.String()), word)
	row("reason", v.Reason)
	row("hint", v.Hint)
	row("since", sinceText(a, v.Since))
	row("ready", sinceText(a, v.ReadySince))
	row("links", strings.Join(v.Links, " "))
	row("label", v.Label)
	row("mode", joined(string(v.Mode), string(v.SpawnMode), withWord("permission mode", string(v.PermissionMode))))
	row("claude", joined(withWord("pid", number(v.PID)), v.ClaudeVersion))
	row("keeper", joined(withWord("pid", number(v.KeeperPID)), v.KeeperVersion, withWord("viewers", number(v.Viewers))))
	row("uses", joined(v.memory(), withWord("cpu", v.cpu())))
	row("restarts", joined(v.restarts(), withWord("crashes in a row", number(v.Crashes))))
	row("unit", v.Unit)
	row("scope", v.Scope)
	row("directory", joined(v.Path, withWord("worktree", v.Worktree)))
	row("run", v.Run)
	row("session", v.SessionRef)
	if v.LinesDropped > 0 {
		row("log", fmt.Sprintf("%s, %d dropped", counted(v.LinesSent, "line", "lines"), v.LinesDropped))
	}
	row("enabled", map[bool]string{true: "yes, it comes back after a boot", false: ""}[v.Enabled])
	if v.ConfigChanged {
		row("note", a.commands("configuration changed since start: clauster-ctl restart "+v.Name.String()))
	}
	_, err := fmt.Fprint(a.Stdout, b.String())
	return err
}

func sinceText(a *App, t wire.Time) string {
	if t.IsZero() {
		return ""
	}
	return stamp(t.Time) + " (" + a.ago(t) + ")"
}

func withWord(word, text string) string {
	if text == "" {
		return ""
	}
	return word + " " + text
}

func joined(parts ...string) string {
	var have []string
	for _, p := range parts {
		if p != "" {
			have = append(have, p)
		}
	}
	return strings.Join(have, ", ")
}
