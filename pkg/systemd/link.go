package systemd

import (
	"context"
	"errors"
	"sync"
)

// Link is a connection for a process that lives for months: it is made when
// first needed and again after it was lost, as when dbus was restarted. Its
// methods may be called from several goroutines.
type Link struct {
	Manager Manager

	mu  sync.Mutex
	bus *Bus
}

// Do calls f with a connection; a lost one is replaced and f called once more.
func (l *Link) Do(ctx context.Context, f func(*Bus) error) error {
	bus, err := l.get(ctx)
	if err != nil {
		return err
	}
	if err = f(bus); !errors.Is(err, ErrUnreachable) || ctx.Err() != nil {
		return err
	}
	l.drop(bus)
	if bus, err = l.get(ctx); err != nil {
		return err
	}
	return f(bus)
}

func (l *Link) get(ctx context.Context) (*Bus, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bus == nil {
		bus, err := Connect(ctx, l.Manager)
		if err != nil {
			return nil, err
		}
		l.bus = bus
	}
	return l.bus, nil
}

// drop forgets a connection that was lost, unless another goroutine has
// replaced it already.
func (l *Link) drop(lost *Bus) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bus == lost {
		l.bus.Close()
		l.bus = nil
	}
}

// Close ends the connection, if there is one.
func (l *Link) Close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.bus != nil {
		l.bus.Close()
		l.bus = nil
	}
}
