package ctl

import (
	"context"
	"fmt"
	"os"
	osuser "os/user"
	"strings"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/systemd"
)

// requestPatience bounds the writing of a requested event: a journald that is
// away must not keep an operator from stopping a bridge.
const requestPatience = 2 * time.Second

// sayRequested writes the event that goes before every job asked of systemd,
// so that an end without one is known to have been asked for elsewhere. It is
// believed about its sender only, so it names who runs this program, and the
// login behind sudo. Failing to write is said and forgiven.
func (a *App) sayRequested(ctx context.Context, i bridge.Instance, v systemd.Verb) {
	w := journal.NewWriter(journal.Options{Identifier: "clauster-ctl", Socket: a.path("/run/systemd/journal/socket")})
	login := loginName()
	who := "uid " + itoa(a.UID)
	if login != "" {
		who += " (" + login + ")"
	}
	w.Event(journal.Event{Name: bridge.EventRequested, Message: fmt.Sprintf("%s of %s requested by %s", v, i, who),
		Fields: journal.Fields{
			bridge.FieldInstance: i.String(), bridge.FieldProject: i.Project, bridge.FieldLabel: i.DisplayName(),
			bridge.FieldVerb: string(v), bridge.FieldActorUID: itoa(a.UID), bridge.FieldActorLogin: login,
			bridge.FieldPeerUnit: ownUnit(),
		}})
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), requestPatience)
	defer cancel()
	if err := w.Close(ctx); err != nil {
		fmt.Fprintf(a.Stderr, "%s the journal does not know that you asked: %s\n", a.talkStyle().warn("warning:"), clean(err.Error()))
	}
}

// loginName is the account that logged in, which sudo does not change; "" for
// a daemon.
func loginName() string {
	data, err := os.ReadFile("/proc/self/loginuid")
	if err != nil {
		return ""
	}
	id := strings.TrimSpace(string(data))
	const unset = "4294967295"
	if id == "" || id == unset {
		return ""
	}
	u, err := osuser.LookupId(id)
	if err != nil {
		return id
	}
	return u.Username
}

// ownUnit is the unit that this process runs in: the last .service or .scope
// of its control group.
func ownUnit() string {
	data, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return ""
	}
	unit := ""
	for part := range strings.SplitSeq(strings.TrimSpace(string(data)), "/") {
		if strings.HasSuffix(part, ".service") || strings.HasSuffix(part, ".scope") {
			unit = part
		}
	}
	return unit
}
