package api

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"clauster/pkg/auth"
	"clauster/pkg/wire"
)

// changing is a gate that changes its mind.
type changing struct {
	mu      sync.Mutex
	who     auth.Principal
	problem *wire.Problem
	shut    *wire.Problem
	asked   int
}

func (c *changing) close() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.shut = wire.NewProblem(wire.DoorClosed, "cannot", "")
}

func (c *changing) closed() *wire.Problem {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.shut
}

func (c *changing) times() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.asked
}

func (c *changing) Admit(*http.Request, auth.Door) (auth.Principal, *wire.Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.asked++
	return c.who, c.problem
}

func (c *changing) set(who auth.Principal, problem *wire.Problem) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.who, c.problem = who, problem
}

// endless is a stream that lasts as long as it may.
type endless struct{}

func (endless) Routes() []Route {
	return []Route{{Method: "GET", Path: "/endless", Access: auth.ScopeRead, Handle: func(*Request) Response {
		return Stream(func(w http.ResponseWriter, r *http.Request) {
			w.WriteHeader(http.StatusOK)
			<-r.Context().Done()
		})
	}}}
}

// TestStreamsEnd: an open stream outlived the revocation of its token, a
// logout, a changed password and the closing of its door.
func TestStreamsEnd(t *testing.T) {
	reader := auth.Principal{Kind: auth.Token, Name: "ci", Scope: auth.ScopeRead}
	for name, c := range map[string]struct {
		change func(g *changing)
		door   auth.Door
		ends   bool
	}{
		"nothing":             {func(*changing) {}, auth.WebDoor, false},
		"a revoked token":     {func(g *changing) { g.set(auth.Principal{}, wire.NewProblem(wire.Unauthenticated, "cannot", "")) }, auth.WebDoor, true},
		"a session that ends": {func(g *changing) { g.set(auth.Principal{Kind: auth.Nobody}, nil) }, auth.WebDoor, true},
		"a lesser scope":      {func(g *changing) { g.set(auth.Principal{Kind: auth.Scraper, Scope: auth.ScopeScrape}, nil) }, auth.WebDoor, true},
		"a greater scope":     {func(g *changing) { g.set(auth.Principal{Kind: auth.Local, Scope: auth.ScopeWrite}, nil) }, auth.WebDoor, false},
		"a closed door":       {func(g *changing) { g.close() }, auth.WebDoor, true},
		"a closed other door": {func(g *changing) { g.close() }, auth.UnixDoor, false},
	} {
		synctest.Test(t, func(t *testing.T) {
			g := &changing{who: reader}
			s := &Server{Gate: g, WebClosed: g.closed, Log: slog.New(slog.DiscardHandler), Table: NewTable(endless{})}
			ctx, leave := context.WithCancel(t.Context())
			defer leave()
			done := make(chan struct{})
			go func() {
				defer close(done)
				s.Handler(c.door).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/endless", nil).WithContext(ctx))
			}()
			<-time.After(61 * time.Second)
			c.change(g)
			changed := time.Now()
			select {
			case <-done:
				if took := time.Since(changed); !c.ends || took > 5*time.Second {
					t.Errorf("%s: it ended after %v", name, took)
				}
			case <-time.After(time.Minute):
				if c.ends {
					t.Errorf("%s: it goes on", name)
				}
			}
			leave()
			<-done
			synctest.Wait()
			asked := g.times()
			<-time.After(time.Minute)
			if g.times() != asked {
				t.Errorf("%s: it is still asked about", name)
			}
		})
	}
}

// TestOthersAreAskedOnce: what is no stream is judged once.
func TestOthersAreAskedOnce(t *testing.T) {
	g := &changing{who: auth.Principal{Kind: auth.Local, Scope: auth.ScopeWrite}}
	s := &Server{Gate: g, Log: slog.New(slog.DiscardHandler), Table: NewTable(things{})}
	w := httptest.NewRecorder()
	s.Handler(auth.WebDoor).ServeHTTP(w, httptest.NewRequest("GET", "/things/a", nil))
	if _, err := io.Copy(io.Discard, w.Result().Body); err != nil || w.Code != 200 || g.asked != 1 {
		t.Errorf("%d, asked %d times (%v)", w.Code, g.asked, err)
	}
}
