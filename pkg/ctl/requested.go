package ctl

import (
	"context"
	"fmt"
	"os"
	osuser "os/user"
	"strings"

	"clauster/pkg/bridge"
	"clauster/pkg/fleet"
	"clauster/pkg/systemd"
)

// sayRequested writes the event that goes before every job asked of systemd.
// It names who runs this program, and the login behind sudo. Failing to write
// is said and forgiven.
func (a *App) sayRequested(ctx context.Context, i bridge.Instance, v systemd.Verb) {
	login := loginName()
	who := "uid " + itoa(a.UID)
	if login != "" {
		who += " (" + login + ")"
	}
	err := a.place().SayRequested(ctx, fleet.Actor{Program: "clauster-ctl", UID: a.UID, Login: login, By: who}, i, v)
	if err != nil {
		fmt.Fprintf(a.Stderr, "%s %s\n", a.talkStyle().warn("warning:"), clean(err.Error()))
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
