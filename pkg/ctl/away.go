package ctl

import (
	"context"
	"errors"
	"io/fs"

	"clauster/pkg/client"
)

// explained is apiFault with what systemd knows of an API that does not answer.
// what is the command line to be repeated with sudo, without the program's name.
func (a *App) explained(ctx context.Context, err error, what ...string) error {
	var away *client.UnreachableError
	switch {
	case errors.Is(err, fs.ErrPermission):
		return &fault{ExitUnreachable, err, a.sudoHint(what...)}
	case errors.As(err, &away):
		if why := a.whyAway(ctx); why != "" {
			return unreachable(away.Hint(), "%w: %s", err, why)
		}
	}
	return a.apiFault(err)
}

// whyAway asks systemd why the API does not answer; "" where it cannot say.
func (a *App) whyAway(ctx context.Context) string {
	bus, err := a.systemd(ctx)
	if err != nil {
		return ""
	}
	defer bus.Close()
	units, err := a.ownUnits(ctx, bus)
	if err != nil {
		return ""
	}
	return whyOfUnits(units)
}

// whyOfUnits is the first thing that is wrong with the API's units.
func whyOfUnits(units []unitState) string {
	var service, socket unitState
	for _, u := range units {
		switch u.Unit {
		case "clauster-api.service":
			service = u
		case "clauster-api.socket":
			socket = u
		}
	}
	switch {
	case service.Active == "failed":
		return joined(service.Unit+" has failed", service.Result, service.Reason)
	case socket.Active == "failed":
		return socket.Unit + " has failed"
	case socket.Active != "active":
		return "clauster-api.socket is not started"
	case service.Reason != "":
		return service.Unit + " says: " + service.Reason
	}
	return ""
}
