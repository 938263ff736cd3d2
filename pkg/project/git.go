package project

import (
	"io"
	"os"
	"path/filepath"
	"strings"
	"unicode"

	"golang.org/x/sys/unix"
)

const (
	maxHead   = 4 << 10 // bytes of .git/HEAD, or of a .git file
	maxBranch = 200     // bytes of a branch's name that are shown
)

// git tells whether the project is a repository and what is checked out. No
// git is run: the answer is two small files, and a git in an agent's
// repository runs whatever its configuration says.
func (r *Root) git(d dir) (is bool, branch string) {
	info, err := d.root.Lstat(".git")
	switch {
	case err != nil:
		return false, ""
	case info.Mode().IsRegular():
		return true, r.worktreeBranch(d)
	}
	head, _ := readSmall(d.root, ".git/HEAD")
	return true, ParseHead(head)
}

// worktreeBranch follows the .git file of a linked worktree or a submodule, as
// far as it stays below projects_root.
func (r *Root) worktreeBranch(d dir) string {
	text, err := readSmall(d.root, ".git")
	if err != nil {
		return ""
	}
	target, ok := ParseGitFile(text)
	if !ok {
		return ""
	}
	top := filepath.Dir(d.path)
	if !filepath.IsAbs(target) {
		target = filepath.Join(d.path, target)
	}
	below, err := filepath.Rel(top, filepath.Clean(target))
	if err != nil || !filepath.IsLocal(below) {
		return ""
	}
	root, err := os.OpenRoot(procPath(int(r.dir.Fd())))
	if err != nil {
		return ""
	}
	defer root.Close()
	head, err := readSmall(root, filepath.Join(below, "HEAD"))
	if err != nil {
		return ""
	}
	return ParseHead(head)
}

// readSmall reads a regular file of at most maxHead bytes. It does not leave
// root and does not block on a pipe.
func readSmall(root *os.Root, name string) (string, error) {
	f, err := root.OpenFile(name, os.O_RDONLY|unix.O_NONBLOCK|unix.O_NOCTTY, 0)
	if err != nil {
		return "", err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return "", err
	}
	if !info.Mode().IsRegular() {
		return "", os.ErrInvalid
	}
	data, err := io.ReadAll(io.LimitReader(f, maxHead))
	return string(data), err
}

// ParseHead gives the branch in the text of a HEAD file; "" where it is
// detached or makes no sense.
func ParseHead(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	ref, ok := strings.CutPrefix(line, "ref:")
	if !ok {
		return ""
	}
	branch, ok := strings.CutPrefix(strings.TrimSpace(ref), "refs/heads/")
	if !ok || !presentable(branch) {
		return ""
	}
	return branch
}

// ParseGitFile gives the path in the text of a .git file.
func ParseGitFile(text string) (path string, ok bool) {
	line, _, _ := strings.Cut(text, "\n")
	path, ok = strings.CutPrefix(line, "gitdir:")
	path = strings.TrimSpace(path)
	return path, ok && path != "" && !strings.ContainsRune(path, 0)
}

// presentable keeps to names that print as one word: others are foreign text
// that only looks like a branch.
func presentable(branch string) bool {
	return branch != "" && len(branch) <= maxBranch && strings.ToValidUTF8(branch, "") == branch &&
		!strings.ContainsFunc(branch, func(r rune) bool { return !unicode.IsPrint(r) || unicode.IsSpace(r) })
}
