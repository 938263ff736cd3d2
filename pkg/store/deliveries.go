package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	"clauster/pkg/wire"
)

// ErrNoDelivery means that no delivery has this id.
var ErrNoDelivery = errors.New("no such delivery")

// DeliveryStateError is a wish that a delivery's state forbids.
type DeliveryStateError struct {
	ID    string
	State wire.DeliveryState
	Verb  string // retry, discard or cancel
	Hint  string
}

func (e *DeliveryStateError) Error() string {
	return fmt.Sprintf("cannot %s delivery %s: it is %s", e.Verb, e.ID, e.State)
}

// Outgoing is a delivery with what is to be sent.
type Outgoing struct {
	wire.Delivery
	Body string
}

// QueueDelivery puts a delivery into the outbox, within the transaction of its
// event. A second one of the same event to the same target is nothing.
func (s *Store) QueueDelivery(ctx context.Context, tx *sql.Tx, d Outgoing) error {
	_, err := tx.ExecContext(ctx, `INSERT INTO deliveries (id, event_id, event, instance, channel, target, body, state, created, updated, next)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (event_id, channel, target) DO NOTHING`,
		d.ID, d.EventID, d.Event, d.Instance, d.Channel, d.Target, d.Body, wire.DeliveryWaiting,
		stamp(d.Created.Time), stamp(d.Created.Time), stamp(d.Next.Time))
	return wrap("cannot queue a delivery", err)
}

// DueDeliveries gives what is due for a target, oldest first, and, where
// nothing is, when something will be (zero: never).
func (s *Store) DueDeliveries(ctx context.Context, channel, target string, now time.Time, limit int) (due []Outgoing, next time.Time, err error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT `+deliveryColumns+`, body FROM deliveries
		WHERE channel = ? AND target = ? AND state = 'waiting' AND next <= ? ORDER BY next, rowid LIMIT ?`, channel, target, stamp(now), limit)
	if err != nil {
		return nil, next, s.note(wrap("cannot read the outbox", err))
	}
	defer rows.Close()
	for rows.Next() {
		var o Outgoing
		if o.Delivery, err = s.scanDelivery(rows, &o.Body); err != nil {
			return nil, next, err
		}
		due = append(due, o)
	}
	if err := rows.Err(); err != nil {
		return nil, next, s.note(wrap("cannot read the outbox", err))
	}
	if len(due) > 0 {
		return due, next, nil
	}
	var us sql.NullInt64
	err = s.reader.QueryRowContext(ctx, `SELECT min(next) FROM deliveries WHERE channel = ? AND target = ? AND state = 'waiting'`, channel, target).Scan(&us)
	if err != nil {
		return nil, next, s.note(wrap("cannot read the outbox", err))
	}
	return nil, moment(us.Int64), nil
}

// WaitingTargets lists where deliveries wait to go, whether configured or not.
func (s *Store) WaitingTargets(ctx context.Context) ([]wire.Target, error) {
	rows, err := s.reader.QueryContext(ctx, `SELECT DISTINCT channel, target FROM deliveries WHERE state = 'waiting'`)
	if err != nil {
		return nil, s.note(wrap("cannot read the outbox", err))
	}
	defer rows.Close()
	var all []wire.Target
	for rows.Next() {
		var t wire.Target
		if err := rows.Scan(&t.Channel, &t.Target); err != nil {
			return nil, s.note(wrap("cannot read the outbox", err))
		}
		all = append(all, t)
	}
	return all, s.note(wrap("cannot read the outbox", rows.Err()))
}

// Attempt is how one try of a delivery ended.
type Attempt struct {
	ID    string
	State wire.DeliveryState // waiting, to be tried again at Next; delivered; dead
	Next  time.Time
	Code  int    // HTTP status, 0 for none
	Error string // redacted; "" for success
}

// EndAttempts writes how a try of deliveries to one target ended, and the
// target's health with it: all of them were one try. What a person has ended
// meanwhile stays as the person left it.
func (s *Store) EndAttempts(ctx context.Context, channel, target string, at time.Time, attempts []Attempt) error {
	return s.Write(ctx, func(tx *sql.Tx) error {
		failed := ""
		for _, a := range attempts {
			if a.Error != "" {
				failed = a.Error
			}
			_, err := tx.ExecContext(ctx, `UPDATE deliveries SET state = ?, attempts = attempts + 1, updated = ?, next = ?, code = ?, error = ?
				WHERE id = ? AND state = 'waiting'`, a.State, stamp(at), stamp(a.Next), a.Code, a.Error, a.ID)
			if err != nil {
				return wrap("cannot keep the result of a delivery", err)
			}
		}
		health := `INSERT INTO targets (channel, target, success) VALUES (?, ?, ?)
			ON CONFLICT DO UPDATE SET failures = 0, success = excluded.success, error = ''`
		args := []any{channel, target, stamp(at)}
		if failed != "" {
			health = `INSERT INTO targets (channel, target, failure, failures, error) VALUES (?, ?, ?, 1, ?)
				ON CONFLICT DO UPDATE SET failures = failures + 1, failure = excluded.failure, error = excluded.error`
			args = append(args, failed)
		}
		_, err := tx.ExecContext(ctx, health, args...)
		return wrap("cannot keep the health of a target", err)
	})
}

// AbandonDeliveries gives up what is due for a target that is no longer
// configured, and says when more of it will be (zero: never).
func (s *Store) AbandonDeliveries(ctx context.Context, channel, target string, now time.Time, reason string) (next time.Time, err error) {
	err = s.Write(ctx, func(tx *sql.Tx) error {
		_, err := tx.ExecContext(ctx, `UPDATE deliveries SET state = 'dead', updated = ?, next = 0, error = ?
			WHERE channel = ? AND target = ? AND state = 'waiting' AND next <= ?`, stamp(now), reason, channel, target, stamp(now))
		if err != nil {
			return wrap("cannot give up deliveries", err)
		}
		var us sql.NullInt64
		err = tx.QueryRowContext(ctx, `SELECT min(next) FROM deliveries WHERE channel = ? AND target = ? AND state = 'waiting'`, channel, target).Scan(&us)
		next = moment(us.Int64)
		return wrap("cannot read the outbox", err)
	})
	return next, err
}

// ChangeDelivery does what a person wants of one delivery. retry: a dead or
// cancelled one is tried anew, with all its retries, a waiting one at once.
// discard: a dead one is put aside. cancel: a waiting one is not tried again;
// a try that is under way is not called back. Anything else is a
// *DeliveryStateError.
func (s *Store) ChangeDelivery(ctx context.Context, id, verb string, now time.Time) (wire.Delivery, error) {
	var d wire.Delivery
	err := s.Write(ctx, func(tx *sql.Tx) error {
		var err error
		if d, err = s.scanDelivery(tx.QueryRowContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries WHERE id = ?`, id)); err != nil {
			return err
		}
		if err := changeState(&d, verb, now); err != nil {
			return err
		}
		d.Updated = wire.Time{Time: now}
		_, err = tx.ExecContext(ctx, `UPDATE deliveries SET state = ?, attempts = ?, next = ?, updated = ? WHERE id = ?`,
			d.State, d.Attempts, stamp(d.Next.Time), stamp(now), id)
		return wrap("cannot "+verb+" delivery "+id, err)
	})
	return d, err
}

// changeState is the table of what a person may do in which state.
func changeState(d *wire.Delivery, verb string, now time.Time) error {
	refuse := func(hint string) error {
		return &DeliveryStateError{ID: d.ID, State: d.State, Verb: verb, Hint: hint}
	}
	switch verb {
	case "retry":
		switch d.State {
		case wire.DeliveryWaiting:
		case wire.DeliveryDead, wire.DeliveryCancelled:
			d.Attempts = 0
		default:
			return refuse("only a dead, a cancelled or a waiting delivery can be tried again")
		}
		d.State, d.Next = wire.DeliveryWaiting, wire.Time{Time: now}
	case "discard":
		switch d.State {
		case wire.DeliveryDead:
		case wire.DeliveryWaiting:
			return refuse("clauster-ctl deliveries cancel " + d.ID)
		default:
			return refuse("only a dead delivery can be discarded")
		}
		d.State, d.Next = wire.DeliveryDiscarded, wire.Time{}
	case "cancel":
		if d.State != wire.DeliveryWaiting {
			return refuse("only a waiting delivery can be cancelled")
		}
		d.State, d.Next = wire.DeliveryCancelled, wire.Time{}
	default:
		return fmt.Errorf("cannot %s a delivery: no such verb", verb)
	}
	return nil
}

// pruneDeliveries forgets some of what was finished before a time, in the
// transaction that forgets events; more tells to do it again. Waiting ones stay
// whatever their age.
func pruneDeliveries(ctx context.Context, tx *sql.Tx, t time.Time) (more bool, err error) {
	res, err := tx.ExecContext(ctx, `DELETE FROM deliveries WHERE id IN (SELECT id FROM deliveries WHERE state <> 'waiting' AND updated < ? LIMIT ?)`,
		stamp(t), pruneChunk)
	if err != nil {
		return false, wrap("cannot delete old deliveries", err)
	}
	deleted, err := res.RowsAffected()
	if err != nil {
		return false, wrap("cannot delete old deliveries", err)
	}
	_, err = tx.ExecContext(ctx, `DELETE FROM targets WHERE max(success, failure) < ? AND NOT EXISTS
		(SELECT 1 FROM deliveries d WHERE d.channel = targets.channel AND d.target = targets.target)`, stamp(t))
	return deleted == pruneChunk, wrap("cannot delete old targets", err)
}

// DeliveryFilter selects deliveries; zero fields select all.
type DeliveryFilter struct {
	State          wire.DeliveryState
	Channel        string
	Target         string
	Event, EventID string
	Before         string // id: only older ones
	Limit          int
}

// Deliveries gives a page, newest first.
func (s *Store) Deliveries(ctx context.Context, f DeliveryFilter) ([]wire.Delivery, error) {
	var where []string
	var args []any
	for _, c := range [...][2]string{{"state = ?", string(f.State)}, {"channel = ?", f.Channel}, {"target = ?", f.Target},
		{"event = ?", f.Event}, {"event_id = ?", f.EventID}, {"id < ?", f.Before}} {
		if c[1] != "" {
			where, args = append(where, c[0]), append(args, c[1])
		}
	}
	query := `SELECT ` + deliveryColumns + ` FROM deliveries`
	if len(where) > 0 {
		query += ` WHERE ` + strings.Join(where, " AND ")
	}
	rows, err := s.reader.QueryContext(ctx, query+` ORDER BY id DESC LIMIT ?`, append(args, f.Limit)...)
	if err != nil {
		return nil, s.note(wrap("cannot read deliveries", err))
	}
	defer rows.Close()
	all := []wire.Delivery{}
	for rows.Next() {
		d, err := s.scanDelivery(rows)
		if err != nil {
			return nil, err
		}
		all = append(all, d)
	}
	return all, s.note(wrap("cannot read the outbox", rows.Err()))
}

// Delivery gives one by its id, ErrNoDelivery where there is none.
func (s *Store) Delivery(ctx context.Context, id string) (wire.Delivery, error) {
	return s.scanDelivery(s.reader.QueryRowContext(ctx, `SELECT `+deliveryColumns+` FROM deliveries WHERE id = ?`, id))
}

// DeliveriesWait reports whether any delivery waits.
func (s *Store) DeliveriesWait(ctx context.Context) (bool, error) {
	var wait bool
	err := s.reader.QueryRowContext(ctx, `SELECT EXISTS (SELECT 1 FROM deliveries WHERE state = 'waiting')`).Scan(&wait)
	if err != nil {
		return false, s.note(wrap("cannot read the outbox", err))
	}
	return wait, nil
}

const deliveryColumns = `id, event_id, event, instance, channel, target, state, attempts, created, updated, next, code, error`

// scanDelivery reads deliveryColumns, and what the query selects behind them.
func (s *Store) scanDelivery(row interface{ Scan(...any) error }, more ...any) (wire.Delivery, error) {
	d := wire.Delivery{Host: s.Host}
	var created, updated, next int64
	err := row.Scan(append([]any{&d.ID, &d.EventID, &d.Event, &d.Instance, &d.Channel, &d.Target, &d.State, &d.Attempts,
		&created, &updated, &next, &d.Code, &d.Error}, more...)...)
	if errors.Is(err, sql.ErrNoRows) {
		return d, ErrNoDelivery
	}
	if err != nil {
		return d, s.note(wrap("cannot read a delivery", err))
	}
	d.Created, d.Updated, d.Next = wire.Time{Time: moment(created)}, wire.Time{Time: moment(updated)}, wire.Time{Time: moment(next)}
	return d, nil
}
