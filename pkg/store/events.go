package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"clauster/pkg/wire"
)

// MaxPage bounds a page of events.
const MaxPage = 500

// ErrNoEvent means that no event has this id.
var ErrNoEvent = errors.New("there is no such event")

// Position is where the journal was read to; the zero value is its beginning.
type Position struct {
	Cursor string
	At     time.Time // of that entry
}

// Position gives where the journal was read to.
func (s *Store) Position(ctx context.Context) (Position, error) {
	var p Position
	var at int64
	err := s.reader.QueryRowContext(ctx, "SELECT cursor, at FROM journal").Scan(&p.Cursor, &at)
	if errors.Is(err, sql.ErrNoRows) {
		return p, nil
	}
	p.At = moment(at)
	return p, s.note(wrap("cannot read the journal's position", err))
}

// AddEvents stores the events whose id is not known yet, and the position in
// the journal that they lead to, in one transaction. each, where it is set, is
// called in that transaction for every new event, with its Seq; its error
// undoes all. The new events are given back.
func (s *Store) AddEvents(ctx context.Context, events []wire.Event, to Position, each func(tx *sql.Tx, e wire.Event) error) ([]wire.Event, error) {
	var added []wire.Event
	err := s.Write(ctx, func(tx *sql.Tx) error {
		added = added[:0]
		// Not ON CONFLICT DO NOTHING: that uses up a seq for every repeat.
		insert, err := tx.PrepareContext(ctx, `INSERT INTO events (id, at, kind, instance, project, label, run, status, message, fields)
			SELECT ?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10 WHERE NOT EXISTS (SELECT 1 FROM events WHERE id = ?1) RETURNING seq`)
		if err != nil {
			return wrap("cannot store events", err)
		}
		defer insert.Close()
		for _, e := range events {
			isNew, err := s.addEvent(ctx, tx, insert, &e)
			if err != nil {
				return err
			}
			if !isNew {
				continue
			}
			e.Host = s.Host
			if each != nil {
				if err := each(tx, e); err != nil {
					return err
				}
			}
			added = append(added, e)
		}
		return setPosition(ctx, tx, to)
	})
	if err != nil {
		return nil, err
	}
	return added, nil
}

func (s *Store) addEvent(ctx context.Context, tx *sql.Tx, insert *sql.Stmt, e *wire.Event) (isNew bool, err error) {
	fields := []byte("{}")
	if len(e.Fields) > 0 {
		if fields, err = json.Marshal(e.Fields); err != nil {
			return false, wrap("cannot encode the fields of event "+e.ID, err)
		}
	}
	err = insert.QueryRowContext(ctx, e.ID, stamp(e.At.Time), e.Kind, e.Instance, e.Project, e.Label, e.Run, e.Status, e.Message, string(fields)).Scan(&e.Seq)
	if errors.Is(err, sql.ErrNoRows) {
		return false, nil // known
	}
	if err != nil {
		return false, wrap("cannot store event "+e.ID, err)
	}
	return true, s.countEvent(ctx, tx, e.Kind, e.Project, e.Fields)
}

func setPosition(ctx context.Context, tx *sql.Tx, p Position) error {
	query, args := "INSERT INTO journal (one, cursor, at) VALUES (1, ?, ?) ON CONFLICT (one) DO UPDATE SET cursor = excluded.cursor, at = excluded.at",
		[]any{p.Cursor, stamp(p.At)}
	if p.Cursor == "" {
		query, args = "DELETE FROM journal", nil
	}
	_, err := tx.ExecContext(ctx, query, args...)
	return wrap("cannot store the journal's position", err)
}

// EventQuery selects events; the zero value of a field selects all.
type EventQuery struct {
	Kinds             []string
	Instance, Project string
	Since, Until      time.Time // at or after; before
	After, Before     int64     // seq, both exclusive
	Ascending         bool      // oldest first; else newest first
	Limit             int       // at most MaxPage, which 0 means too
}

// Events gives a page of events.
func (s *Store) Events(ctx context.Context, q EventQuery) ([]wire.Event, error) {
	where, args := q.where()
	order := " ORDER BY seq DESC LIMIT ?"
	if q.Ascending {
		order = " ORDER BY seq LIMIT ?"
	}
	limit := q.Limit
	if limit <= 0 || limit > MaxPage {
		limit = MaxPage
	}
	rows, err := s.reader.QueryContext(ctx, "SELECT seq, id, at, kind, instance, project, label, run, status, message, fields FROM events"+where+order, append(args, limit)...)
	if err != nil {
		return nil, s.note(wrap("cannot read events", err))
	}
	defer rows.Close()
	page := []wire.Event{}
	for rows.Next() {
		e := wire.Event{Host: s.Host}
		var at int64
		var fields string
		if err := rows.Scan(&e.Seq, &e.ID, &at, &e.Kind, &e.Instance, &e.Project, &e.Label, &e.Run, &e.Status, &e.Message, &fields); err != nil {
			return nil, s.note(wrap("cannot read events", err))
		}
		e.At = wire.Time{Time: moment(at)}
		if fields != "{}" {
			if err := json.Unmarshal([]byte(fields), &e.Fields); err != nil {
				return nil, wrap("cannot read the fields of event "+e.ID, err)
			}
		}
		page = append(page, e)
	}
	return page, s.note(wrap("cannot read events", rows.Err()))
}

func (q EventQuery) where() (string, []any) {
	var terms []string
	var args []any
	add := func(term string, values ...any) {
		terms, args = append(terms, term), append(args, values...)
	}
	if len(q.Kinds) > 0 {
		kinds := make([]any, len(q.Kinds))
		for i, k := range q.Kinds {
			kinds[i] = k
		}
		add("kind IN (?"+strings.Repeat(", ?", len(kinds)-1)+")", kinds...)
	}
	if q.Instance != "" {
		add("instance = ?", q.Instance)
	}
	if q.Project != "" {
		add("project = ?", q.Project)
	}
	if !q.Since.IsZero() {
		add("at >= ?", stamp(q.Since))
	}
	if !q.Until.IsZero() {
		add("at < ?", stamp(q.Until))
	}
	if q.After > 0 {
		add("seq > ?", q.After)
	}
	if q.Before > 0 {
		add("seq < ?", q.Before)
	}
	if len(terms) == 0 {
		return "", nil
	}
	return " WHERE " + strings.Join(terms, " AND "), args
}

// EventSeq finds an event's place by its id; ErrNoEvent where there is none.
func (s *Store) EventSeq(ctx context.Context, id string) (int64, error) {
	var seq int64
	err := s.reader.QueryRowContext(ctx, "SELECT seq FROM events WHERE id = ?", id).Scan(&seq)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, ErrNoEvent
	}
	return seq, s.note(wrap("cannot look for event "+id, err))
}

// SeqBefore gives the place before the first event at or after a time: what a
// reader resumes from who knows only when it read last.
func (s *Store) SeqBefore(ctx context.Context, t time.Time) (int64, error) {
	var seq sql.NullInt64
	err := s.reader.QueryRowContext(ctx, "SELECT min(seq) FROM events WHERE at >= ?", stamp(t)).Scan(&seq)
	if err != nil {
		return 0, s.note(wrap("cannot look for events", err))
	}
	if !seq.Valid {
		return s.LastSeq(ctx)
	}
	return seq.Int64 - 1, nil
}

// LastSeq is the place of the newest event, 0 where there is none.
func (s *Store) LastSeq(ctx context.Context) (int64, error) {
	var seq sql.NullInt64
	err := s.reader.QueryRowContext(ctx, "SELECT max(seq) FROM events").Scan(&seq)
	return seq.Int64, s.note(wrap("cannot look for the newest event", err))
}

// pruneChunk bounds one transaction of DeleteEventsBefore, so that a new event
// waits for milliseconds only.
const pruneChunk = 2000

// DeleteEventsBefore deletes the oldest events before a time, at most a few
// thousand, and the finished deliveries of that age with them; more says that
// there are others. That they were deleted is
// remembered, so that no reading of the journal brings them back.
func (s *Store) DeleteEventsBefore(ctx context.Context, t time.Time) (deleted int64, more bool, err error) {
	err = s.Write(ctx, func(tx *sql.Tx) error {
		res, err := tx.ExecContext(ctx, "DELETE FROM events WHERE seq IN (SELECT seq FROM events WHERE at < ? ORDER BY at LIMIT ?)", stamp(t), pruneChunk)
		if err != nil {
			return wrap("cannot delete old events", err)
		}
		if deleted, err = res.RowsAffected(); err != nil {
			return wrap("cannot delete old events", err)
		}
		if more, err = pruneDeliveries(ctx, tx, t); err != nil {
			return err
		}
		return wrap("cannot note what was deleted", setMetaTime(ctx, tx, metaPruned, t))
	})
	return deleted, more || deleted == pruneChunk, err
}

// wrap adds what was tried to an error, and leaves nil alone.
func wrap(what string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", what, err)
}
