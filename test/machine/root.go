package machine

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"
)

// recipe is part of the cache key: raise it when the way the root is made
// changes in a way its package list does not show.
const recipe = "5"

// rootPackages are what a machine consists of: systemd as it comes on a small
// server, and the dependencies of our own package, so that installing it needs
// no network.
var rootPackages = [...]string{
	"systemd", "systemd-sysv", "dbus", "dbus-user-session", "libpam-systemd", "polkitd",
	"sudo", "git", "procps", "ca-certificates", "socat", "adduser",
}

// buildTimeout bounds one build of a root or image: the download of some
// 100 MB over a slow line, not a hang.
const buildTimeout = 15 * time.Minute

// BuildRoot gives the directory of the cached Debian root, building it when
// absent (15 to 30 s). A build goes to a temporary directory that is renamed
// when complete, so a killed build leaves no half root; builders at the same
// time wait for one another.
func BuildRoot(ctx context.Context, verbose bool) (string, error) {
	d, err := findDirs()
	if err != nil {
		return "", err
	}
	return d.buildRoot(ctx, verbose)
}

func (d dirs) buildRoot(ctx context.Context, verbose bool) (string, error) {
	if os.Geteuid() != 0 {
		return "", errors.New("cannot build a machine: only root can; run this with sudo")
	}
	release, err := suite()
	if err != nil {
		return "", err
	}
	deb822, oneLine, err := aptSources("/etc/apt", release)
	if err != nil {
		return "", err
	}
	key := cacheKey(release, deb822, oneLine, strings.Join(rootPackages[:], ","))
	return d.cached(ctx, "root-"+key, func(ctx context.Context, tmp string) error {
		b := bootstrap{release: release, deb822: deb822, oneLine: oneLine, packages: rootPackages[:], verbose: verbose}
		return b.run(ctx, d, tmp)
	})
}

// cacheKey is 12 hex of a hash over all that decides the content.
func cacheKey(parts ...string) string {
	sum := sha256.Sum256([]byte(recipe + "\x00" + strings.Join(parts, "\x00")))
	return hex.EncodeToString(sum[:6])
}

// cached returns base/name, after making it with build if it is not there.
func (d dirs) cached(ctx context.Context, name string, build func(ctx context.Context, tmp string) error) (string, error) {
	final := d.path(name)
	if _, err := os.Stat(final); err == nil {
		return final, nil
	}
	l, err := lock(final+".lock", true)
	if err != nil {
		return "", err
	}
	defer l.Close()
	if _, err := os.Stat(final); err == nil { // another builder was first
		return final, nil
	}
	tmp := final + ".part"
	if err := clearTree(tmp); err != nil {
		return "", err
	}
	ctx, cancel := context.WithTimeout(ctx, buildTimeout)
	defer cancel()
	if err := build(ctx, tmp); err != nil {
		return "", errors.Join(err, clearTree(tmp))
	}
	return final, os.Rename(tmp, final)
}

// clearTree removes a tree of an earlier build, refusing to walk into a
// file system still mounted there (a killed mmdebstrap may leave /proc).
func clearTree(dir string) error {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	for _, line := range strings.Split(string(mounts), "\n") {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], dir+"/") {
			if err := syscall.Unmount(f[1], syscall.MNT_DETACH); err != nil {
				return fmt.Errorf("cannot unmount %s: %w", f[1], err)
			}
		}
	}
	return os.RemoveAll(dir)
}

// bootstrap is one run of mmdebstrap.
type bootstrap struct {
	release, deb822, oneLine string
	packages                 []string
	hooks                    []string // further mmdebstrap arguments
	verbose                  bool
}

// run makes the root in dir. Downloaded packages are kept in build/machine/debs
// for the next build.
func (b bootstrap) run(ctx context.Context, d dirs, dir string) error {
	if err := os.MkdirAll(d.debs(), 0o755); err != nil {
		return err
	}
	// One bootstrap at a time: two would write the package cache at once.
	l, err := lock(d.debs()+".lock", true)
	if err != nil {
		return err
	}
	defer l.Close()
	args := []string{"--variant=minbase", "--mode=root", "--format=directory",
		"--include=" + strings.Join(b.packages, ","),
		"--skip=download/empty", "--skip=essential/unlink",
		`--setup-hook=mkdir -p "$1/var/cache/apt/archives"`,
		"--setup-hook=sync-in " + d.debs() + " /var/cache/apt/archives",
		"--customize-hook=sync-out /var/cache/apt/archives " + d.debs(),
		`--customize-hook=rm -rf "$1"/var/cache/apt/archives/*.deb "$1/var/cache/apt/archives/lock" "$1/etc/machine-id" "$1/etc/resolv.conf"`,
		"--customize-hook=" + maskHook,
	}
	args = append(args, aptProxy()...)
	args = append(args, b.hooks...)
	args = append(args, b.release, dir)
	for name, text := range map[string]string{".sources": b.deb822, ".list": b.oneLine} {
		if text == "" {
			continue
		}
		// The file's name tells mmdebstrap its form.
		f := filepath.Join(d.base, "sources"+name)
		if err := os.WriteFile(f, []byte(text), 0o644); err != nil {
			return err
		}
		args = append(args, f)
	}
	cmd := exec.CommandContext(ctx, "mmdebstrap", args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) } // it unmounts on TERM
	cmd.WaitDelay = 20 * time.Second
	return runLogged(cmd, "build Debian root", b.verbose)
}

// maskHook turns off what would only make a test machine slow or noisy.
const maskHook = `for u in apt-daily.timer apt-daily-upgrade.timer dpkg-db-backup.timer fstrim.timer e2scrub_all.timer ` +
	`systemd-networkd.service systemd-networkd.socket systemd-networkd-wait-online.service systemd-firstboot.service ` +
	`systemd-timesyncd.service systemd-pstore.service; do ln -sf /dev/null "$1/etc/systemd/system/$u"; done`

// runLogged runs a builder on a locked thread (its death signal is tied to
// the thread that starts it) and puts the end of its output into the error.
func runLogged(cmd *exec.Cmd, what string, verbose bool) error {
	var out tail
	cmd.Stdout, cmd.Stderr = &out, &out
	if verbose {
		fmt.Fprintf(os.Stderr, "machine: %s …\n", what)
	}
	begun := time.Now()
	done := make(chan error, 1)
	go func() {
		lockThread()
		done <- cmd.Run()
	}()
	if err := <-done; err != nil {
		if errors.Is(err, exec.ErrNotFound) {
			return fmt.Errorf("cannot %s: %w: run test/machine/deps.sh", what, err)
		}
		return fmt.Errorf("cannot %s: %w\n%s", what, err, out.String())
	}
	if verbose {
		fmt.Fprintf(os.Stderr, "machine: %s: done in %.1f s\n", what, time.Since(begun).Seconds())
	}
	return nil
}
