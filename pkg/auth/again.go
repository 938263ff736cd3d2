package auth

import (
	"context"
	"time"
)

type againKey struct{}

// Again marks a request that was admitted at a time and is judged once more, as
// streams are while they last: a token may be revoked by another process, a
// session end, the configuration change. Admit then uses nothing up: a stream
// that is open is no use of its token or session, or a forgotten tab would keep
// a session from ending; and what the reverse proxy signed is as good as it was.
func Again(ctx context.Context, admitted time.Time) context.Context {
	return context.WithValue(ctx, againKey{}, admitted)
}

// again reports whether a request is judged once more.
func again(ctx context.Context) bool { return ctx.Value(againKey{}) != nil }

// firstSeen is when a request was admitted first; now for a new one.
func firstSeen(ctx context.Context, now time.Time) time.Time {
	if at, ok := ctx.Value(againKey{}).(time.Time); ok {
		return at
	}
	return now
}
