package home

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/account"
	"clauster/pkg/config"
)

// userBed is a home with a claude that is a shell script.
func userBed(t *testing.T, script string) (*User, string, func(string)) {
	t.Helper()
	home := t.TempDir()
	bin := filepath.Join(home, ".local/bin/claude")
	if err := os.MkdirAll(filepath.Dir(bin), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(home, "projects"), 0o755); err != nil {
		t.Fatal(err)
	}
	install := func(script string) {
		t.Helper()
		temp := bin + ".new"
		if err := os.WriteFile(temp, []byte("#!/bin/sh\n"+script), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(temp, bin); err != nil {
			t.Fatal(err)
		}
	}
	install(script)
	cfg := &config.Config{User: "op", ProjectsRoot: "~/projects"}
	cfg.Claude.Binary, cfg.Claude.Env = "claude", map[string]string{"OVERLAY": "here", "CLAUSTER_X": "reserved"}
	u, err := NewUser(cfg, account.User{Name: "op", Home: home, Shell: "/bin/sh"}, "", func() {})
	if err != nil {
		t.Fatal(err)
	}
	return u, home, install
}

// TestUserClaude: a changed file is asked at once, the same one is not, and
// what is no claude says why.
func TestUserClaude(t *testing.T) {
	u, home, install := userBed(t, `echo x >>"$HOME/asked"; echo "2.1.330 (Claude Code)"`)
	for range 3 {
		if c, err := u.Claude(t.Context()); err != nil || c.Version != "2.1.330" || !c.OK() || c.Cause != nil {
			t.Fatalf("%+v %v", c, err)
		}
	}
	if asked, err := os.ReadFile(filepath.Join(home, "asked")); err != nil || string(asked) != "x\n" {
		t.Errorf("asked %q %v", asked, err)
	}
	install(`echo "2.2.0 (Claude Code)"`)
	if c, err := u.Claude(t.Context()); err != nil || c.Version != "2.2.0" {
		t.Errorf("after an update: %+v %v", c, err)
	}
	install("exit 3")
	if c, err := u.Claude(t.Context()); err != nil || c.OK() || c.Cause == nil {
		t.Errorf("broken: %+v %v", c, err)
	}
	if err := os.Remove(filepath.Join(home, ".local/bin/claude")); err != nil {
		t.Fatal(err)
	}
	if c, err := u.Claude(t.Context()); err != nil || c.OK() || c.Cause == nil || c.Cause.Name != "binary-missing" {
		t.Errorf("removed: %+v %v", c, err)
	}
	if _, err := u.Auth(t.Context()); refusal(err).Kind != RefusedFailed {
		t.Errorf("removed: %v", err)
	}
}

// TestUserEnvironment: what claude is born with is built, not inherited.
func TestUserEnvironment(t *testing.T) {
	t.Setenv("NOTIFY_SOCKET", "/x")
	t.Setenv("SECRET", "x")
	u, home, _ := userBed(t, `env >"$HOME/env"; cat >"$HOME/stdin"; pwd >"$HOME/pwd"; echo '{"loggedIn":true}'`)
	if _, err := u.Auth(t.Context()); err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(filepath.Join(home, "env"))
	if err != nil {
		t.Fatal(err)
	}
	for _, bad := range []string{"NOTIFY_SOCKET=", "SECRET=", "CLAUSTER_X="} {
		if strings.Contains(string(env), bad) {
			t.Errorf("%s is in the environment", bad)
		}
	}
	if !strings.Contains(string(env), "OVERLAY=here\n") || !strings.Contains(string(env), "HOME="+home+"\n") {
		t.Errorf("environment: %s", env)
	}
}

// TestUserAuth: what is said of a login, and nothing personal.
func TestUserAuth(t *testing.T) {
	for _, test := range []struct {
		name, script string
		want         Auth
		cause        string
		fails        bool
	}{
		{"in", `echo '{"loggedIn":true,"authMethod":"claude.ai","apiProvider":"firstParty","email":"a@b","loginExpiresAt":"2030-01-02T03:04:05Z"}'`,
			Auth{LoggedIn: true, Method: "claude.ai", Provider: "firstParty", Expires: time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)}, "", false},
		{"out", `echo '{"loggedIn":false,"authMethod":"none","loginExpiresAt":null}'; exit 1`, Auth{Method: "none"}, "logged-out", false},
		{"strange words", `echo '{"loggedIn":true,"authMethod":"a\u001b[31m b"}'`, Auth{LoggedIn: true, Method: "unknown"}, "", false},
		{"no JSON", `echo '<html>'`, Auth{}, "", true},
		{"nothing", `exit 1`, Auth{}, "", true},
	} {
		u, _, _ := userBed(t, test.script)
		got, err := u.Auth(t.Context())
		cause := ""
		if got.Cause != nil {
			cause, got.Cause = got.Cause.Name, nil
		}
		if got != test.want || cause != test.cause || (err != nil) != test.fails {
			t.Errorf("%s: %+v %q %v", test.name, got, cause, err)
		}
	}
}

// TestUserCredentials: a claude that does not say when its login ends.
func TestUserCredentials(t *testing.T) {
	u, home, _ := userBed(t, `echo '{"loggedIn":true,"authMethod":"claude.ai","loginExpiresAt":null}'`)
	if err := os.Mkdir(filepath.Join(home, ".claude"), 0o700); err != nil {
		t.Fatal(err)
	}
	text := `{"claudeAiOauth":{"accessToken":"secret","expiresAt":1900000000123}}`
	if err := os.WriteFile(filepath.Join(home, ".claude/.credentials.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if a, err := u.Auth(t.Context()); err != nil || a.Expires.UnixMilli() != 1900000000123 {
		t.Errorf("%+v %v", a, err)
	}
}

// TestUserTurns: one claude at a time; who cannot wait is told.
func TestUserTurns(t *testing.T) {
	u, _, _ := userBed(t, `echo "1.0 (Claude Code)"`)
	if err := u.take(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	if _, err := u.Claude(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("%v", err)
	}
	u.give()
	if c, err := u.Claude(t.Context()); err != nil || c.Version != "1.0" {
		t.Errorf("%+v %v", c, err)
	}
}

// TestUserProjects: the list, one, and none.
func TestUserProjects(t *testing.T) {
	u, home, _ := userBed(t, "")
	if err := os.MkdirAll(filepath.Join(home, "projects/a/.git"), 0o755); err != nil {
		t.Fatal(err)
	}
	p, err := u.Projects(t.Context())
	if err != nil || len(p.Projects) != 1 || !p.Projects[0].Git {
		t.Errorf("%+v %v", p, err)
	}
	if f, err := u.Project(t.Context(), "a"); err != nil || f.Name != "a" {
		t.Errorf("%+v %v", f, err)
	}
	for name, kind := range map[string]ErrorKind{"b": RefusedNotFound, "../x": RefusedRequest, "a\n": RefusedRequest} {
		if _, err := u.Project(t.Context(), name); refusal(err).Kind != kind {
			t.Errorf("%q: %v", name, err)
		}
	}
	if err := os.RemoveAll(filepath.Join(home, "projects")); err != nil {
		t.Fatal(err)
	}
	if _, err := u.Projects(t.Context()); refusal(err).Kind != RefusedConfig {
		t.Errorf("no projects_root: %v", err)
	}
}
