package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"

	"clauster/test/machine"
)

// shared is the machine of all tests; take a view of it with bed.
var shared *machine.Machine

func TestMain(m *testing.M) {
	os.Exit(machine.Main(m, options(), func(b *machine.Machine) error {
		shared = b
		return furnish(b)
	}))
}

// options are those of every machine here: the bridge user and an admin.
func options() machine.Options {
	return machine.Options{Users: []machine.User{machine.Op(), machine.Admin()}, Verbose: true}
}

// furnish installs our package and equips the machine.
func furnish(m *machine.Machine) error {
	deb, err := packageFile()
	if err != nil {
		return err
	}
	if err := m.Install(deb); err != nil {
		return err
	}
	return equip(m)
}

// equip makes op the bridge user and gives him the stand-in claude.
func equip(m *machine.Machine) error {
	claude, err := standIn()
	if err != nil {
		return err
	}
	if err := m.CopyIn(claude, "/home/op/.local/bin/claude", "op"); err != nil {
		return err
	}
	if err := m.WriteFile("/home/op/.fakeclaude", []byte(standInDefaults), 0o644, "op"); err != nil {
		return err
	}
	if err := m.WriteFile("/etc/clauster/clauster.toml", []byte("user = \"op\"\n"), 0o640, ""); err != nil {
		return err
	}
	r, err := m.Run("chown", "root:clauster", "/etc/clauster/clauster.toml")
	if err != nil || r.Code != 0 {
		return fmt.Errorf("cannot give the configuration to group clauster: %s (%v)", r.Stderr, err)
	}
	return nil
}

// standInDefaults make the stand-in quick and past every prompt; a project's
// own .fakeclaude comes before them.
const standInDefaults = "scale=0.05\ntrust=yes\nconsent=yes\n"

// packageFile finds the .deb under test.
func packageFile() (string, error) {
	if deb := os.Getenv("CLAUSTER_DEB"); deb != "" {
		return deb, nil
	}
	root, err := machine.RepoRoot()
	if err != nil {
		return "", err
	}
	debs, _ := filepath.Glob(filepath.Join(root, "build/packages/clauster_*.deb")) // the pattern is well-formed
	newest, when := "", int64(0)
	for _, deb := range debs {
		if info, err := os.Stat(deb); err == nil && info.ModTime().UnixNano() > when {
			newest, when = deb, info.ModTime().UnixNano()
		}
	}
	if newest == "" {
		return "", fmt.Errorf("cannot find build/packages/clauster_*.deb: run make packages first")
	}
	return newest, nil
}

// standIn builds the stand-in claude, static, and gives its path.
func standIn() (string, error) {
	root, err := machine.RepoRoot()
	if err != nil {
		return "", err
	}
	out := filepath.Join(root, "build/bin/fakeclaude")
	cmd := exec.Command("go", "build", "-trimpath", "-o", out, "./test/fakeclaude")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if text, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("cannot build the stand-in claude: %w\n%s", err, text)
	}
	return out, nil
}
