package lint

import (
	"regexp"
	"strings"
	"testing"

	"clauster/pkg/bridge"
)

var (
	eventSection = regexp.MustCompile("(?m)^### `([a-z_]+)`$")
	fieldName    = regexp.MustCompile(`CLAUSTER_[A-Z_]+[A-Z]`)
)

// TestEventsPage holds docs/events.md against pkg/bridge/event.go: every event
// with its id, every field, and nothing that is neither.
func TestEventsPage(t *testing.T) {
	page := read(t, "docs/events.md")
	sections := eventSections(page)
	for _, event := range bridge.Events() {
		section, ok := sections[string(event)]
		delete(sections, string(event))
		if !ok {
			t.Errorf("event %s has no section", event)
			continue
		}
		if !strings.Contains(section, "`MESSAGE_ID="+event.MessageID()+"`") {
			t.Errorf("event %s: its section does not name MESSAGE_ID=%s", event, event.MessageID())
		}
		if !strings.Contains(section, "\n    journalctl ") {
			t.Errorf("event %s: no example of journalctl", event)
		}
	}
	for name := range sections {
		t.Errorf("section %s is of no event", name)
	}
	fields, named := journalFields(t), map[string]bool{}
	for _, name := range fieldName.FindAllString(page, -1) {
		if named[name] = true; !fields[name] {
			t.Errorf("%s is not a field of pkg/bridge", name)
		}
	}
	for name := range fields {
		if !named[name] {
			t.Errorf("field %s is not on the page", name)
		}
	}
}

// TestCatalogUsesDocumentedFields: journalctl -x prints the bare name of a field
// that an entry lacks, so a catalog text may use only what the page promises
// for that event.
func TestCatalogUsesDocumentedFields(t *testing.T) {
	page := read(t, "docs/events.md")
	common, _, _ := strings.Cut(page, "### `")
	sections := eventSections(page)
	for id, text := range catalogEntries(read(t, "units/clauster.catalog")) {
		for _, event := range bridge.Events() {
			if event.MessageID() != id {
				continue
			}
			promised := common + sections[string(event)]
			if event == bridge.EventError { // «Fields as in crash»
				promised += sections[string(bridge.EventCrash)]
			}
			for _, match := range catalogField.FindAllStringSubmatch(text, -1) {
				if !strings.Contains(promised, "`"+match[1]+"`") {
					t.Errorf("event %s: the catalog shows %s, which the page does not promise", event, match[1])
				}
			}
		}
	}
}

// eventSections cuts the page into its events.
func eventSections(page string) map[string]string {
	page, _, _ = strings.Cut(page, "\n## Lines")
	sections := map[string]string{}
	marks := eventSection.FindAllStringSubmatchIndex(page, -1)
	for i, mark := range marks {
		end := len(page)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		sections[page[mark[2]:mark[3]]] = page[mark[1]:end]
	}
	return sections
}

// catalogEntries cuts the catalog into its entries, by MESSAGE_ID.
func catalogEntries(text string) map[string]string {
	entries := map[string]string{}
	marks := catalogID.FindAllStringSubmatchIndex(text, -1)
	for i, mark := range marks {
		end := len(text)
		if i+1 < len(marks) {
			end = marks[i+1][0]
		}
		entries[text[mark[2]:mark[3]]] = text[mark[1]:end]
	}
	return entries
}
