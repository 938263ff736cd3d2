package store

import (
	"context"

	"clauster/pkg/wire"
)

// Targets gives the health of every target that is known from a try or from
// deliveries, with what waits for it and what it never got.
func (s *Store) Targets(ctx context.Context) ([]wire.Target, error) {
	rows, err := s.reader.QueryContext(ctx, `
		SELECT channel, target, max(failures), max(success), max(failure), max(error), sum(waiting), sum(dead) FROM (
			SELECT channel, target, failures, success, failure, error, 0 AS waiting, 0 AS dead FROM targets
			UNION ALL
			SELECT channel, target, 0, 0, 0, '', count(*) FILTER (WHERE state = 'waiting'), count(*) FILTER (WHERE state = 'dead')
			FROM deliveries WHERE state IN ('waiting', 'dead') GROUP BY channel, target
		) GROUP BY channel, target ORDER BY channel, target`)
	if err != nil {
		return nil, s.note(wrap("cannot read the targets' health", err))
	}
	defer rows.Close()
	all := []wire.Target{}
	for rows.Next() {
		var t wire.Target
		var success, failure int64
		if err := rows.Scan(&t.Channel, &t.Target, &t.Failures, &success, &failure, &t.Error, &t.Waiting, &t.Dead); err != nil {
			return nil, s.note(wrap("cannot read the targets' health", err))
		}
		t.Healthy = t.Failures == 0
		t.LastSuccess, t.LastFailure = wire.Time{Time: moment(success)}, wire.Time{Time: moment(failure)}
		all = append(all, t)
	}
	return all, s.note(wrap("cannot read the outbox", rows.Err()))
}

// DeliveryCount is how many deliveries of a channel are in a state.
type DeliveryCount struct {
	Channel string
	State   wire.DeliveryState
	Count   int
}

// DeliveryCounts counts the deliveries by channel and state. Combinations that
// do not occur are left out.
func (s *Store) DeliveryCounts(ctx context.Context) ([]DeliveryCount, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT channel, state, count(*) FROM deliveries GROUP BY channel, state ORDER BY channel, state`)
	if err != nil {
		return nil, s.note(wrap("cannot count deliveries", err))
	}
	defer rows.Close()
	var all []DeliveryCount
	for rows.Next() {
		var c DeliveryCount
		if err := rows.Scan(&c.Channel, &c.State, &c.Count); err != nil {
			return nil, s.note(wrap("cannot count deliveries", err))
		}
		all = append(all, c)
	}
	return all, s.note(wrap("cannot read the outbox", rows.Err()))
}
