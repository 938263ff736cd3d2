package ctl

import (
	"errors"
	"path/filepath"

	"clauster/pkg/client"
	"clauster/pkg/wire"
)

// api is the API of this manager, on its unix socket; it connects with the
// first call.
func (a *App) api() *client.Client {
	if a.userMode {
		return client.New(filepath.Join(a.Getenv("XDG_RUNTIME_DIR"), "clauster/api.sock"))
	}
	return client.New(a.path(client.SystemSocket))
}

// apiFault gives an error of a call its exit code and its hint.
func (a *App) apiFault(err error) error {
	var away *client.UnreachableError
	var refused *wire.Problem
	switch {
	case errors.As(err, &away):
		return &fault{ExitUnreachable, err, away.Hint()}
	case errors.As(err, &refused):
		return &fault{problemCode(refused.Kind), err, refused.Hint}
	}
	return err
}

// problemCode is the exit code for a kind of refusal.
func problemCode(k wire.Kind) int {
	switch k {
	case wire.NotFound:
		return ExitNoInstance
	case wire.BadRequest, wire.Invalid:
		return ExitUsage
	case wire.Unauthenticated, wire.Forbidden, wire.Unavailable, wire.DoorClosed, wire.StoreRefused:
		return ExitUnreachable
	}
	return ExitFailed
}
