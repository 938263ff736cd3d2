package auth

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"clauster/pkg/config"
	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// Store is what the gate keeps in the database; *store.Store is the real one.
// TokenByHash and Session answer store.ErrNoToken and store.ErrNoSession where
// there is none.
type Store interface {
	TokenByHash(ctx context.Context, hash string) (store.Token, error)
	TouchToken(ctx context.Context, id string, at time.Time) error
	AddSession(ctx context.Context, n store.Session) error
	Session(ctx context.Context, hash string) (store.Session, error)
	TouchSession(ctx context.Context, hash string, at time.Time) error
	DropSession(ctx context.Context, hash string) error
	DropSessions(ctx context.Context) error
	Throttle(ctx context.Context, key string) (store.Throttle, error)
	ChangeThrottle(ctx context.Context, key string, most int, stale time.Time, f func(store.Throttle) store.Throttle) (store.Throttle, error)
	ClearThrottle(ctx context.Context, key string) error
}

// Options are what a gate stands on. All but Store and Log are needed.
type Options struct {
	// Config is the configuration in force; asked at every request.
	Config func() *config.Config
	// Store is nil while the database is refused: then there are no sessions
	// and no tokens but the fixed one of the configuration.
	Store Store
	Now   func() time.Time
	// UID is our own, Group the gid of group clauster (-1 for none, as in user
	// mode): who may do everything on the unix socket, with root.
	UID, Group int
	// UserMode is set where agents have our own uid: nobody can tell them apart.
	UserMode bool
	// BridgeUID is the uid of the bridge user of the configuration, -1 in user mode
	// or while it is unknown; asked at every request.
	BridgeUID func() int
	// Running are the uids that bridges run as now, whatever the configuration
	// says by now; nil for none. Asked at every request.
	Running func() []int
	Log     *slog.Logger
}

// Gate admits requests. Its methods may be called from several goroutines.
type Gate struct {
	config    func() *config.Config
	store     Store
	now       func() time.Time
	uid       int
	group     int
	userMode  bool
	bridgeUID func() int
	running   func() []int
	log       *slog.Logger

	policies atomic.Pointer[policy]
	hashing  slots
}

// New makes a gate.
func New(o Options) *Gate {
	g := &Gate{config: o.Config, store: o.Store, now: o.Now, uid: o.UID, group: o.Group, userMode: o.UserMode, bridgeUID: o.BridgeUID, running: o.Running,
		log: o.Log, hashing: newSlots()}
	if g.running == nil {
		g.running = func() []int { return nil }
	}
	if g.log == nil {
		g.log = slog.New(slog.DiscardHandler)
	}
	return g
}

// policy is that of the configuration in force.
func (g *Gate) policy() *policy {
	cfg := g.config()
	if p := g.policies.Load(); p != nil && p.cfg == cfg {
		return p
	}
	p := newPolicy(cfg)
	g.policies.Store(p)
	return p
}

// Admit tells who a request comes from. The problem is set where it may not
// come at all: a foreign Host or Origin, a wrong credential, a token in the
// address, somebody else's account.
func (g *Gate) Admit(r *http.Request, door Door) (Principal, *wire.Problem) {
	nobody := Principal{Kind: Nobody, UID: -1}
	if problem := checkAddress(r.URL); problem != nil {
		return nobody, problem
	}
	if door == UnixDoor {
		return g.admitLocal(peerOf(r))
	}
	return g.admitWeb(r)
}

// admitLocal judges the account behind a unix socket.
func (g *Gate) admitLocal(p *peer) (Principal, *wire.Problem) {
	who := Principal{Kind: Local, UID: p.uid, Name: p.name(), Scope: ScopeWrite}
	nobody := Principal{Kind: Nobody, UID: p.uid, Name: who.Name}
	switch {
	case !p.local:
		return Principal{Kind: Nobody, UID: -1}, wire.NewProblem(wire.Forbidden, "cannot tell which account this connection comes from", "")
	case p.uid == 0 || p.uid == g.uid:
		return who, nil
	case g.isAgent(p.uid):
		// In the group or not: an agent runs as this user.
		return nobody, wire.NewProblem(wire.Forbidden, "cannot let "+who.Name+" in: it is the bridge user, and agents run as that user",
			"use an account of your own: sudo clauster-ctl …")
	case p.in(g.group):
		return who, nil
	}
	return nobody, wire.NewProblem(wire.Forbidden, "cannot let "+who.Name+" in: only root and the members of group clauster may",
		"use sudo, or for good: sudo usermod -aG clauster "+who.Name+" and a new login")
}

// admitWeb judges a request on the web socket.
func (g *Gate) admitWeb(r *http.Request) (Principal, *wire.Problem) {
	nobody := Principal{Kind: Nobody, UID: -1}
	p, local := g.policy(), localOf(r)
	if !p.hostAllowed(r, local) {
		return nobody, wire.NewProblem(wire.HostRefused, "cannot answer to the name in the Host header: it is not one of this server",
			"use http://127.0.0.1 with the socket's port, or add the name to api.allowed_hosts in clauster.toml, then: systemctl reload-or-restart clauster-api")
	}
	shown, problem := p.checkBrowser(r)
	if problem != nil {
		return nobody, problem
	}
	who, problem := g.recognise(r, p)
	switch {
	case problem != nil:
		return nobody, problem
	case who.Kind == Session:
		if problem := checkCookie(r, shown); problem != nil {
			return nobody, problem
		}
	case who.Kind == Nobody && !p.cfg.Auth.Enabled:
		return g.admitOpen(r, p, local)
	}
	return who, nil
}

// recognise looks for credentials in their order. A wrong one is a refusal:
// who meant to be somebody must not go on as anybody.
func (g *Gate) recognise(r *http.Request, p *policy) (Principal, *wire.Problem) {
	if user, problem := g.proxied(r, p); problem != nil {
		return Principal{}, problem
	} else if user != "" {
		return Principal{Kind: Proxy, Name: user, UID: -1, Scope: ScopeWrite}, nil
	}
	if token, found, problem := bearer(r); problem != nil {
		return Principal{}, problem
	} else if found {
		return g.byToken(r.Context(), p, token)
	}
	if p.cfg.Auth.Enabled {
		if who, ok, problem := g.bySession(r, p); ok || problem != nil {
			return who, problem
		}
	}
	return Principal{Kind: Nobody, UID: -1}, nil
}

// proxied is the user the reverse proxy vouches for. An agent on this host can
// connect from the proxy's address if that is a loopback one; its uid tells.
func (g *Gate) proxied(r *http.Request, p *policy) (string, *wire.Problem) {
	c := p.cfg.Auth.ReverseProxy
	if !c.Enabled || r.Header.Get(c.UserHeader) == "" || !p.trusts(remoteOf(r).Addr()) || g.fromAgent(r) != nil {
		return "", nil
	}
	if !c.RequireHMAC && loopbackAddr(localOf(r)) {
		if problem := g.agentsUnknown(); problem != nil {
			return "", problem // the address is all the proof, and agents have it too
		}
	}
	user, err := p.proxyUser(r, firstSeen(r.Context(), g.now()))
	if err != nil {
		return "", wire.NewProblem(wire.Unauthenticated, "cannot believe the reverse proxy: "+err.Error(), "compare auth.reverse_proxy in clauster.toml with the proxy's own settings")
	}
	return user, nil
}

// admitOpen lets anybody in on a loopback socket without authentication,
// except agents. The account that connects is nobody's proof, but it is known,
// and the audit wants a name: all there was once is «requested by open».
func (g *Gate) admitOpen(r *http.Request, p *policy, local netip.AddrPort) (Principal, *wire.Problem) {
	nobody := Principal{Kind: Nobody, UID: -1}
	if !loopbackAddr(local) && !p.cfg.Auth.AllowUnauthenticatedNetwork {
		return nobody, Exposed(local.Addr(), p.cfg.Auth)
	}
	if problem := cmp.Or(g.agentsUnknown(), g.fromAgent(r), g.fromNeighbour(r)); problem != nil {
		return nobody, problem
	}
	who := Principal{Kind: Open, UID: -1, Scope: ScopeWrite}
	if uid, what := ownerOfPeer(r); what == owned {
		who.UID, who.Name = uid, peerOf(r).name()
	}
	return who, nil
}

// storeProblem is the answer where the database does not.
func (g *Gate) storeProblem(err error) *wire.Problem {
	if err == nil {
		err = errors.New("it is not open")
	}
	g.log.Error("cannot use the database for authentication", "error", err)
	return wire.NewProblem(wire.StoreRefused, "cannot check who you are: the database does not answer", "clauster-ctl store check")
}
