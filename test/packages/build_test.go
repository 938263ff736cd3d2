package packages

import (
	"bytes"
	"crypto/sha256"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// repository is the root of the source tree.
func repository(t *testing.T) string {
	t.Helper()
	dir, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// build makes both packages of a source tree and returns their paths by ending.
// With an environment it is built under another umask too.
func build(t *testing.T, tree, out, version string, env ...string) map[string]string {
	t.Helper()
	nfpm, err := filepath.Glob(filepath.Join(repository(t), "build/tools/nfpm-*"))
	if err != nil || len(nfpm) != 1 {
		t.Skip("SKIPPED: no packager in build/tools: run make packages first")
	}
	umask := "022"
	if len(env) > 0 {
		umask = "077"
	}
	cmd := exec.Command("sh", "-c", `umask "$1"; exec packaging/packages.sh`, "sh", umask)
	cmd.Dir = tree
	cmd.Env = append(os.Environ(), "OUT="+out, "VERSION="+version, "NFPM="+nfpm[0], "SOURCE_DATE_EPOCH=1767225600")
	cmd.Env = append(cmd.Env, env...)
	text, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("cannot build packages: %v\n%s", err, text)
	}
	found := map[string]string{}
	for _, ending := range []string{"deb", "rpm"} {
		paths, err := filepath.Glob(filepath.Join(out, "packages", "*."+ending))
		if err != nil || len(paths) != 1 {
			t.Fatalf("want one .%s in %s, found %v", ending, out, paths)
		}
		found[ending] = paths[0]
	}
	return found
}

// copyTree copies what git knows or would take, as a fresh clone would have it
// but with other times.
func copyTree(t *testing.T, to string) {
	t.Helper()
	cmd := exec.Command("sh", "-c", `mkdir "$1" && git ls-files -z --cached --others --exclude-standard |
		tar -c --null -T - --ignore-failed-read 2>/dev/null | tar -x -m -C "$1"`, "sh", to)
	cmd.Dir = repository(t)
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot copy the source: %v\n%s", err, text)
	}
}

// TestReproducible builds in two directories, under another umask, time zone,
// language and user, and compares every byte.
func TestReproducible(t *testing.T) {
	dir := t.TempDir()
	tree := filepath.Join(dir, "elsewhere")
	copyTree(t, tree)
	first := build(t, repository(t), filepath.Join(dir, "out"), "1.2.3")
	second := build(t, tree, filepath.Join(tree, "build"), "1.2.3", "TZ=Asia/Tokyo", "LC_ALL=C.UTF-8", "USER=somebody")
	for ending, path := range first {
		a, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		b, err := os.ReadFile(second[ending])
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(a, b) {
			t.Errorf(".%s differs: %x and %x", ending, sha256.Sum256(a), sha256.Sum256(b))
		}
	}
}

// TestContents: modes and owners of what matters, in both packages.
func TestContents(t *testing.T) {
	packages := build(t, repository(t), t.TempDir(), "1.2.3")
	want := map[string]string{
		"/usr/lib/clauster/clauster-keeper":                   "-rwx--x--x root/root",
		"/usr/bin/clauster-ctl":                               "-rwxr-xr-x root/root",
		"/etc/clauster":                                       "drwxr-x--- root/root",
		"/etc/clauster/clauster.toml":                         "-rw-r----- root/root",
		"/usr/lib/systemd/system/clauster@.service":           "-rw-r--r-- root/root",
		"/usr/lib/systemd/user/clauster@.service":             "-rw-r--r-- root/root",
		"/usr/lib/systemd/catalog/clauster.catalog":           "-rw-r--r-- root/root",
		"/usr/lib/sysusers.d/clauster.conf":                   "-rw-r--r-- root/root",
		"/usr/lib/tmpfiles.d/clauster.conf":                   "-rw-r--r-- root/root",
		"/usr/lib/sysctl.d/50-clauster.conf":                  "-rw-r--r-- root/root",
		"/usr/share/polkit-1/rules.d/50-clauster.rules":       "-rw-r--r-- root/root",
		"/usr/share/man/man1/clauster-ctl.1.gz":               "-rw-r--r-- root/root",
		"/usr/share/man/man5/clauster.toml.5.gz":              "-rw-r--r-- root/root",
		"/usr/share/man/man8/clauster@.service.8.gz":          "-rw-r--r-- root/root",
		"/usr/share/bash-completion/completions/clauster-ctl": "-rw-r--r-- root/root",
	}
	for ending, list := range map[string]map[string]string{"deb": debList(t, packages["deb"]), "rpm": rpmList(t, packages["rpm"])} {
		for path, mode := range want {
			if list[path] != mode {
				t.Errorf(".%s: %s is %q, want %q", ending, path, list[path], mode)
			}
		}
		for path, mode := range list {
			if strings.Contains(path, ".wants/") || strings.Contains(path, ".requires/") {
				t.Errorf(".%s enables something: %s", ending, path)
			}
			if strings.ContainsAny(mode[:10], "sStT") {
				t.Errorf(".%s: %s has a special mode: %s", ending, path, mode)
			}
		}
	}
	if got := output(t, "dpkg-deb", "-I", packages["deb"], "conffiles"); got != "/etc/clauster/clauster.toml\n" {
		t.Errorf("conffiles of the .deb: %q", got)
	}
	if got := output(t, "rpm", "-qpc", packages["rpm"]); got != "/etc/clauster/clauster.toml\n" {
		t.Errorf("configuration files of the .rpm: %q", got)
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	out, err := exec.Command(name, args...).Output()
	if err != nil {
		t.Fatalf("%s %v: %v", name, args, err)
	}
	return string(out)
}

// debList maps each path of a .deb to its mode and owner.
func debList(t *testing.T, path string) map[string]string {
	t.Helper()
	list := map[string]string{}
	for _, line := range strings.Split(output(t, "dpkg-deb", "-c", path), "\n") {
		if words := strings.Fields(line); len(words) >= 6 {
			list[strings.TrimSuffix(strings.TrimPrefix(words[5], "."), "/")] = words[0] + " " + words[1]
		}
	}
	return list
}

// rpmList does the same for an .rpm.
func rpmList(t *testing.T, path string) map[string]string {
	t.Helper()
	list := map[string]string{}
	const format = "[%{FILENAMES} %{FILEMODES:perms} %{FILEUSERNAME}/%{FILEGROUPNAME}\n]"
	for _, line := range strings.Split(output(t, "rpm", "-qp", "--qf", format, path), "\n") {
		if words := strings.Fields(line); len(words) == 3 {
			list[words[0]] = words[1] + " " + words[2]
		}
	}
	return list
}
