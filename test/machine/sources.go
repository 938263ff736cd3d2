package machine

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"sort"
	"strings"
)

// suite is the host's release (VERSION_CODENAME of os-release); machines run
// the same one, because the host's apt sources are all we may rely on.
func suite() (string, error) {
	f, err := os.Open("/etc/os-release")
	if err != nil {
		return "", err
	}
	defer f.Close()
	for s := bufio.NewScanner(f); s.Scan(); {
		if v, ok := strings.CutPrefix(s.Text(), "VERSION_CODENAME="); ok {
			return strings.Trim(v, `"'`), nil
		}
	}
	return "", errors.New("cannot tell the Debian release of this host: /etc/os-release has no VERSION_CODENAME")
}

// aptSources gives the host's apt sources of its own release, in deb822 and
// one-line form. Third parties' sources are left out: their keys and hosts
// have no business in a test machine.
func aptSources(etcApt, suite string) (deb822, oneLine string, err error) {
	for _, f := range sourceFiles(etcApt, "*.sources") {
		text, err := os.ReadFile(f)
		if err != nil {
			return "", "", err
		}
		for _, stanza := range strings.Split(string(text), "\n\n") {
			if stanzaOf(stanza, suite) {
				deb822 += strings.Trim(stanza, "\n") + "\n\n"
			}
		}
	}
	files := append([]string{filepath.Join(etcApt, "sources.list")}, sourceFiles(etcApt, "*.list")...)
	for _, f := range files {
		text, err := os.ReadFile(f)
		if errors.Is(err, os.ErrNotExist) {
			continue
		} else if err != nil {
			return "", "", err
		}
		for _, line := range strings.Split(string(text), "\n") {
			if lineOf(line, suite) {
				oneLine += line + "\n"
			}
		}
	}
	if deb822 == "" && oneLine == "" {
		return "", "", fmt.Errorf("cannot find apt sources of %s in %s", suite, etcApt)
	}
	return deb822, oneLine, nil
}

func sourceFiles(etcApt, pattern string) []string {
	files, _ := filepath.Glob(filepath.Join(etcApt, "sources.list.d", pattern)) // the pattern is well-formed
	sort.Strings(files)
	return files
}

// stanzaOf reports whether a deb822 stanza is an enabled binary source of the
// suite or one of its pockets (SUITE-updates, SUITE-security).
func stanzaOf(stanza, suite string) bool {
	var suites, types []string
	for _, line := range strings.Split(stanza, "\n") {
		key, value, _ := strings.Cut(line, ":")
		switch strings.ToLower(strings.TrimSpace(key)) {
		case "suites":
			suites = strings.Fields(value)
		case "types":
			types = strings.Fields(value)
		case "enabled":
			if v := strings.ToLower(strings.TrimSpace(value)); v == "no" || v == "false" {
				return false
			}
		}
	}
	for _, t := range types {
		if t == "deb" {
			return len(suites) > 0 && pocketOf(suites[0], suite)
		}
	}
	return false
}

// lineOf does the same for "deb [options] URI SUITE COMPONENT…".
func lineOf(line, suite string) bool {
	rest, ok := strings.CutPrefix(strings.TrimSpace(line), "deb ")
	if !ok {
		return false
	}
	rest = strings.TrimSpace(rest)
	if strings.HasPrefix(rest, "[") {
		_, rest, ok = strings.Cut(rest, "]")
		if !ok {
			return false
		}
	}
	f := strings.Fields(rest)
	return len(f) >= 3 && pocketOf(f[1], suite)
}

func pocketOf(s, suite string) bool {
	s, _, _ = strings.Cut(s, "/")
	return s == suite || strings.HasPrefix(s, suite+"-")
}

// aptProxy hands the host's apt proxy on, which mmdebstrap does not read.
func aptProxy() []string {
	var opts []string
	for _, key := range []string{"Acquire::http::Proxy", "Acquire::https::Proxy"} {
		out, err := exec.Command("apt-config", "--format", "%v", "dump", key).Output()
		if v := strings.TrimSpace(string(out)); err == nil && v != "" {
			opts = append(opts, fmt.Sprintf("--aptopt=%s %q", key, v))
		}
	}
	return opts
}
