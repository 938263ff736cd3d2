package auth

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"net/http"
	"runtime/debug"
	"time"

	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// The session cookie's name, where it is Secure and for the whole host, where
// it is Secure below a path, and otherwise. Browsers take the first two from
// https only, so that nobody on the way plants one.
const (
	cookieHost   = "__Host-clauster_session"
	cookieSecure = "__Secure-clauster_session"
	cookiePlain  = "clauster_session"
)

// loginName is the one person a password stands for.
const loginName = "admin"

// sessionText is the length of a cookie's value: 32 bytes in base64.
const sessionText = 43

// sessionHash is what is kept of a cookie. The password's hash is in it: with
// another password every session has ended.
func (p *policy) sessionHash(value string) string {
	m := hmac.New(sha256.New, []byte(p.cfg.Auth.PasswordHash))
	m.Write([]byte(value))
	return hex.EncodeToString(m.Sum(nil))
}

func (p *policy) cookieIsSecure(r *http.Request) bool {
	switch p.cfg.Auth.CookieSecure {
	case "always":
		return true
	case "never":
		return false
	}
	return p.scheme(r) == "https"
}

// cookie makes the session cookie; an empty value deletes it.
func (p *policy) cookie(r *http.Request, value string) *http.Cookie {
	c := &http.Cookie{Name: cookiePlain, Value: value, Path: "/", HttpOnly: true, SameSite: http.SameSiteLaxMode,
		MaxAge: p.cfg.Auth.SessionMaxAgeSeconds, Secure: p.cookieIsSecure(r)}
	if p.cfg.RootPath != "" {
		c.Path = p.cfg.RootPath
	}
	switch {
	case c.Secure && c.Path == "/":
		c.Name = cookieHost
	case c.Secure:
		c.Name = cookieSecure
	}
	if value == "" {
		c.MaxAge = -1
	}
	return c
}

// presented is the session cookie of a request. Two of them mean that somebody
// else's page planted one: then there is none.
func (p *policy) presented(r *http.Request) string {
	all := r.CookiesNamed(p.cookie(r, "").Name)
	if len(all) != 1 || len(all[0].Value) != sessionText {
		return ""
	}
	return all[0].Value
}

// passwordLogin reports whether a password lets anybody in.
func (p *policy) passwordLogin() bool {
	return p.cfg.Auth.Enabled && p.cfg.Auth.PasswordRequired && p.cfg.Auth.PasswordHash != ""
}

// bySession recognises a session cookie. One that is over counts as none: the
// browser sends it wherever it goes, also to the login.
func (g *Gate) bySession(r *http.Request, p *policy) (Principal, bool, *wire.Problem) {
	value := p.presented(r)
	if value == "" || g.store == nil || !p.passwordLogin() || g.fromAgent(r) != nil {
		return Principal{}, false, nil
	}
	hash, now := p.sessionHash(value), g.now()
	s, err := g.store.Session(r.Context(), hash)
	switch {
	case errors.Is(err, store.ErrNoSession):
		return Principal{}, false, nil
	case err != nil:
		return Principal{}, false, g.storeProblem(err)
	case !p.alive(s, now):
		return Principal{}, false, nil
	}
	g.touch(r.Context(), now.Sub(s.Seen) >= p.touchSession(), func(ctx context.Context) error { return g.store.TouchSession(ctx, hash, now) })
	return Principal{Kind: Session, Name: s.Login, UID: -1, ID: hash, Scope: ScopeWrite}, true, nil
}

// alive judges a session's two ages.
func (p *policy) alive(s store.Session, now time.Time) bool {
	age, idle := seconds(p.cfg.Auth.SessionMaxAgeSeconds), seconds(p.cfg.Auth.SessionIdleSeconds)
	return now.Sub(s.Created) < age && (idle == 0 || now.Sub(s.Seen) < idle)
}

// touchSession is how exactly a session's last use is kept: noted once a minute,
// a session of less than a minute ended while it was used.
func (p *policy) touchSession() time.Duration {
	if idle := seconds(p.cfg.Auth.SessionIdleSeconds); idle > 0 {
		return min(touchEvery, idle/4)
	}
	return touchEvery
}

func seconds(n int) time.Duration { return time.Duration(n) * time.Second }

// Login checks a password and gives the cookie of a new session: never the one
// that the request brought, which somebody else may have planted.
func (g *Gate) Login(r *http.Request, password string) (*http.Cookie, *wire.Problem) {
	p := g.policy()
	switch {
	case !p.cfg.Auth.Enabled:
		return nil, wire.NewProblem(wire.Conflict, "cannot log in: auth.enabled is false, so nobody is asked", "")
	case g.store == nil:
		return nil, g.storeProblem(nil)
	}
	if problem := g.fromAgent(r); problem != nil {
		return nil, problem
	}
	user, problem := g.proxied(r, p)
	if problem != nil {
		return nil, problem
	}
	key := p.throttleKey(remoteOf(r).Addr(), user)
	if problem := g.check(r.Context(), p, key, password); problem != nil {
		g.log.Warn("login refused", "key", key, "kind", problem.Kind)
		return nil, problem
	}
	g.log.Info("login", "key", key)
	return g.begin(r, p)
}

// check judges one password at a time. What is counted is read in its turn,
// not before: a hundred guesses at once are counted like a hundred in a row.
func (g *Gate) check(ctx context.Context, p *policy, key, password string) *wire.Problem {
	if problem := g.throttled(ctx, key); problem != nil {
		return problem
	}
	leave, ok := g.hashing.enter(ctx)
	if !ok {
		busy := wire.NewProblem(wire.Throttled, "cannot check a password now: too many are being checked", "try again")
		busy.RetryAfter = 1
		return busy
	}
	defer leave()
	if problem := g.throttled(ctx, key); problem != nil {
		return problem
	}
	hash, right := nobodysHash(), false
	if p.passwordLogin() {
		var err error
		if hash, err = parsePHC(p.cfg.Auth.PasswordHash); err != nil {
			return wire.NewProblem(wire.Unavailable, "cannot check a password: auth.password_hash: "+err.Error(), "clauster-ctl hash-password makes one")
		}
		right = hash.matches(password)
	} else {
		_ = hash.matches(password)
	}
	// 19 MiB of garbage that nobody needs again soon.
	debug.FreeOSMemory()
	// Counted even if the client has gone: it would guess for free otherwise.
	ctx = context.WithoutCancel(ctx)
	if right {
		if err := g.store.ClearThrottle(ctx, key); err != nil {
			return g.storeProblem(err)
		}
		return nil
	}
	if err := g.countFailure(ctx, key); err != nil {
		return g.storeProblem(err)
	}
	return wire.NewProblem(wire.Unauthenticated, "cannot log in: the password is wrong", "clauster-ctl hash-password makes the hash of a new one, for auth.password_hash")
}

func (g *Gate) begin(r *http.Request, p *policy) (*http.Cookie, *wire.Problem) {
	if old := p.presented(r); old != "" {
		if err := g.store.DropSession(r.Context(), p.sessionHash(old)); err != nil {
			return nil, g.storeProblem(err)
		}
	}
	value, now := randomText(), g.now()
	if err := g.store.AddSession(r.Context(), store.Session{Hash: p.sessionHash(value), Login: loginName, Created: now, Seen: now}); err != nil {
		return nil, g.storeProblem(err)
	}
	return p.cookie(r, value), nil
}

// Logout ends every session there is, and gives the cookie that deletes the
// browser's.
func (g *Gate) Logout(r *http.Request) (*http.Cookie, *wire.Problem) {
	if g.store == nil {
		return nil, g.storeProblem(nil)
	}
	if err := g.store.DropSessions(r.Context()); err != nil {
		return nil, g.storeProblem(err)
	}
	g.log.Info("logout", "remote", r.RemoteAddr)
	return g.policy().cookie(r, ""), nil
}
