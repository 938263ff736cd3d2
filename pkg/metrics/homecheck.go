package metrics

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"clauster/pkg/wire"
)

// home waits for both of claude's answers. An answer that stands in for one
// that cannot be had is shown beside the reason, with its age: for ten minutes a
// home that was away was once called healthy, and its last word the state of now.
func (b *Board) home(ctx context.Context) Finding {
	l := b.src.Login(ctx)
	f := b.login(l)
	f.At = l.At
	switch away := firstOf(unasked(l.ClaudeErr), unasked(l.AuthErr)); {
	case away != nil:
		return found(wire.Degraded, away.Error(), cmp.Or(hintOf(away), "systemctl status clauster-home.service"))
	case l.Stale != nil && !l.At.IsZero():
		f.Status = wire.Degraded
		f.Detail = fmt.Sprintf("%v; %d seconds ago: %s", l.Stale, int(time.Since(l.At).Seconds()), f.Detail)
		f.Hint = cmp.Or(hintOf(l.Stale), "systemctl status clauster-home.service")
	}
	return f
}

// login judges what was answered.
func (b *Board) login(l Login) Finding {
	claude := strings.TrimSpace("claude " + l.ClaudeVersion)
	switch {
	case l.ClaudeErr != nil:
		return found(wire.Degraded, "claude cannot be run: "+l.ClaudeErr.Error(), cmp.Or(hintOf(l.ClaudeErr), "systemctl status clauster-home.service"))
	case l.Unfit != nil:
		return found(wire.Degraded, "claude cannot be used: "+l.Unfit.Reason, cmp.Or(l.Unfit.Hint, "clauster-ctl config check"))
	case !l.ClaudeOK:
		return found(wire.Degraded, "claude cannot be run", "clauster-ctl config check")
	case l.AuthErr != nil:
		return found(wire.Degraded, "cannot tell whether "+claude+" is logged in: "+l.AuthErr.Error(), cmp.Or(hintOf(l.AuthErr), b.loginHint(l)))
	case !l.OK:
		return found(wire.Degraded, claude+" is not logged in", b.loginHint(l))
	}
	in := strings.TrimSpace(claude + " is logged in " + method(l.Method))
	if l.Barred != nil {
		return found(wire.Degraded, in+", which is no use: "+l.Barred.Reason, b.loginHint(l))
	}
	return found(wire.Healthy, in, "")
}

func hintOf(err error) string {
	var h interface{ Hint() string }
	if errors.As(err, &h) {
		return h.Hint()
	}
	return ""
}

func (b *Board) loginHint(l Login) string {
	if l.Barred != nil && l.Barred.Hint != "" {
		return l.Barred.Hint
	}
	if user := b.src.Config().User; user != "" {
		return "sudo -iu " + user + " claude auth login"
	}
	return "claude auth login"
}

func method(name string) string {
	if name == "" {
		return ""
	}
	return "(" + name + ")"
}
