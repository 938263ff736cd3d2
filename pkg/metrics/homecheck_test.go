package metrics

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/home"
	"clauster/pkg/wire"
)

// TestHomeAway: the last answer of a home that is away is no healthy one, and
// what it said of claude is told with its age.
func TestHomeAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, src := newFakes(t, 1)
		away := &home.UnreachableError{Socket: "/run/clauster/home.sock", Err: errors.New("connection refused")}
		<-time.After(time.Hour)
		age := home.Age{At: time.Now(), Stale: true, Err: away}
		f.claude = func() (home.Claude, home.Age, error) { return home.Claude{Version: "2.1.330"}, age, nil }
		f.auth = func() (home.Auth, home.Age, error) {
			return home.Auth{LoggedIn: true}, home.Age{At: time.Now()}, nil
		}
		<-time.After(40 * time.Second)
		b := newBoard(t, src)
		_, checks := b.Look(t.Context())
		c := checks[3]
		want := "cannot reach clauster-home at /run/clauster/home.sock: connection refused; 40 seconds ago: claude 2.1.330 is logged in"
		if c.Name != "home" || c.Status != wire.Degraded || c.Detail != want || c.Hint != away.Hint() || c.AgeSeconds != 40 {
			t.Errorf("%+v", c)
		}
		f.claude = func() (home.Claude, home.Age, error) { return home.Claude{}, age, nil }
		<-time.After(20 * time.Second)
		_, checks = b.Look(t.Context())
		if c := checks[3]; !strings.HasSuffix(c.Detail, "; 60 seconds ago: claude cannot be run") || c.Hint != away.Hint() {
			t.Errorf("a bad last answer: %+v", c)
		}
		b.Close()
	})
}

// TestHomeSays: each thing that may be wrong with claude in its own words.
func TestHomeSays(t *testing.T) {
	old := &bridge.Cause{Name: "binary-too-old", Reason: "claude 1.0.0 is older than min_version 2.0.0", Hint: "claude update"}
	kind := &bridge.Cause{Name: "token-kind", Reason: "the login is a long-lived token, which Remote Control does not accept", Hint: "sudo -iu op claude auth login"}
	for _, test := range []struct {
		name, detail, hint string
		claude             home.Claude
		claudeErr          error
		auth               home.Auth
		authErr            error
	}{
		{"too old", "claude cannot be used: claude 1.0.0 is older than min_version 2.0.0", "claude update",
			home.Claude{Version: "1.0.0", Cause: old}, nil, home.Auth{LoggedIn: true}, nil},
		{"a login of no use", "claude 2.1.330 is logged in (oauth_token), which is no use: " + kind.Reason, kind.Hint,
			home.Claude{Version: "2.1.330"}, nil, home.Auth{LoggedIn: true, Method: "oauth_token", Cause: kind}, nil},
		{"a login nobody knows", "cannot tell whether claude 2.1.330 is logged in: claude auth status did not answer within 10s", "claude auth login",
			home.Claude{Version: "2.1.330"}, nil, home.Auth{}, &home.Error{Kind: home.RefusedTimeout, Message: "claude auth status did not answer within 10s"}},
		{"another release", "the other side speaks protocol 2 to 2", "systemctl restart clauster-api clauster-home",
			home.Claude{}, &home.Error{Kind: home.RefusedVersion, Message: "the other side speaks protocol 2 to 2", Next: "systemctl restart clauster-api clauster-home"},
			home.Auth{LoggedIn: true}, nil},
		{"logged out", "claude 2.1.330 is not logged in", "claude auth login", home.Claude{Version: "2.1.330"}, nil, home.Auth{}, nil},
	} {
		t.Run(test.name, func(t *testing.T) {
			f, src := newFakes(t, 0)
			f.claude = func() (home.Claude, home.Age, error) { return test.claude, home.Age{}, test.claudeErr }
			f.auth = func() (home.Auth, home.Age, error) { return test.auth, home.Age{}, test.authErr }
			got := newBoard(t, src).home(context.Background())
			if got.Status != wire.Degraded || got.Detail != test.detail || got.Hint != test.hint {
				t.Errorf("%+v", got)
			}
		})
	}
}

// TestSlowIsNotStuck: after a quiet hour the look before is old, and the next
// one may take more than a second; only one that goes on does not end.
func TestSlowIsNotStuck(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f, src := newFakes(t, 0)
		b := newBoard(t, src)
		look := func() wire.HealthCheck { _, checks := b.Look(t.Context()); return checks[3] }
		if c := look(); c.Status != wire.Healthy {
			t.Fatalf("%+v", c)
		}
		<-time.After(time.Hour)
		free := make(chan struct{})
		f.claude = func() (home.Claude, home.Age, error) {
			<-free
			return home.Claude{Version: "2.1.330"}, home.Age{}, nil
		}
		if c := look(); !strings.HasPrefix(c.Detail, "no answer yet; 3601 seconds ago: claude 2.1.330 is logged in") {
			t.Errorf("slow: %+v", c)
		}
		<-time.After(stuck)
		if c := look(); c.Status != wire.Degraded || !strings.HasPrefix(c.Detail, "the last look does not end; 3632 seconds ago: ") {
			t.Errorf("stuck: %+v", c)
		}
		close(free)
		synctest.Wait()
		if c := look(); c.Status != wire.Healthy {
			t.Errorf("after it: %+v", c)
		}
		b.Close()
	})
}
