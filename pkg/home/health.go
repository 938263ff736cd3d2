package home

import (
	"errors"
	"time"
)

// Login is what /healthz says of claude. Before the first probe has ended all
// is well, so that a cold start never cries wolf.
type Login struct {
	ClaudeOK      bool   // claude --version answered
	ClaudeVersion string // "" where it is not known
	LoginOK       bool
	LoginMethod   string    // "" until probed
	LoginExpires  time.Time // zero where it is not known

	Probed bool          // both probes have ended well at least once
	Age    time.Duration // of the older answer, once Probed
	Err    error         // why the last probe failed, nil where it did not
}

// Login gives what is known now and never waits. What is too old is asked
// beside it, so that the next one knows.
func (c *Client) Login() Login {
	c.claude.due(c.life, c.start)
	c.auth.due(c.life, c.start)
	claude, claudeAge := c.claude.peek()
	auth, authAge := c.auth.peek()
	l := Login{ClaudeOK: true, LoginOK: true}
	// Where home is away nothing is learnt about claude: it is as it was last
	// seen, and the health of home itself is another line.
	if !claudeAge.At.IsZero() {
		l.ClaudeOK, l.ClaudeVersion = claude.OK(), claude.Version
	}
	switch {
	case !authAge.At.IsZero():
		l.LoginOK, l.LoginMethod, l.LoginExpires = auth.LoggedIn, auth.Method, auth.Expires
	case failed(authAge.Err):
		l.LoginOK = false // claude was asked, and its answer is no login
	}
	l.Probed = !claudeAge.At.IsZero() && !authAge.At.IsZero()
	if l.Probed {
		l.Age = time.Since(earlier(claudeAge.At, authAge.At))
	}
	l.Err = claudeAge.Err
	if l.Err == nil {
		l.Err = authAge.Err
	}
	return l
}

// failed tells a claude that cannot answer from one that could not be asked.
func failed(err error) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == RefusedFailed
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}
