package auth

import "context"

// maxWaiting bounds how many wait for their password to be hashed.
const maxWaiting = 8

// slots lets one hash be made at a time: each takes 19 MiB, and a flood of
// logins must not take the machine.
type slots struct {
	waiting chan struct{} // those inside and those in the queue
	inside  chan struct{}
}

func newSlots() slots {
	return slots{make(chan struct{}, maxWaiting+1), make(chan struct{}, 1)}
}

// enter waits for its turn; false where the queue is full or ctx ended.
func (s slots) enter(ctx context.Context) (leave func(), ok bool) {
	select {
	case s.waiting <- struct{}{}:
	default:
		return nil, false
	}
	select {
	case s.inside <- struct{}{}:
		return func() { <-s.inside; <-s.waiting }, true
	case <-ctx.Done():
		<-s.waiting
		return nil, false
	}
}
