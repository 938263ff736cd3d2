package auth

import (
	"fmt"
	"net/http"
	"slices"

	"clauster/pkg/wire"
)

// isAgent reports whether agents run as an account: it is the bridge user of the
// configuration, or bridges that live were started as it. Asking only the first
// let every agent in when another user was written into the configuration.
func (g *Gate) isAgent(uid int) bool {
	return !g.userMode && uid >= 0 && (uid == g.bridgeUID() || slices.Contains(g.running(), uid))
}

// agentsUnknown refuses everybody whose account is all that tells him from an
// agent, while the bridge user cannot be found. A typo in user once let agents
// drive the API that supervises them, and everything said that it was well.
func (g *Gate) agentsUnknown() *wire.Problem {
	if g.userMode || g.bridgeUID() >= 0 {
		return nil
	}
	return wire.NewProblem(wire.DoorClosed,
		fmt.Sprintf("cannot serve the web socket without authentication: the bridge user %q is not an account of this host, so agents cannot be told from people", g.config().User),
		"correct user in clauster.toml, then: systemctl reload-or-restart clauster-api; or send a token: sudo clauster-ctl token issue LABEL")
}

// fromAgent refuses a connection of an agent's account, and one from this
// machine whose owner cannot be told.
func (g *Gate) fromAgent(r *http.Request) *wire.Problem {
	if g.userMode {
		return nil
	}
	uid, what := ownerOfPeer(r)
	switch {
	case what == owned && g.isAgent(uid):
		return wire.NewProblem(wire.Forbidden, "cannot let this connection in: it is the bridge user's, and agents run as that user",
			"use an account of your own, or a token: sudo clauster-ctl token issue LABEL")
	case what == unclear:
		return unknownOwner()
	}
	return nil
}

// fromNeighbour refuses other accounts of this host on an open socket of user
// mode: it is one person's, and loopback is everybody's.
func (g *Gate) fromNeighbour(r *http.Request) *wire.Problem {
	if g.group >= 0 {
		return nil
	}
	uid, what := ownerOfPeer(r)
	switch {
	case what == owned && uid != 0 && uid != g.uid:
		return wire.NewProblem(wire.Forbidden, "cannot let this connection in: it is another account's than the one that runs Clauster", "set auth.enabled in clauster.toml, and log in")
	case what == unclear:
		return unknownOwner()
	}
	return nil
}

// ownerOfPeer is ownerOf the connection. What comes in by loopback is of this
// machine: if it is not found, it is hiding.
func ownerOfPeer(r *http.Request) (int, ownership) {
	owner := peerOf(r).owner
	if owner == nil {
		return -1, unclear
	}
	uid, what := owner()
	if what == notHere && loopbackAddr(localOf(r)) {
		what = unclear
	}
	return uid, what
}

func unknownOwner() *wire.Problem {
	return wire.NewProblem(wire.Forbidden, "cannot tell which account of this host the connection comes from",
		"keep the connection open until the answer has come, or send a token: sudo clauster-ctl token issue LABEL")
}
