package metrics

import (
	"context"
	"errors"
	"time"
)

var errNoStore = errors.New("the database is not used")

// How long a look into the bridge user's home is good for. Each one of the
// first two starts claude, some 0.3 s of CPU.
const (
	homeFresh = 30 * time.Second
	homeLimit = 20 * time.Second
)

// Facts remembers what is slow to learn.
type Facts struct {
	version  *Cached[string]
	login    *Cached[Login]
	projects *Cached[int]
}

// HomeFacts are those of the bridge user's home at the last looks.
type HomeFacts struct {
	Asked         bool // somebody has looked at version and login
	ClaudeOK      bool // true until then, so that nobody is woken by a start
	ClaudeVersion string
	LoginOK       bool
	LoginMethod   string
	LoginExpires  time.Time
	Projects      *int // nil unknown
	Err           error
	At            time.Time
	Took          time.Duration
}

// NewFacts makes Facts; Close ends it.
func NewFacts(home Home) *Facts {
	return &Facts{
		version:  NewCached(homeFresh, homeLimit, home.ClaudeVersion),
		login:    NewCached(homeFresh, homeLimit, home.ClaudeLogin),
		projects: NewCached(5*time.Second, homeLimit, home.ProjectCount),
	}
}

// Home gives the last looks at once, and starts those that are due.
func (f *Facts) Home() HomeFacts { return homeFacts(f.version.Get(), f.login.Get(), f.projects.Get()) }

// Counted is Home after the count of projects that is due, as long as ctx lasts.
func (f *Facts) Counted(ctx context.Context) HomeFacts {
	return homeFacts(f.version.Get(), f.login.Get(), f.projects.Wait(ctx))
}

// Wait is Home after the looks that are due, as long as ctx lasts.
func (f *Facts) Wait(ctx context.Context) HomeFacts {
	f.Home() // all at once
	return homeFacts(f.version.Wait(ctx), f.login.Wait(ctx), f.projects.Wait(ctx))
}

func homeFacts(version Look[string], login Look[Login], projects Look[int]) HomeFacts {
	h := HomeFacts{ClaudeOK: true, LoginOK: true, Asked: !version.At.IsZero() && !login.At.IsZero()}
	if !version.At.IsZero() {
		h.ClaudeOK = version.Err == nil
		if h.ClaudeOK {
			h.ClaudeVersion = version.Value
		}
	}
	if !login.At.IsZero() {
		h.LoginOK = login.Err == nil && login.Value.OK
		h.LoginMethod, h.LoginExpires = login.Value.Method, login.Value.Expires
	}
	if !projects.At.IsZero() && projects.Err == nil {
		h.Projects = &projects.Value
	}
	h.Err = errors.Join(version.Err, login.Err, projects.Err)
	h.At, h.Took = oldest(version.At, login.At, projects.At), max(version.Took, login.Took, projects.Took)
	return h
}

// oldest is the earliest moment, zero if one is.
func oldest(times ...time.Time) time.Time {
	first := times[0]
	for _, t := range times[1:] {
		if t.Before(first) {
			first = t
		}
	}
	return first
}

// Forget makes the next question look again: after a reload, which may name
// another user, and after a login.
func (f *Facts) Forget() {
	f.version.Forget()
	f.login.Forget()
	f.projects.Forget()
}

// Close ends the looks under way and waits for them.
func (f *Facts) Close() {
	f.version.Close()
	f.login.Close()
	f.projects.Close()
}
