package metrics

import (
	"context"
	"errors"
	"time"

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
	Err           error     // why not
}

// Login gives what is known as soon as ctx ends, and starts the looks that are
// due for whoever asks next.
func (s *Sources) Login(ctx context.Context) (Login, home.Auth) {
	l := Login{ClaudeOK: true, OK: true}
	claude, _, claudeErr := s.Home.ClaudeVersion(ctx)
	auth, _, authErr := s.Home.AuthStatus(ctx)
	switch {
	case claudeErr == nil:
		l.ClaudeOK, l.ClaudeVersion = claude.OK(), claude.Version
	case answered(claudeErr):
		l.ClaudeOK = false
	}
	switch {
	case authErr == nil:
		l.OK, l.Method, l.Expires = auth.LoggedIn, auth.Method, auth.Expires
	case answered(authErr):
		l.OK = false
	}
	l.Probed = told(claudeErr) && told(authErr)
	l.Err = firstOf(claudeErr, authErr)
	return l, auth
}

// told reports whether a call said something.
func told(err error) bool { return err == nil || answered(err) }

// answered tells a claude that failed from one that could not be asked.
func answered(err error) bool {
	var e *home.Error
	return errors.As(err, &e)
}

// KnownLogin is Login at once.
func (s *Sources) KnownLogin() Login {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	l, _ := s.Login(ctx)
	return l
}

func firstOf(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}
