package auth

import (
	"context"
	"errors"
	"net/http"
	"strings"
	"time"

	"clauster/pkg/store"
	"clauster/pkg/wire"
)

// touchEvery is how exactly the last use of tokens and sessions is kept, of
// short sessions more so (touchSession): a write per request would be most of
// the database's work.
const touchEvery = time.Minute

// touchPatience bounds that write; a request must not wait for a busy database.
const touchPatience = 2 * time.Second

// bearer is the token of the Authorization header. Other schemes are not ours:
// a proxy with Basic authentication passes its header on.
func bearer(r *http.Request) (token string, found bool, problem *wire.Problem) {
	for _, v := range r.Header.Values("Authorization") {
		scheme, rest, _ := strings.Cut(v, " ")
		if !strings.EqualFold(scheme, "Bearer") {
			continue
		}
		if found || len(rest) > maxToken {
			return "", false, wrongToken()
		}
		token, found = strings.TrimSpace(rest), true
	}
	return token, found, nil
}

func wrongToken() *wire.Problem {
	return wire.NewProblem(wire.Unauthenticated, "cannot accept this token: it is unknown, expired or revoked",
		"sudo clauster-ctl token list shows which there are, sudo clauster-ctl token issue LABEL makes one")
}

// byToken recognises a token: the fixed one, the scrape token, one of the
// store.
func (g *Gate) byToken(ctx context.Context, p *policy, token string) (Principal, *wire.Problem) {
	hash := HashToken(token)
	switch {
	case same(hash, p.cfg.Auth.APITokenHash):
		return Principal{Kind: Token, Name: "auth.api_token_hash", UID: -1, Scope: ScopeWrite}, nil
	case same(hash, p.cfg.Observability.MetricsTokenHash):
		return Principal{Kind: Scraper, UID: -1, Scope: ScopeScrape}, nil
	case !strings.HasPrefix(token, TokenPrefix):
		return Principal{}, wrongToken()
	case g.store == nil:
		return Principal{}, g.storeProblem(nil)
	}
	// Looked up by hash: how long that takes tells of hashes, which lead to no
	// token.
	t, err := g.store.TokenByHash(ctx, hash)
	now := g.now()
	switch {
	case errors.Is(err, store.ErrNoToken):
		return Principal{}, wrongToken()
	case err != nil:
		return Principal{}, g.storeProblem(err)
	case !t.Live(now):
		return Principal{}, wrongToken()
	}
	scope := ScopeRead
	if t.Scope == string(ScopeWrite) {
		scope = ScopeWrite
	}
	g.touch(ctx, now.Sub(t.Used) >= touchEvery, func(ctx context.Context) error { return g.store.TouchToken(ctx, t.ID, now) })
	return Principal{Kind: Token, Name: t.Label, UID: -1, ID: t.ID, Scope: scope}, nil
}

// touch writes a last use down where that is due, and it is a use (see Again).
func (g *Gate) touch(ctx context.Context, due bool, write func(context.Context) error) {
	if !due || again(ctx) {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), touchPatience)
	defer cancel()
	if err := write(ctx); err != nil {
		g.log.Warn("cannot write down when a credential was used", "error", err)
	}
}
