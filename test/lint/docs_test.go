package lint

import (
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

func markdown(t *testing.T) []string {
	t.Helper()
	return walk(t, func(name string) bool { return strings.HasSuffix(name, ".md") })
}

var (
	link       = regexp.MustCompile(`\]\(([^)#\s]+)(#[^)]*)?\)`)
	makeTarget = regexp.MustCompile("(?m)`make ([a-z-]+)|^\\s{4,}make ([a-z-]+)|^make ([a-z-]+)")
)

// TestDocLinks: a link in a document leads somewhere.
func TestDocLinks(t *testing.T) {
	root := repository(t)
	for _, doc := range markdown(t) {
		for _, match := range link.FindAllStringSubmatch(read(t, doc), -1) {
			target := match[1]
			if strings.Contains(target, "://") || strings.HasPrefix(target, "mailto:") {
				continue
			}
			if _, err := os.Stat(filepath.Join(root, filepath.Dir(doc), target)); err != nil {
				t.Errorf("%s links to %s, which is not there", doc, target)
			}
		}
	}
}

// TestDocMakeTargets: a document names only targets that the Makefile has.
func TestDocMakeTargets(t *testing.T) {
	makefile := "\n" + read(t, "Makefile")
	for _, doc := range markdown(t) {
		for _, match := range makeTarget.FindAllStringSubmatch(read(t, doc), -1) {
			target := match[1] + match[2] + match[3]
			if !strings.Contains(makefile, "\n"+target+":") {
				t.Errorf("%s names «make %s», which the Makefile has not", doc, target)
			}
		}
	}
}

var decision = regexp.MustCompile(`^docs/decisions/[a-z0-9-]+\.md$`)

// TestDecisions: half a page each, named by what was decided. No numbers: two
// people deciding at once would take the same one.
func TestDecisions(t *testing.T) {
	for _, doc := range markdown(t) {
		if filepath.Dir(doc) != "docs/decisions" || filepath.Base(doc) == "README.md" {
			continue
		}
		if !decision.MatchString(doc) {
			t.Errorf("%s: want lower-case-words.md", doc)
		}
		if lines := strings.Count(read(t, doc), "\n"); lines > 60 {
			t.Errorf("%s has %d lines: half a page, please", doc, lines)
		}
	}
}

// TestDecisionIndex: the index names every decision.
func TestDecisionIndex(t *testing.T) {
	index := read(t, "docs/decisions/README.md")
	for _, doc := range markdown(t) {
		if base := filepath.Base(doc); filepath.Dir(doc) == "docs/decisions" && base != "README.md" &&
			!strings.Contains(index, "]("+base+")") {
			t.Errorf("docs/decisions/README.md does not list %s", base)
		}
	}
}

// TestNoForeignPlaces: what is committed names no place of the machine it was
// written on.
func TestNoForeignPlaces(t *testing.T) {
	places := []string{"/wo" + "rk/main", "/wo" + "rk/shared", "/fa" + "rm/"}
	for _, path := range walk(t, func(string) bool { return true }) {
		info, err := os.Stat(filepath.Join(repository(t), path))
		if err != nil || info.Size() > 1<<20 || !info.Mode().IsRegular() {
			continue
		}
		text := read(t, path)
		for _, place := range places {
			if strings.Contains(text, place) {
				t.Errorf("%s names %s", path, place)
			}
		}
	}
}
