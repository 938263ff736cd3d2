package auth

import (
	"net/netip"

	"clauster/pkg/config"
	"clauster/pkg/wire"
)

// Exposed says why a web socket with this address may not serve under this
// configuration; nil where it may. The address must be the one that the socket
// has: what clauster-web.socket says can be changed by a drop-in. An address
// that could not be read is the zero value, and counts as every address.
func Exposed(addr netip.Addr, a config.Auth) *wire.Problem {
	if a.Enforced() || a.AllowUnauthenticatedNetwork || addr.Unmap().IsLoopback() {
		return nil
	}
	return wire.NewProblem(wire.DoorClosed,
		"cannot serve the web socket on "+addr.String()+": it is not loopback and nobody would be asked for authentication, so whoever reaches it would run code as the bridge user",
		"set [auth] enabled, password_required and password_hash (clauster-ctl hash-password makes it), or go back to loopback: systemctl revert clauster-web.socket; then: systemctl stop clauster-api && systemctl restart clauster-web.socket")
}
