// Package realclaude gives tests the real claude CLI, logged out, from its npm
// package: the stand-in is compared with it, and our parsing of what it prints
// is checked on it. Where the package cannot be installed the tests say so and
// are skipped.
package realclaude

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// Version is the version that the reference notes describe; the texts of
// another one may differ, which is then worth knowing:
// CLAUSTER_REAL_CLAUDE_VERSION chooses it.
const Version = "2.1.330"

// installWait bounds the download of some hundred megabytes.
const installWait = 5 * time.Minute

var install = sync.OnceValues(installed)

// Path gives the executable, installed once under build/npm and kept there.
// It skips the test where that cannot be done, or CLAUSTER_REAL_CLAUDE=0
// forbids it.
func Path(t testing.TB) string {
	t.Helper()
	if os.Getenv("CLAUSTER_REAL_CLAUDE") == "0" || testing.Short() {
		t.Skip("skipped: the real claude was not wanted (CLAUSTER_REAL_CLAUDE=0 or -short)")
	}
	path, err := install()
	if err != nil {
		t.Skipf("skipped: the real claude cannot be installed here: %v", err)
	}
	return path
}

func installed() (string, error) {
	version := os.Getenv("CLAUSTER_REAL_CLAUDE_VERSION")
	if version == "" {
		version = Version
	}
	// Every caller is a test two directories below the repository's root.
	prefix, err := filepath.Abs(filepath.Join("..", "..", "build", "npm", version))
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(prefix, 0o755); err != nil {
		return "", err
	}
	// go test runs packages side by side, and two of them use this one.
	lock, err := os.OpenFile(prefix+".lock", os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return "", err
	}
	defer lock.Close()
	if err := unix.Flock(int(lock.Fd()), unix.LOCK_EX); err != nil {
		return "", err
	}
	if path := runnable(prefix); path != "" {
		return path, nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), installWait)
	defer cancel()
	out, err := exec.CommandContext(ctx, "npm", "install", "--no-audit", "--no-fund", "--prefix", prefix, "@anthropic-ai/claude-code@"+version).CombinedOutput()
	if err != nil {
		lines := strings.Split(strings.TrimSpace(string(out)), "\n")
		return "", fmt.Errorf("npm install: %w: %s", err, lines[len(lines)-1])
	}
	if path := runnable(prefix); path != "" {
		return path, nil
	}
	return "", fmt.Errorf("npm installed nothing that runs")
}

// runnable finds the program. bin/claude.exe is its name on every OS; a
// blocked postinstall leaves a text without a shebang there, and the
// platform's own package then holds the program (claude-cli.md §1).
func runnable(prefix string) string {
	scope := filepath.Join(prefix, "node_modules", "@anthropic-ai")
	candidates, _ := filepath.Glob(filepath.Join(scope, "claude-code-*", "claude")) // the pattern is well-formed
	for _, path := range append([]string{filepath.Join(scope, "claude-code", "bin", "claude.exe")}, candidates...) {
		if exec.Command(path, "--version").Run() == nil {
			return path
		}
	}
	return ""
}
