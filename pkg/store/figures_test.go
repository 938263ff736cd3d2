package store

import (
	"context"
	"database/sql"
	"path/filepath"
	"testing"
	"time"
)

// put inserts events of one kind as the follower does: row and counters in one
// transaction.
func put(t *testing.T, s *Store, id, kind, project, fields, cause string, at time.Time) {
	t.Helper()
	err := s.Write(context.Background(), func(tx *sql.Tx) error {
		if _, err := tx.Exec(`INSERT INTO events (id, at, kind, project, message, fields) VALUES (?, ?, ?, ?, '', ?)`,
			id, stamp(at), kind, project, fields); err != nil {
			return err
		}
		return s.countEvent(context.Background(), tx, kind, project, map[string]string{"cause": cause})
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestFigures(t *testing.T) {
	ctx := context.Background()
	s, err := Open(ctx, filepath.Join(t.TempDir(), "clauster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	now := time.Now()
	put(t, s, "1", "crash", "blog", `{}`, "", now)
	put(t, s, "2", "crash", "blog", `{}`, "", now.Add(-3*time.Hour))
	put(t, s, "3", "api_error", "blog", `{"cause":"overloaded"}`, "overloaded", now)
	put(t, s, "4", "api_error", "blog", `{"cause":"overloaded"}`, "overloaded", now.Add(-2*time.Hour))
	put(t, s, "5", "api_error", "shop", `{"cause":"something new"}`, "something new", now)

	f, err := s.Figures(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if got := f.Counters[CountCrashes]["blog"]; got != 2 {
		t.Errorf("crashes: %d", got)
	}
	if got := f.Counters[CountEvents]["api_error"]; got != 3 {
		t.Errorf("events: %d", got)
	}
	if got := f.Counters[CountAPIErrors]["other"]; got != 1 {
		t.Errorf("an unknown kind is not counted as other: %v", f.Counters[CountAPIErrors])
	}
	if f.Bytes == 0 {
		t.Error("no size")
	}

	counts, err := s.EventCounts(ctx, now.Add(-time.Hour))
	if err != nil || counts["crash"] != 1 || counts["api_error"] != 2 {
		t.Errorf("counts of the last hour: %v %v", counts, err)
	}
	errs, err := s.APIErrors(ctx, now.Add(-24*time.Hour))
	if err != nil || len(errs) != 2 {
		t.Fatalf("API errors: %v %v", errs, err)
	}
	if e := errs[0]; e.Project != "blog" || e.Kind != "overloaded" || e.Count != 2 || e.Last.Sub(now).Abs() > time.Millisecond {
		t.Errorf("first row: %+v", e)
	}
}
