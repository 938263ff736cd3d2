package machine

import (
	"bufio"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"golang.org/x/sys/unix"
)

// RepoRoot finds the directory of the module clauster at or above the working
// directory, so that tests of any package find build/.
func RepoRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for ; ; dir = filepath.Dir(dir) {
		if isModule(filepath.Join(dir, "go.mod")) {
			return dir, nil
		}
		if dir == "/" {
			return "", errors.New("cannot find the clauster module above the working directory: run this from the repository")
		}
	}
}

func isModule(gomod string) bool {
	f, err := os.Open(gomod)
	if err != nil {
		return false
	}
	defer f.Close()
	s := bufio.NewScanner(f)
	return s.Scan() && strings.TrimSpace(s.Text()) == "module clauster"
}

// dirs are the places of one build tree: everything this package writes.
type dirs struct{ base string }

// findDirs makes build/machine, or the directory CLAUSTER_MACHINE_DIR names.
func findDirs() (dirs, error) {
	base := os.Getenv("CLAUSTER_MACHINE_DIR")
	if base == "" {
		root, err := RepoRoot()
		if err != nil {
			return dirs{}, err
		}
		base = filepath.Join(root, "build", "machine")
	}
	d := dirs{base}
	return d, os.MkdirAll(d.runs(), 0o755)
}

func (d dirs) runs() string             { return filepath.Join(d.base, "run") }
func (d dirs) run(name string) string   { return filepath.Join(d.base, "run", name) }
func (d dirs) debs() string             { return filepath.Join(d.base, "debs") }
func (d dirs) path(name string) string  { return filepath.Join(d.base, name) }
func (d dirs) runLock() string          { return filepath.Join(d.base, "run.lock") }
func (d dirs) state(name string) string { return filepath.Join(d.run(name), "state.json") }

// lock takes an exclusive flock on a file, made when absent. Without wait it
// returns errLocked at once if another process holds it. Closing the file, or
// the death of the process, lets go.
func lock(path string, wait bool) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, err
	}
	how := unix.LOCK_EX
	if !wait {
		how |= unix.LOCK_NB
	}
	for {
		err = unix.Flock(int(f.Fd()), how)
		if err != unix.EINTR {
			break
		}
	}
	if err != nil {
		f.Close()
		if err == unix.EWOULDBLOCK {
			err = errLocked
		}
		return nil, fmt.Errorf("cannot lock %s: %w", path, err)
	}
	return f, nil
}

var errLocked = errors.New("it is in use")

func freshName() string {
	var b [4]byte
	rand.Read(b[:]) // never fails (crypto/rand)
	return "m" + hex.EncodeToString(b[:])
}
