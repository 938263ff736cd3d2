package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestCheck(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clauster.db")
	s := testOpen(t, path)
	fill(t, s, 300)
	r, err := Check(t.Context(), path) // while it is in use
	if err != nil || !r.OK || r.Rows["events"] != 300 || r.Version != newestSchema() || r.Created.IsZero() || r.Oldest.IsZero() || r.Hint != "" {
		t.Fatalf("%+v, %v", r, err)
	}
	s.Close()
	if r, err := Check(t.Context(), path); err != nil || !r.OK { // and while it is not
		t.Fatalf("%+v, %v", r, err)
	}

	newer, err := openingOf(t, path, 1).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	newer.Close()
	if r, err := Check(t.Context(), path); err != nil || r.OK || len(r.Snapshots) != 1 || !strings.Contains(r.Hint, "before-v") {
		t.Fatalf("%+v, %v", r, err)
	}

	// One page in the middle: seen here, not at open.
	path = filepath.Join(t.TempDir(), "clauster.db")
	s = testOpen(t, path)
	fill(t, s, 300)
	s.Close()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	at := strings.LastIndex(string(data), "filler-150") / 4096 * 4096
	copy(data[at:at+4096], make([]byte, 4096))
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Check(t.Context(), path); err != nil || r.OK || len(r.Findings) == 0 || !strings.Contains(r.Hint, "aside") {
		t.Fatalf("%+v, %v", r, err)
	}

	var refused *RefusedError
	if _, err := Check(t.Context(), filepath.Join(t.TempDir(), "nothing.db")); !errors.As(err, &refused) || refused.Reason != Unreadable {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(fmt.Sprintf("%9000d", 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	if r, err := Check(t.Context(), path); err != nil || r.OK || r.Hint == "" {
		t.Fatalf("%+v, %v", r, err)
	}
}
