package lint

import (
	"regexp"
	"strings"
	"testing"
)

// TestSecurityClaims: a test that the security model calls as a witness exists.
func TestSecurityClaims(t *testing.T) {
	tests := map[string]bool{}
	function := regexp.MustCompile(`(?m)^func (Test[A-Z]\w*)\(`)
	for _, path := range walk(t, func(name string) bool { return strings.HasSuffix(name, "_test.go") }) {
		for _, match := range function.FindAllStringSubmatch(read(t, path), -1) {
			tests[match[1]] = true
		}
	}
	named := regexp.MustCompile(`\bTest[A-Z]\w*`).FindAllString(read(t, "docs/security.md"), -1)
	if len(named) < 20 {
		t.Errorf("docs/security.md names %d tests only", len(named))
	}
	for _, name := range named {
		if !tests[name] {
			t.Errorf("docs/security.md names %s, which is nowhere", name)
		}
	}
}
