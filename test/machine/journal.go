package machine

import (
	"bufio"
	"encoding/json"
	"fmt"
	"strings"
)

// Entry is one journal entry; a field may appear more than once.
type Entry map[string][]string

// Get is the first value of a field, "" when it is absent.
func (e Entry) Get(field string) string {
	if v := e[field]; len(v) > 0 {
		return v[0]
	}
	return ""
}

// Journal gives the entries that journalctl selects by args, oldest first.
func (m *Machine) Journal(args ...string) ([]Entry, error) {
	cmd := append([]string{"journalctl", "--output=json", "--all", "--no-pager", "--quiet"}, args...)
	r, err := m.Run(cmd...)
	if err == nil {
		err = r.check(Command{Args: cmd})
	}
	if err != nil {
		return nil, err
	}
	return parseJournal(r.Stdout)
}

// MustJournal is Journal in a test.
func (m *Machine) MustJournal(args ...string) []Entry {
	m.tb.Helper()
	entries, err := m.Journal(args...)
	if err != nil {
		m.tb.Fatalf("%v", err)
	}
	return entries
}

// MustWaitJournal waits for an entry that args select and cond accepts, and
// returns the first such one.
func (m *Machine) MustWaitJournal(what string, cond func(Entry) bool, args ...string) Entry {
	m.tb.Helper()
	var found Entry
	m.MustWaitFor(what+" in the journal", defaultTimeout/2, func() bool {
		entries, _ := m.Journal(args...)
		for _, e := range entries {
			if cond(e) {
				found = e
				return true
			}
		}
		return false
	})
	return found
}

func parseJournal(text string) ([]Entry, error) {
	var entries []Entry
	s := bufio.NewScanner(strings.NewReader(text))
	s.Buffer(nil, len(text)+1)
	for s.Scan() {
		var raw map[string]any
		if err := json.Unmarshal(s.Bytes(), &raw); err != nil {
			return nil, fmt.Errorf("cannot read journal entry: %w", err)
		}
		e := make(Entry, len(raw))
		for k, v := range raw {
			e[k] = fieldValues(v)
		}
		entries = append(entries, e)
	}
	return entries, s.Err()
}

// fieldValues undoes the forms of journalctl's JSON: a string, an array of
// bytes for text that is not plain, or an array of either for a repeated field.
func fieldValues(v any) []string {
	list, isList := v.([]any)
	if !isList {
		s, _ := v.(string) // null is a field too long for the output
		return []string{s}
	}
	var bytes []byte
	var values []string
	for _, item := range list {
		if n, ok := item.(float64); ok {
			bytes = append(bytes, byte(n))
			continue
		}
		values = append(values, fieldValues(item)...)
	}
	if bytes != nil {
		return []string{string(bytes)}
	}
	return values
}
