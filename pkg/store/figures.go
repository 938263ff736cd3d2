package store

import (
	"context"
	"fmt"
	"os"
	"time"

	"clauster/pkg/wire"
)

// Figures is what the store can say in numbers.
type Figures struct {
	Counters   map[Counter]map[string]uint64
	Deliveries []DeliveryCount
	Failing    int   // targets whose last attempt failed, configured or not
	Bytes      int64 // on disk, the log of writes included
}

// Figures reads them all; a few tenths of a millisecond.
func (s *Store) Figures(ctx context.Context) (Figures, error) {
	var f Figures
	if err := s.inPlace(); err != nil {
		return Figures{}, err
	}
	var err error
	if f.Counters, err = s.Counters(ctx); err != nil {
		return Figures{}, err
	}
	if f.Deliveries, err = s.DeliveryCounts(ctx); err != nil {
		return Figures{}, err
	}
	if err := s.reader.QueryRowContext(ctx, "SELECT count(*) FROM targets WHERE failures > 0").Scan(&f.Failing); err != nil {
		return Figures{}, fmt.Errorf("cannot count targets: %w", err)
	}
	for _, suffix := range [...]string{"", "-wal"} {
		if info, err := os.Stat(s.Path + suffix); err == nil {
			f.Bytes += info.Size()
		}
	}
	return f, nil
}

// EventCounts counts the stored events by kind since a moment.
func (s *Store) EventCounts(ctx context.Context, since time.Time) (map[string]int, error) {
	rows, err := s.reader.QueryContext(ctx, "SELECT kind, count(*) FROM events WHERE at >= ? GROUP BY kind", stamp(since))
	if err != nil {
		return nil, fmt.Errorf("cannot count events: %w", err)
	}
	defer rows.Close()
	counts := map[string]int{}
	for rows.Next() {
		var kind string
		var n int
		if err := rows.Scan(&kind, &n); err != nil {
			return nil, fmt.Errorf("cannot count events: %w", err)
		}
		counts[kind] = n
	}
	return counts, rows.Err()
}

// maxErrorCounts bounds the rows of APIErrors.
const maxErrorCounts = 10000

// APIErrors counts what the model API refused since a moment, by project and
// kind, the most frequent first.
func (s *Store) APIErrors(ctx context.Context, since time.Time) ([]wire.APIErrorCount, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT project, coalesce(fields ->> '$.cause', ''), count(*), max(at) FROM events
		WHERE kind = 'api_error' AND at >= ? GROUP BY 1, 2 ORDER BY 3 DESC, 1, 2 LIMIT ?`, stamp(since), maxErrorCounts)
	if err != nil {
		return nil, fmt.Errorf("cannot count API errors: %w", err)
	}
	defer rows.Close()
	counts := []wire.APIErrorCount{}
	for rows.Next() {
		var c wire.APIErrorCount
		var last int64
		if err := rows.Scan(&c.Project, &c.Kind, &c.Count, &last); err != nil {
			return nil, fmt.Errorf("cannot count API errors: %w", err)
		}
		c.Kind, c.Last = apiErrorKind(c.Kind), wire.Time{Time: moment(last)}
		counts = append(counts, c)
	}
	return counts, rows.Err()
}
