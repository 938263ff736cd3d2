package machine

import (
	"bytes"
	"context"
	"fmt"
	"io/fs"
	"os"
	"path"
	"strconv"
	"strings"
)

// WriteFile puts a file into the machine, atomically and with its missing
// parent directories. owner is a user name ("" is root); parents it makes
// belong to the owner too.
func (m *Machine) WriteFile(name string, data []byte, mode fs.FileMode, owner string) error {
	if owner == "" {
		owner = "root"
	}
	// As the owner, so that parents are the owner's: mkdir -p as root would
	// leave a ~/.config that its user cannot use.
	const script = `set -e
mkdir -p "$(dirname "$1")" 2>/dev/null || exit 42
t=$(mktemp "$1.XXXXXX"); trap 'rm -f "$t"' EXIT
cat > "$t"; chmod "$2" "$t"; mv -f "$t" "$1"; trap - EXIT`
	c := Command{
		Args: []string{"/bin/sh", "-c", script, "sh", name, strconv.FormatUint(uint64(mode.Perm()), 8)},
		User: owner, In: bytes.NewReader(data),
	}
	r, err := m.RunContext(context.Background(), c)
	if err == nil && r.Code != 0 && owner != "root" {
		// A directory the owner may not write: root writes for it.
		if err := m.WriteFile(name, data, mode, ""); err != nil {
			return err
		}
		return m.do("chown", owner+":", name)
	}
	if err == nil {
		err = r.check(Command{Args: []string{"write", name}})
	}
	return err
}

// ReadFile gives the content of a file in the machine. The error wraps
// fs.ErrNotExist when there is none.
func (m *Machine) ReadFile(name string) ([]byte, error) {
	r, err := m.Sh(`[ -e "$1" ] || exit 44; exec cat -- "$1"`, name)
	if err != nil {
		return nil, err
	}
	if r.Code == 44 {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(r.Stdout), r.check(Command{Args: []string{"read", name}})
}

// MustWriteFile is WriteFile in a test.
func (m *Machine) MustWriteFile(name, text string, mode fs.FileMode, owner string) {
	m.tb.Helper()
	if err := m.WriteFile(name, []byte(text), mode, owner); err != nil {
		m.tb.Fatalf("%v", err)
	}
}

// MustReadFile is ReadFile in a test.
func (m *Machine) MustReadFile(name string) string {
	m.tb.Helper()
	data, err := m.ReadFile(name)
	if err != nil {
		m.tb.Fatalf("%v", err)
	}
	return string(data)
}

// CopyIn copies one file of the host into the machine, keeping its mode.
func (m *Machine) CopyIn(from, to, owner string) error {
	info, err := os.Stat(from)
	if err != nil {
		return fmt.Errorf("cannot copy into the machine: %w", err)
	}
	data, err := os.ReadFile(from)
	if err != nil {
		return fmt.Errorf("cannot copy into the machine: %w", err)
	}
	return m.WriteFile(to, data, info.Mode(), owner)
}

// CopyOut copies one file of the machine to the host.
func (m *Machine) CopyOut(from, to string) error {
	data, err := m.ReadFile(from)
	if err != nil {
		return err
	}
	return os.WriteFile(to, data, 0o644)
}

// Install installs a .deb of the host with apt, as an administrator would:
// apt-get install ./FILE. Its dependencies must be in the root already, since
// the machine has no network. Conffiles that were changed are kept.
func (m *Machine) Install(deb string) error {
	to := path.Join("/var/tmp", path.Base(deb))
	if err := m.CopyIn(deb, to, ""); err != nil {
		return err
	}
	c := Command{
		Args: []string{"apt-get", "install", "-y", "-q", "--no-install-recommends", "--allow-downgrades",
			"-o", "Dpkg::Options::=--force-confold", "-o", "APT::Sandbox::User=root", to},
		Env: map[string]string{"DEBIAN_FRONTEND": "noninteractive"},
		In:  strings.NewReader(""), Timeout: 2 * defaultTimeout,
	}
	r, err := m.RunContext(context.Background(), c)
	if err == nil {
		err = r.check(c)
	}
	return err
}

// MustInstall is Install in a test.
func (m *Machine) MustInstall(deb string) {
	m.tb.Helper()
	if err := m.Install(deb); err != nil {
		m.tb.Fatalf("%v", err)
	}
}
