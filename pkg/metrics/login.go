package metrics

import (
	"context"
	"errors"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/home"
)

// Login is what is known of claude. Before the first look, and where nobody can
// look, all is well: a cold start never cries wolf, and a home that is away is a
// check of its own.
type Login struct {
	ClaudeOK      bool   // claude --version answered
	ClaudeVersion string // "" unknown
	OK            bool   // logged in
	Method        string
	Expires       time.Time // zero unknown
	Probed        bool      // both are known

	Unfit  *bridge.Cause // why no bridge can use this claude, nil where it can
	Barred *bridge.Cause // why this login is none for bridges, nil where it is
	// At is when the older of both answers was true, zero unless there are both.
	At time.Time
	// Stale is why an answer is older than it should be, nil where none is.
	Stale error
	// Why there is no answer at all.
	ClaudeErr, AuthErr error
}

// Login gives what is known as soon as ctx ends, and starts the looks that are
// due for whoever asks next.
func (s *Sources) Login(ctx context.Context) Login {
	l := Login{ClaudeOK: true, OK: true}
	claude, claudeAge, claudeErr := s.Home.ClaudeVersion(ctx)
	auth, authAge, authErr := s.Home.AuthStatus(ctx)
	switch {
	case claudeErr == nil:
		l.ClaudeOK, l.ClaudeVersion, l.Unfit = claude.OK(), claude.Version, claude.Cause
	case answered(claudeErr):
		l.ClaudeOK = false
	}
	switch {
	case authErr == nil:
		l.OK, l.Method, l.Expires, l.Barred = auth.LoggedIn, auth.Method, auth.Expires, auth.Cause
	case answered(authErr):
		l.OK = false
	}
	l.Probed = told(claudeErr) && told(authErr)
	l.ClaudeErr, l.AuthErr = claudeErr, authErr
	if claudeErr == nil && authErr == nil {
		l.At = earlier(claudeAge.At, authAge.At)
	}
	l.Stale = firstOf(late(claudeAge), late(authAge))
	return l
}

// late is why an answer is an old one; nil where it is fresh, or only waits for
// a question that is under way.
func late(a home.Age) error {
	if a.Stale && !a.At.IsZero() {
		return a.Err
	}
	return nil
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// told reports whether a call said something.
func told(err error) bool { return err == nil || answered(err) }

// unasked is an error of a claude that could not be asked.
func unasked(err error) error {
	if answered(err) {
		return nil
	}
	return err
}

// answered tells a claude that failed from one that could not be asked. What
// home refuses before it looks at claude says nothing of it: another release on
// its side was once a claude that cannot be run.
func answered(err error) bool {
	var e *home.Error
	if !errors.As(err, &e) {
		return false
	}
	switch e.Kind {
	case home.RefusedVersion, home.RefusedDenied, home.RefusedRequest:
		return false
	}
	return true
}

// KnownLogin is Login at once.
func (s *Sources) KnownLogin() Login {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	return s.Login(ctx)
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
