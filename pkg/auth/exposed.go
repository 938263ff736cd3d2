package auth

import (
	"net"

	"clauster/pkg/config"
	"clauster/pkg/wire"
)

// Exposed says why a web socket with this address may not serve under this
// configuration; nil where it may. The address must be the one that the socket
// has: what clauster-web.socket says can be changed by a drop-in.
func Exposed(addr net.Addr, cfg *config.Config) *wire.Problem {
	if cfg.Auth.Enforced() || cfg.Auth.AllowUnauthenticatedNetwork || loopbackSocket(addr) {
		return nil
	}
	return wire.NewProblem(wire.DoorClosed,
		"cannot serve the web socket "+addr.String()+": it is not loopback, and clauster.toml asks nobody for authentication, so whoever reaches it would run code as the bridge user",
		"set [auth] enabled, password_required and password_hash (clauster-ctl hash-password) and: systemctl reload clauster-api; or go back to loopback: systemctl revert clauster-web.socket && systemctl restart clauster-web.socket")
}

func loopbackSocket(addr net.Addr) bool {
	switch a := addr.(type) {
	case *net.TCPAddr:
		return a.IP.IsLoopback()
	case *net.UnixAddr:
		return true
	}
	return false
}
