package store

import (
	"context"
	"database/sql"
	"fmt"
)

// Counter is a number that outlives journal, events and process.
type Counter string

// The counters, each with what its label is.
const (
	CountEvents    Counter = "events"     // kind
	CountCrashes   Counter = "crashes"    // project
	CountAPIErrors Counter = "api_errors" // kind of the error
)

// add raises a counter within the transaction of what is counted: a repeat that
// is not stored is not counted.
func (s *Store) add(ctx context.Context, tx *sql.Tx, name Counter, label string) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO counters (name, label, value) VALUES (?, ?, 1)
		ON CONFLICT (name, label) DO UPDATE SET value = value + 1`, string(name), label)
	if err != nil {
		return fmt.Errorf("cannot count %s: %w", name, err)
	}
	return nil
}

// countEvent raises the counters of an event that was just inserted. fields are
// those of wire.Event.
func (s *Store) countEvent(ctx context.Context, tx *sql.Tx, kind, project string, fields map[string]string) error {
	if err := s.add(ctx, tx, CountEvents, kind); err != nil {
		return err
	}
	switch kind {
	case "crash":
		return s.add(ctx, tx, CountCrashes, project)
	case "api_error":
		return s.add(ctx, tx, CountAPIErrors, apiErrorKind(fields["cause"]))
	}
	return nil
}

// apiErrorKind keeps the labels a closed list, whatever a keeper of another
// version says.
func apiErrorKind(cause string) string {
	switch cause {
	case "overloaded", "throttled", "rejected", "limit", "server-error", "login":
		return cause
	}
	return "other"
}

// Counters gives all counters: name, label, value.
func (s *Store) Counters(ctx context.Context) (map[Counter]map[string]uint64, error) {
	rows, err := s.reader.QueryContext(ctx, "SELECT name, label, value FROM counters")
	if err != nil {
		return nil, fmt.Errorf("cannot read the counters: %w", err)
	}
	defer rows.Close()
	all := map[Counter]map[string]uint64{}
	for rows.Next() {
		var name Counter
		var label string
		var value int64
		if err := rows.Scan(&name, &label, &value); err != nil {
			return nil, fmt.Errorf("cannot read the counters: %w", err)
		}
		if all[name] == nil {
			all[name] = map[string]uint64{}
		}
		all[name][label] = uint64(max(0, value))
	}
	return all, rows.Err()
}
