package claude

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestCheckVersion(t *testing.T) {
	tests := []struct {
		name, out string
		exit      int
		err       error
		min       string
		version   string
		cause     string
	}{
		{name: "real", out: "2.1.330 (Claude Code)\n", min: "2.1.145", version: "2.1.330"},
		{name: "no minimum", out: "2.1.3\n", version: "2.1.3"},
		{name: "equal", out: "2.1.145 (Claude Code)\n", min: "2.1.145", version: "2.1.145"},
		{name: "numeric, not by letters", out: "2.1.99 (Claude Code)\n", min: "2.1.145", version: "2.1.99", cause: "binary-too-old"},
		{name: "newer minor", out: "2.10.0-beta.1 (Claude Code)\n", min: "2.9.9", version: "2.10.0-beta.1"},
		{name: "garbage", out: "hello\n", min: "2", cause: "binary-failed"},
		{name: "crash", exit: 1, cause: "binary-failed"},
		{name: "missing", err: fmt.Errorf("fork: %w", syscall.ENOENT), cause: "binary-missing"},
		{name: "forbidden", err: syscall.EACCES, cause: "binary-not-executable"},
		{name: "exec format", err: syscall.ENOEXEC, cause: "binary-exec-format"},
		{name: "slow", err: context.DeadlineExceeded, cause: "binary-failed"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			run := func(ctx context.Context, path string, args ...string) ([]byte, int, error) {
				if path != "/bin/claude" || strings.Join(args, " ") != "--version" {
					t.Errorf("ran %s %v", path, args)
				}
				return []byte(tt.out), tt.exit, tt.err
			}
			version, cause := CheckVersion(context.Background(), run, "/bin/claude", tt.min)
			if version != tt.version || cause.Name != tt.cause {
				t.Errorf("got %q %q, want %q %q", version, cause.Name, tt.version, tt.cause)
			}
			if cause.Name != "" && (cause.Reason == "" || cause.Hint == "") {
				t.Errorf("no words: %+v", cause)
			}
		})
	}
}

// The preflight against real files: what npm leaves behind when its
// installation does not finish is a text file without a shebang.
func TestCommand(t *testing.T) {
	dir := t.TempDir()
	script := func(name, content string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	run := Command([]string{"A=b"}, dir)
	good := script("claude", "#!/bin/sh\necho \"2.1.$A$#\"\n", 0o755)
	if out, exit, err := run(context.Background(), good, "x"); string(out) != "2.1.b1\n" || exit != 0 || err != nil {
		t.Errorf("%q %d %v", out, exit, err)
	}
	for name, path := range map[string]string{
		"binary-exec-format":    script("text", "this is no program\n", 0o755),
		"binary-not-executable": script("plain", "#!/bin/sh\n", 0o644),
		"binary-missing":        filepath.Join(dir, "none"),
		"binary-failed":         script("exit", "#!/bin/sh\nexit 3\n", 0o755),
	} {
		if _, cause := CheckVersion(context.Background(), run, path, ""); cause.Name != name {
			t.Errorf("%s: got %+v", name, cause)
		}
	}
	flood := script("flood", "#!/bin/sh\nhead -c 1000000 /dev/zero\n", 0o755)
	if out, _, err := run(context.Background(), flood); len(out) != maxOutput || err != nil {
		t.Errorf("%d bytes of a flood, %v", len(out), err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	hang := script("hang", "#!/bin/sh\ntrap '' TERM\n(sleep 100; echo) &\nwait\n", 0o755)
	if _, _, err := run(ctx, hang); err != context.DeadlineExceeded {
		t.Errorf("a hanging program: %v", err)
	}
}

func TestFindBinary(t *testing.T) {
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"a/claude": 0o644, "b/claude": 0o755, "c/other": 0o755} {
		write(t, filepath.Join(dir, name), "")
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			t.Fatal(err)
		}
	}
	mkdir(t, filepath.Join(dir, "d/claude"))
	path := func(names ...string) string {
		for i := range names {
			names[i] = filepath.Join(dir, names[i])
		}
		return strings.Join(names, ":")
	}
	tests := []struct{ binary, search, want, cause string }{
		{"claude", path("d", "a", "b"), filepath.Join(dir, "b/claude"), ""},
		{"claude", path("a"), "", "binary-not-executable"},
		{"claude", path("c", "x"), "", "binary-missing"},
		{"claude", "", "", "binary-missing"},
		{filepath.Join(dir, "b/claude"), "", filepath.Join(dir, "b/claude"), ""},
		{filepath.Join(dir, "x/claude"), "", filepath.Join(dir, "x/claude"), "binary-missing"},
	}
	for _, tt := range tests {
		if got, cause := FindBinary(tt.binary, tt.search); got != tt.want || cause.Name != tt.cause {
			t.Errorf("FindBinary(%q, %q) = %q %q, want %q %q", tt.binary, tt.search, got, cause.Name, tt.want, tt.cause)
		}
	}
}

func TestParseAuth(t *testing.T) {
	const loggedOut = `{
  "loggedIn": false,
  "authMethod": "none",
  "apiProvider": "firstParty",
  "analyticsDisabled": false,
  "projectsDirectory": "/home/op/.claude/projects",
  "configDirectory": "/home/op/.claude",
  "loginExpiresAt": null,
  "consoleProfileSignInOffered": true
}
`
	a, err := ParseAuth([]byte(loggedOut))
	if err != nil || a.Cause().Name != "logged-out" || a.ConfigDir != "/home/op/.claude" || a.ProjectsDir != "/home/op/.claude/projects" {
		t.Errorf("%+v %v", a, err)
	}
	for answer, want := range map[string]string{
		`{"loggedIn":true,"authMethod":"claude.ai","apiProvider":"firstParty","email":"a@b","subscriptionType":"max"}`: "",
		`{"loggedIn":true,"authMethod":"oauth_token","apiProvider":"firstParty"}`:                                      "token-kind",
		`{"loggedIn":true,"authMethod":"api_key","apiProvider":"firstParty","apiKeySource":"ANTHROPIC_API_KEY"}`:       "no-subscription",
		`{"loggedIn":true,"authMethod":"third_party","apiProvider":"bedrock"}`:                                         "provider",
	} {
		if a, err := ParseAuth([]byte(answer)); err != nil || a.Cause().Name != want {
			t.Errorf("%s: %q %v, want %q", answer, a.Cause().Name, err, want)
		}
	}
	if _, err := ParseAuth([]byte("Not logged in.")); err == nil {
		t.Error("text was read as JSON")
	}
}

func TestParseDoctor(t *testing.T) {
	const out = `Diagnostics
Running: npm-global (2.1.330)
Commit: abc
Platform: linux-x64

Remote Control
Remote Control requires a claude.ai subscription. Run claude auth login to sign in with your claude.ai account.
- Not signed in to claude.ai
- claude.ai subscription auth not active

Updates
- Auto-updates: enabled
`
	want := Doctor{"2.1.330", "Remote Control requires a claude.ai subscription. Run claude auth login to sign in with your claude.ai account.",
		[]string{"Not signed in to claude.ai", "claude.ai subscription auth not active"}}
	if diff := cmp.Diff(want, ParseDoctor([]byte(out))); diff != "" {
		t.Error(diff)
	}
	if got := ParseDoctor([]byte("nothing")); got.Verdict != "" || got.Failed != nil {
		t.Errorf("%+v", got)
	}
}

// «Not on the PATH» was said of a path, of a dangling link and of a script
// whose interpreter is missing.
func TestMissingBinarySaysWhat(t *testing.T) {
	dir := t.TempDir()
	link, script := filepath.Join(dir, "claude"), filepath.Join(dir, "script")
	if err := os.Symlink("/nowhere/claude", link); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(script, []byte("#!/nowhere/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ binary, search, want string }{
		{"/nonexistent/claude", "", "the claude binary /nonexistent/claude does not exist"},
		{link, "", "the claude binary " + link + " is a symbolic link to /nowhere/claude, which does not exist"},
		{"claude", dir, "the claude binary " + link + " is a symbolic link to /nowhere/claude, which does not exist"},
		{"other", dir + ":/bin", "the claude binary does not exist on the bridge user's PATH: no other in " + dir + ":/bin"},
		{script, "", "the claude binary " + script + " cannot run: the interpreter or loader that it names does not exist"},
	} {
		path, cause := FindBinary(c.binary, c.search)
		if cause.Name == "" {
			_, cause = CheckVersion(t.Context(), Command(nil, ""), path, "")
		}
		if cause.Name != "binary-missing" || cause.Reason != c.want {
			t.Errorf("%s: %+v", c.binary, cause)
		}
	}
}
