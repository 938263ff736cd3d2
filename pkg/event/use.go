package event

import "context"

// use is what a process must not leave for want of work in the midst of.
type use struct {
	caught   bool          // history was read
	asked    bool          // a nudge waits
	hurrying bool          // the journal is read after one
	pending  int           // items that are not stored
	over     chan struct{} // closed at Run's end
	ended    bool
}

// Busy reports whether there is an event on its way, or may be: a nudge that
// was not followed by its reads, history that is not read to its end, entries
// that are not stored. What it says is over is stored: ask for what the events
// caused after it, not before. Without a Run that goes on it is not busy.
func (i *Ingester) Busy() bool {
	i.mu.Lock()
	defer i.mu.Unlock()
	u := i.use
	return !u.ended && (!u.caught || u.asked || u.hurrying || u.pending > 0)
}

// Look reads the journal to its end, for who is about to leave. journald tells
// the follower of entries a quarter of a second after they were written, and
// nobody would be told of them when it is gone. What was found is on its way
// when Look returns: Busy tells when it is stored.
func (i *Ingester) Look(ctx context.Context) error {
	i.mu.Lock()
	over := i.use.over
	i.mu.Unlock()
	answer := make(chan error, 1)
	select {
	case i.looks <- answer:
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
	select {
	case err := <-answer:
		return err
	case <-over:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// end says that nothing is under way any more.
func (i *Ingester) end() {
	i.update(func(*State) {
		i.use.ended = true
		close(i.use.over)
	})
}
