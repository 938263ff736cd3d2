package fleet

import (
	"context"
	"errors"
	"fmt"
	neturl "net/url"
	"path/filepath"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/terminal"
	"clauster/pkg/wire"
)

// keeperPatience is how long a keeper is waited for: one that is being started
// again takes about a second, and whoever asks for an instance gets the rest at
// once.
const keeperPatience = time.Second

// watchPatience is the same for a watcher, for whom nobody waits: on a busy
// machine a new keeper says that it took over seconds before it answers.
const watchPatience = 10 * time.Second

// AskKeeper adds what only the instance's keeper knows, and where it was
// launched. A keeper that does not answer costs these fields and nothing else.
func (o *Operator) AskKeeper(ctx context.Context, b *Bridge) {
	if r, ok := o.Table.Record(b.Name); ok {
		b.Path, b.Worktree = terminal.Clean(r.Path), terminal.Clean(r.Worktree)
	}
	if _, up := o.Table.ServiceUp(b.Name); !up {
		return
	}
	err := o.dial(ctx, b.Name, func(ctx context.Context, c *control.Conn) error {
		s, err := c.State(ctx)
		if err == nil && s.Instance == b.Name.String() {
			b.TakeKeeper(s)
		}
		return err
	})
	if err != nil {
		o.Log.Debug("cannot ask a keeper", "instance", b.Name.String(), "error", err)
	}
}

// Link gives a bridge's address on claude.ai.
func (o *Operator) Link(ctx context.Context, i bridge.Instance) (string, error) {
	if _, up := o.Table.ServiceUp(i); !up {
		return "", refuse(wire.Conflict, "clauster-ctl start "+i.String(), "%s is not running", i)
	}
	var link string
	err := o.dial(ctx, i, func(ctx context.Context, c *control.Conn) (err error) {
		link, err = c.Link(ctx)
		return err
	})
	var refused *control.Error
	switch {
	case errors.As(err, &refused) && refused.Kind == control.RefusedNotReady:
		return "", refuse(wire.Conflict, "clauster-ctl status "+i.String(), "%s has no link yet: %s", i, terminal.Clean(refused.Message))
	case err != nil:
		return "", refuse(wire.Unavailable, "systemctl status "+i.Unit(), "%s", terminal.Clean(err.Error()))
	}
	return link, CheckLink(link)
}

// CheckLink refuses what is no web address: the link comes out of claude's
// output, and what follows it opens a browser.
func CheckLink(link string) error {
	u, err := neturl.Parse(link)
	if err != nil || u.Scheme != "https" || u.Host == "" || link != terminal.Clean(link) || strings.Contains(link, " ") {
		return refuse(wire.Failed, "", "cannot use the link that the bridge gave: %q is no https address", link)
	}
	return nil
}

// Watch hands on what an instance's keeper writes to the journal, from the
// keeper itself, until the keeper ends the stream or ctx ends. See
// control.Watching for where it begins.
func (o *Operator) Watch(ctx context.Context, i bridge.Instance, watching func(control.Watching), line func(control.Line)) error {
	reach, cancel := context.WithTimeout(ctx, watchPatience)
	c, err := o.reach(reach, i)
	cancel()
	if err != nil {
		return err
	}
	defer c.Close()
	return c.Watch(ctx, watching, line)
}

// dial connects to an instance's keeper for one question.
func (o *Operator) dial(ctx context.Context, i bridge.Instance, f func(context.Context, *control.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, keeperPatience)
	defer cancel()
	c, err := o.reach(ctx, i)
	if err != nil {
		return err
	}
	defer c.Close()
	return f(ctx, c)
}

// reach connects to an instance's keeper and believes it only if it is the main
// process of the instance's unit, which systemd is asked at each attempt.
func (o *Operator) reach(ctx context.Context, i bridge.Instance) (*control.Conn, error) {
	l, err := o.connect(ctx)
	if err != nil {
		return nil, err
	}
	defer o.release(l)
	check := func(pid int, _ uint32) error {
		main, err := l.bus.MainPID(ctx, i.Unit())
		if err != nil {
			return err
		}
		if main == 0 || pid != main {
			return fmt.Errorf("%w: process %d listens, the unit's is %d", control.ErrPeer, pid, main)
		}
		return nil
	}
	path := filepath.Join(o.RuntimeDir, "bridges", i.String(), control.SocketName)
	return control.Dial(ctx, path, control.Hello{Role: "api", Program: o.Version, Instance: i.String()}, check)
}
