package fleet

import (
	"clauster/pkg/wire"
)

// Update is an instance that is shown differently now, or that is gone.
// Figures alone make no update.
type Update struct {
	wire.Instance
	Gone bool
}

// viewers are those who watch a table, under its lock.
type viewers map[chan Update]struct{}

// Subscribe gives all instances as they are and then, until cancel, what
// changes. The channel holds up to buffer updates; for a reader who does not
// keep up it is closed, and he subscribes anew. It is closed too when Run ends.
func (t *Table) Subscribe(buffer int) (now []wire.Instance, changes <-chan Update, cancel func()) {
	t.sample()
	t.mu.Lock()
	defer t.mu.Unlock()
	c := make(chan Update, buffer)
	if t.viewers == nil {
		t.viewers = viewers{}
	}
	t.viewers[c] = struct{}{}
	for _, i := range t.names {
		now = append(now, t.rows[i].shown.Instance)
	}
	return now, c, func() {
		t.mu.Lock()
		defer t.mu.Unlock()
		t.viewers.end(c)
	}
}

func (v viewers) tell(u Update) {
	for c := range v {
		select {
		case c <- u:
		default:
			v.end(c)
		}
	}
}

func (v viewers) end(c chan Update) {
	if _, ok := v[c]; ok {
		delete(v, c)
		close(c)
	}
}

func (v viewers) close() {
	for c := range v {
		v.end(c)
	}
}
