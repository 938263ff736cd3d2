package lint

import (
	"go/ast"
	"go/token"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"clauster/pkg/bridge"
)

var (
	catalogID    = regexp.MustCompile(`(?m)^-- ([0-9a-f]{32})$`)
	catalogField = regexp.MustCompile(`@([A-Z_]+)@`)
)

// TestCatalogExplainsEveryEvent: journalctl -x has a text for each event, with
// a subject, a page to read and what to do.
func TestCatalogExplainsEveryEvent(t *testing.T) {
	text := read(t, "units/clauster.catalog")
	entries := catalogEntries(text)
	fields := journalFields(t)
	for _, event := range bridge.Events() {
		entry, ok := entries[event.MessageID()]
		delete(entries, event.MessageID())
		if !ok {
			t.Errorf("event %s has no entry", event)
			continue
		}
		for _, must := range []string{"\nSubject: ", "\nDefined-By: clauster\n", "\nDocumentation: man:"} {
			if !strings.Contains(entry, must) {
				t.Errorf("event %s: no %q", event, strings.TrimSpace(must))
			}
		}
		if !strings.Contains(entry, "\n    ") && !strings.Contains(entry, "«") && !strings.Contains(entry, "Nothing needs to be done") &&
			!strings.Contains(entry, "It is said once") {
			t.Errorf("event %s: no remedy", event)
		}
		for _, match := range catalogField.FindAllStringSubmatch(entry, -1) {
			if !fields[match[1]] {
				t.Errorf("event %s: @%s@ is not a field of events", event, match[1])
			}
		}
	}
	for id := range entries {
		t.Errorf("entry %s belongs to no event", id)
	}
}

// journalFields collects the values of bridge's Field constants.
func journalFields(t *testing.T) map[string]bool {
	t.Helper()
	fields := map[string]bool{}
	for _, f := range goFiles(t) {
		if f.dir != "pkg/bridge" || f.isTest() {
			continue
		}
		for _, decl := range f.ast.Decls {
			d, ok := decl.(*ast.GenDecl)
			if !ok || d.Tok != token.CONST {
				continue
			}
			for _, spec := range d.Specs {
				s := spec.(*ast.ValueSpec)
				if !strings.HasPrefix(s.Names[0].Name, "Field") || len(s.Values) != 1 {
					continue
				}
				if lit, ok := s.Values[0].(*ast.BasicLit); ok {
					name, _ := strconv.Unquote(lit.Value)
					fields[name] = true
				}
			}
		}
	}
	if len(fields) == 0 {
		t.Fatal("found no field constants in pkg/bridge")
	}
	return fields
}
