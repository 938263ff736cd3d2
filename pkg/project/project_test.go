package project

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
)

// bed makes a projects root. Entries ending in / are directories, NAME->TARGET
// links, NAME=TEXT files.
func bed(t *testing.T, entries ...string) (*Root, string) {
	t.Helper()
	top, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(top, "projects")
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	must(os.Mkdir(dir, 0o755))
	for _, e := range entries {
		if name, target, ok := strings.Cut(e, "->"); ok {
			must(os.Symlink(target, filepath.Join(dir, name)))
		} else if name, text, ok := strings.Cut(e, "="); ok {
			must(os.WriteFile(filepath.Join(dir, name), []byte(strings.ReplaceAll(text, "TOP", top)), 0o644))
		} else {
			must(os.MkdirAll(filepath.Join(dir, e), 0o755))
		}
	}
	root, err := OpenRoot(dir)
	must(err)
	t.Cleanup(func() { root.Close() })
	return root, dir
}

// TestNames: real directories with usable names, sorted, and again the same
// from the same open directory.
func TestNames(t *testing.T) {
	root, dir := bed(t, "b/", "a/", ".hidden/", "with space/", "new\nline/", "link->a", "out->/etc", "file=x", strings.Repeat("x", 65)+"/")
	if err := unix.Mkfifo(filepath.Join(dir, "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if names, err := root.Names(); err != nil || !slices.Equal(names, []string{"a", "b"}) {
			t.Errorf("%q %v", names, err)
		}
	}
}

// TestLook: the facts, each from its own file.
func TestLook(t *testing.T) {
	root, dir := bed(t, "plain/", "full/.git/", "full/.claude/", "full/CLAUDE.md=x", "full/.git/HEAD=ref: refs/heads/feature/x\n")
	home := t.TempDir()
	text := `{"projects":{"` + dir + `/full":{"hasTrustDialogAccepted":true}}}`
	if err := os.WriteFile(filepath.Join(home, ".claude.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	trusts, err := claude.ReadTrusts(claude.Dirs{Home: home})
	if err != nil {
		t.Fatal(err)
	}
	all, err := root.LookAll(context.Background(), trusts)
	if err != nil {
		t.Fatal(err)
	}
	want := []Facts{
		{Name: "full", Path: dir + "/full", Git: true, Branch: "feature/x", HasClaudeMD: true, HasClaudeDir: true, Trusted: true},
		{Name: "plain", Path: dir + "/plain"},
	}
	if !slices.Equal(all, want) {
		t.Errorf("%+v", all)
	}
}

// TestLookNowhereElse: no name leads out of projects_root, and nothing in a
// project leads out of it or blocks.
func TestLookNowhereElse(t *testing.T) {
	root, dir := bed(t, "link->/etc", "file=x",
		"fifo/.git/", "absolute/", "absolute/.git=gitdir: /etc\n", "up/", "up/.git=gitdir: ../../secret\n", "gitlink/", "gitlink/.git->TOP",
		"headlink/.git/", "headlink/.git/HEAD->/proc/self/status", "mdlink/", "mdlink/CLAUDE.md->/etc/passwd")
	secret := filepath.Join(filepath.Dir(dir), "secret")
	if err := os.Mkdir(secret, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(secret, "HEAD"), []byte("ref: refs/heads/secret\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mkfifo(filepath.Join(dir, "fifo/.git/HEAD"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"link", "file", "none"} {
		if _, err := root.Look(name, claude.Trusts{}); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q: %v", name, err)
		}
	}
	var bad *bridge.NameError
	for _, name := range []string{"", ".", "..", "../secret", "a/b", "a\nb", "a\x00"} {
		if _, err := root.Look(name, claude.Trusts{}); !errors.As(err, &bad) {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range []string{"fifo", "absolute", "up", "gitlink", "headlink", "mdlink"} {
		f, err := root.Look(name, claude.Trusts{})
		if err != nil || f.Branch != "" || f.HasClaudeMD {
			t.Errorf("%s: %+v %v", name, f, err)
		}
	}
}

// TestWorktree: a linked worktree's branch stands in the main repository.
func TestWorktree(t *testing.T) {
	root, _ := bed(t, "main/.git/worktrees/wt/", "main/.git/worktrees/wt/HEAD=ref: refs/heads/side\n",
		"wt/", "wt/.git=gitdir: TOP/projects/main/.git/worktrees/wt\n", "rel/", "rel/.git=gitdir: ../main/.git/worktrees/wt\n")
	for _, name := range []string{"wt", "rel"} {
		if f, err := root.Look(name, claude.Trusts{}); err != nil || !f.Git || f.Branch != "side" {
			t.Errorf("%s: %+v %v", name, f, err)
		}
	}
}

func FuzzGit(f *testing.F) {
	for _, s := range []string{"ref: refs/heads/main\n", "ref:refs/heads/a b", "4b825dc642cb6eb9a060e54bf8d69288fbee4904\n", "gitdir: ../x\n", "gitdir: \x00", "ref: refs/heads/\x1b[31m"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if b := ParseHead(text); b != "" && (!presentable(b) || len(b) > maxBranch) {
			t.Errorf("%q gives %q", text, b)
		}
		if p, ok := ParseGitFile(text); ok && (p == "" || strings.ContainsAny(p, "\x00\n")) {
			t.Errorf("%q gives %q", text, p)
		}
	})
}
