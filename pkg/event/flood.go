package event

import (
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
)

// Anyone may write a requested event about himself, so an agent can fill the
// journal, and with it our database, with them. What a uid other than root's
// and our own may have stored is limited, by the journal's times: one in ten
// seconds, and a burst that a person with many projects does not reach.
const (
	floodBurst = 1000
	floodEvery = 10 * time.Second
	floodUIDs  = 1024 // senders that are remembered
)

// flood limits requested events per sender.
type flood struct {
	exempt  map[int]bool
	senders map[int]*sender
}

type sender struct {
	room float64 // events that it may write at once
	last time.Time
}

func newFlood(own int) *flood {
	return &flood{exempt: map[int]bool{0: true, own: true}, senders: map[int]*sender{}}
}

// passes reports whether a trusted entry may be stored.
func (f *flood) passes(e journal.Entry) bool {
	if e.Event() != bridge.EventRequested {
		return true
	}
	uid := journal.RequesterOf(e).UID
	if f.exempt[uid] {
		return true
	}
	s := f.senders[uid]
	if s == nil {
		if len(f.senders) >= floodUIDs {
			clear(f.senders)
		}
		s = &sender{room: floodBurst, last: e.Time}
		f.senders[uid] = s
	}
	if passed := e.Time.Sub(s.last); passed > 0 {
		s.room = min(floodBurst, s.room+passed.Seconds()/floodEvery.Seconds())
		s.last = e.Time
	}
	if s.room < 1 {
		return false
	}
	s.room--
	return true
}
