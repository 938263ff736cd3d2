package e2e

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"clauster/test/machine"
)

// packageVersion builds our .deb under another version, or takes the one that
// an earlier test of this run has built.
func packageVersion(t *testing.T, version string) string {
	t.Helper()
	root, err := machine.RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	out := t.TempDir()
	cmd := exec.Command("packaging/packages.sh")
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "VERSION="+version, "OUT="+out)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build version %s: %v\n%s", version, err, text)
	}
	debs, err := filepath.Glob(filepath.Join(out, "packages/clauster_*.deb"))
	if err != nil || len(debs) != 1 {
		t.Fatalf("want one .deb of version %s, found %v", version, debs)
	}
	return debs[0]
}

// brokenPackage makes a .deb whose keeper cannot run on this machine.
func brokenPackage(t *testing.T, deb string) string {
	t.Helper()
	dir := t.TempDir()
	const script = `dpkg-deb -R "$1" "$2/tree"
		printf '#!/bin/sh\nexit 1\n' >"$2/tree/usr/lib/clauster/clauster-keeper"
		sed -i 's/^Version: .*/Version: 9.9.9-1/' "$2/tree/DEBIAN/control"
		dpkg-deb --root-owner-group -b "$2/tree" "$2/clauster_9.9.9-1_amd64.deb"`
	if text, err := exec.Command("sh", "-euc", script, "sh", deb, dir).CombinedOutput(); err != nil {
		t.Fatalf("cannot make a broken package: %v\n%s", err, text)
	}
	return filepath.Join(dir, "clauster_9.9.9-1_amd64.deb")
}

// TestPackageLife: install, upgrade over running bridges, upgrade to a keeper
// that does not work, remove, install again, purge. No upgrade touches a
// bridge; nothing is ever enabled; removal says what it stops and keeps state.
func TestPackageLife(t *testing.T) {
	b := newMachine(t)
	enabled := func() string {
		return b.MustSh("find /etc/systemd -name '*clauster*' | sort")
	}
	if got := enabled(); got != "" {
		t.Errorf("the package enabled something: %s", got)
	}
	for path, want := range map[string]string{
		"/etc/clauster":                     "root:clauster 750",
		"/etc/clauster/clauster.toml":       "root:clauster 640",
		"/var/lib/clauster":                 "root:clauster 750",
		"/var/lib/clauster/instances":       "clauster:clauster 2770",
		"/run/clauster/spool":               "root:root 711",
		"/usr/lib/clauster/clauster-keeper": "root:root 711",
	} {
		if got := strings.TrimSpace(b.MustRun("stat", "-c", "%U:%G %a", path)); got != want {
			t.Errorf("%s is %s, want %s", path, got, want)
		}
	}
	if got := b.MustRun("journalctl", "--list-catalog", "264633d4045d75935fcb22e7f55eee99"); !strings.Contains(got, "crashed") {
		t.Errorf("the catalog is not there: %q", got)
	}

	for _, name := range []string{"one", "two"} {
		b.newProject(name, map[string]string{"count": "1000"})
		b.mustStart(name)
	}
	b.needRecorder()
	rec := b.record("one").attached()
	bridges := func() string {
		return strings.Join(append(b.bridgePIDs("one"), b.bridgePIDs("two")...), " ")
	}
	keepers := func() string {
		return b.MustShow("clauster@one.service", "MainPID") + " " + b.MustShow("clauster@two.service", "MainPID")
	}
	bridgesBefore, keepersBefore := bridges(), keepers()

	next := packageVersion(t, "9.9.8")
	b.MustInstall(next)
	b.MustWaitFor("both keepers to run the new program", settle, func() bool {
		return strings.Count(b.MustSh(`for p in $1; do readlink /proc/$p/exe; done`, keepers()), "deleted") == 0
	})
	if got := bridges(); got != bridgesBefore {
		t.Errorf("the upgrade touched bridges: %s, were %s", got, bridgesBefore)
	}
	if got := keepers(); got != keepersBefore {
		t.Errorf("the upgrade restarted keepers instead of reloading them: %s, were %s", got, keepersBefore)
	}

	for _, name := range []string{"one", "two"} {
		if got := b.keeperVersion(name); got != "9.9.8" {
			t.Errorf("the keeper of %s runs version %s", name, got)
		}
	}

	r := b.install(brokenPackage(t, next))
	if r.Code != 0 {
		t.Errorf("an upgrade with a broken keeper failed the package: %s", r.Stderr)
	}
	if !strings.Contains(r.Stdout+r.Stderr, "kept its old program; the other keepers were left alone") {
		t.Errorf("the upgrade did not say that the first keeper refused:\n%s%s", r.Stdout, r.Stderr)
	}
	if bridges() != bridgesBefore || keepers() != keepersBefore {
		t.Errorf("a broken upgrade touched bridges or keepers: %s and %s", bridges(), keepers())
	}
	b.MustInstall(next)

	if bridges() != bridgesBefore {
		t.Errorf("the way back touched bridges: %s", bridges())
	}

	b.MustRun("systemctl", "enable", "clauster@one")
	r = b.result("dpkg", "-r", "clauster")
	if r.Code != 0 || !strings.Contains(r.Stderr+r.Stdout, "clauster: stopping:") {
		t.Errorf("removal: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	rec.finish(1000) // over three upgrades and the removal
	if left := b.MustSh("systemctl list-units --plain --no-legend 'clauster*'; pgrep -u op claude || true"); left != "" {
		t.Errorf("removal left running: %s", left)
	}
	b.MustRun("test", "-e", "/var/lib/clauster/instances/one.json")
	b.MustRun("test", "-e", "/etc/clauster/clauster.toml")

	b.MustInstall(next)
	b.mustStart("one")
	r = b.result("dpkg", "-P", "clauster")
	if r.Code != 0 {
		t.Errorf("purge: exit code %d\n%s%s", r.Code, r.Stdout, r.Stderr)
	}
	if left := b.MustSh("ls -d /etc/clauster /var/lib/clauster /run/clauster /usr/lib/clauster 2>/dev/null || true") + enabled(); left != "" {
		t.Errorf("purge left: %s", left)
	}
	b.MustRun("getent", "passwd", "clauster")
}

// install installs a .deb with dpkg and gives what it said.
func (b *bed) install(deb string) machine.Result {
	b.t.Helper()
	to := "/var/tmp/" + filepath.Base(deb)
	if err := b.CopyIn(deb, to, ""); err != nil {
		b.t.Fatalf("%v", err)
	}
	return b.result("dpkg", "--force-confold", "-i", to)
}
