package fleet

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"slices"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/records"
)

// watchRecords reads the records that are written or removed.
func (t *Table) watchRecords(ctx context.Context) {
	for pause := time.Second; ; pause = min(2*pause, time.Minute) {
		err := t.opt.Place.Records.Watch(ctx, t.reloadRecords, t.reloadRecord)
		if ctx.Err() != nil {
			return
		}
		if !errors.Is(err, fs.ErrNotExist) { // in user mode the first start makes it
			t.opt.Log.Warn("cannot watch the launch records; trying again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
	}
}

func (t *Table) reloadRecords() {
	all, broken, err := t.opt.Place.recorded()
	for _, fault := range append(slices.Collect(maps.Values(broken)), err) {
		if fault != nil {
			t.opt.Log.Warn("cannot use a launch record", "error", fault)
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	for i := range all {
		t.row(i)
	}
	for i := range broken {
		t.row(i)
	}
	for _, i := range slices.Clone(t.names) {
		rec, ok := all[i]
		t.recorded(i, rec, ok, broken[i])
	}
}

func (t *Table) reloadRecord(i bridge.Instance) {
	rec, err := t.opt.Place.Records.Read(i)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.opt.Log.Warn("cannot use a launch record", "error", err)
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	var broken *records.BrokenError
	if errors.As(err, &broken) || err == nil {
		t.row(i)
	}
	if broken != nil {
		t.recorded(i, rec, false, broken)
		return
	}
	t.recorded(i, rec, err == nil, nil)
}

func (t *Table) recorded(i bridge.Instance, rec bridge.Record, ok bool, broken error) {
	if t.touched != nil {
		t.touched[i] = true
	}
	if r := t.rows[i]; r != nil {
		r.setRecord(rec, ok, broken)
		t.show(r)
	}
}
