package store

import (
	"database/sql"
	"errors"
	"os"
	"path/filepath"
	"testing"
)

// A database that is removed or replaced under the service is refused for good:
// what was written went into a file that nobody will find.
func TestReplaced(t *testing.T) {
	for name, harm := range map[string]func(path string) error{
		"removed": os.Remove,
		"moved":   func(path string) error { return os.Rename(path, path+".aside") },
		"replaced": func(path string) error {
			return errors.Join(os.WriteFile(path+".other", nil, 0o600), os.Rename(path+".other", path))
		},
	} {
		path := filepath.Join(t.TempDir(), "clauster.db")
		s, err := Open(t.Context(), path)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := s.Figures(t.Context()); err != nil {
			t.Errorf("%s, before: %v", name, err)
		}
		if err := harm(path); err != nil {
			t.Fatal(err)
		}
		var refused *RefusedError
		if _, err := s.Figures(t.Context()); !errors.As(err, &refused) || refused.Reason != Replaced || refused.Hint() == "" {
			t.Errorf("%s: %v", name, err)
		}
		if err := s.Write(t.Context(), func(*sql.Tx) error { t.Error("it is written to"); return nil }); !errors.As(err, &refused) || s.Refused() == nil {
			t.Errorf("%s: %v", name, err)
		}
		s.Close()
	}
}
