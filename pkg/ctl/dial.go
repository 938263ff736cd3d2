package ctl

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"clauster/pkg/bridge"
	"clauster/pkg/control"

	"golang.org/x/sys/unix"
)

// dial connects to an instance's keeper and believes it only if it is the
// main process of the instance's unit, which systemd is asked at each attempt.
func (a *App) dial(ctx context.Context, bus Systemd, i bridge.Instance) (*control.Conn, error) {
	check := func(pid int, _ uint32) error {
		main, err := bus.MainPID(ctx, i.Unit())
		if err != nil {
			return err
		}
		if main == 0 || pid != main {
			return fmt.Errorf("%w: process %d listens, the unit's is %d", control.ErrPeer, pid, main)
		}
		return nil
	}
	hello := control.Hello{Role: "ctl", Program: a.Version, Instance: i.String()}
	return control.Dial(ctx, a.socketPath(i), hello, check)
}

// dialOrSay is dial with an error for people.
func (a *App) dialOrSay(ctx context.Context, bus Systemd, w *world, i bridge.Instance, command string) (*control.Conn, error) {
	if !w.ServiceUp(i) {
		return nil, failed("clauster-ctl start "+i.String(), "%s is not running", i)
	}
	c, err := a.dial(ctx, bus, i)
	switch {
	case err == nil:
		return c, nil
	case errors.Is(err, fs.ErrPermission):
		return nil, &fault{ExitUnreachable, err, a.sudoHint(command, i.String())}
	case errors.Is(err, fs.ErrNotExist) && w.Services[i].Active == "active": // somebody has removed it
		return nil, &fault{ExitUnreachable, err, "a new keeper makes it anew, and the bridge goes on: systemctl kill -s KILL " + i.Unit()}
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, unix.ECONNREFUSED), errors.Is(err, context.DeadlineExceeded),
		errors.Is(err, control.ErrPeer):
		return nil, &fault{ExitUnreachable, err, "systemctl status " + i.Unit()}
	}
	return nil, err
}
