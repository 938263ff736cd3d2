package machine

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
)

// Debian gives the .deb files of packages that the root does not have, for
// CopyIn. They are downloaded once, with the host's apt, and kept in
// build/machine/extras. The error is for an archive that cannot be reached.
func Debian(ctx context.Context, names ...string) ([]string, error) {
	d, err := findDirs()
	if err != nil {
		return nil, err
	}
	release, err := suite()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(d.base, "extras", release)
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, err
	}
	l, err := lock(d.path("extras.lock"), true)
	if err != nil {
		return nil, err
	}
	defer l.Close()
	var files []string
	for _, name := range names {
		found := func() []string {
			all, _ := filepath.Glob(filepath.Join(dir, name+"_*.deb")) // the pattern is well-formed
			return all
		}
		if len(found()) == 0 {
			if err := download(ctx, dir, name); err != nil {
				return nil, err
			}
		}
		all := found()
		if len(all) == 0 {
			return nil, fmt.Errorf("cannot download the Debian package %s: apt-get left no file", name)
		}
		files = append(files, all[0])
	}
	return files, nil
}

// download asks apt, and once more with fresh lists: a container may have none.
// It goes to a temporary directory, so that a killed download leaves no file.
func download(ctx context.Context, dir, name string) error {
	tmp, err := os.MkdirTemp(dir, "part")
	if err != nil {
		return err
	}
	defer os.RemoveAll(tmp)
	apt := func(args ...string) error {
		cmd := exec.CommandContext(ctx, "apt-get", append([]string{"-q", "-o", "APT::Sandbox::User=root", "-o", "Acquire::Retries=1"}, args...)...)
		cmd.Dir = tmp
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("cannot download the Debian package %s: %w\n%s", name, err, out)
		}
		return nil
	}
	if err := apt("download", name); err != nil {
		if err := apt("update"); err != nil {
			return err
		}
		if err := apt("download", name); err != nil {
			return err
		}
	}
	files, err := filepath.Glob(filepath.Join(tmp, "*.deb"))
	if err != nil {
		return err
	}
	for _, f := range files {
		if err := os.Rename(f, filepath.Join(dir, filepath.Base(f))); err != nil {
			return err
		}
	}
	return nil
}
