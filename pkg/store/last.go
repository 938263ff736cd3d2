package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"

	"clauster/pkg/wire"
)

// LastLifeEvents gives the newest spawn, ready, stop, crash or error of each
// instance; those without one are left out.
func (s *Store) LastLifeEvents(ctx context.Context, instances []string) (map[string]wire.Event, error) {
	find, err := s.reader.PrepareContext(ctx, `SELECT seq, id, at, kind, run, status, message, fields FROM events
		WHERE instance = ? AND kind IN ('spawn', 'ready', 'stop', 'crash', 'error') ORDER BY seq DESC LIMIT 1`)
	if err != nil {
		return nil, s.note(wrap("cannot read last events", err))
	}
	defer find.Close()
	last := make(map[string]wire.Event, len(instances))
	for _, i := range instances {
		e := wire.Event{Host: s.Host, Instance: i}
		var at int64
		var fields string
		err := find.QueryRowContext(ctx, i).Scan(&e.Seq, &e.ID, &at, &e.Kind, &e.Run, &e.Status, &e.Message, &fields)
		if errors.Is(err, sql.ErrNoRows) {
			continue
		}
		if err == nil {
			err = json.Unmarshal([]byte(fields), &e.Fields)
		}
		if err != nil {
			return nil, s.note(wrap("cannot read last events", err))
		}
		e.At = wire.Time{Time: moment(at)}
		last[i] = e
	}
	return last, nil
}
