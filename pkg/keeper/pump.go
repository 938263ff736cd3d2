package keeper

import (
	"context"
	"errors"
	"io"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"clauster/pkg/bridge"
	"clauster/pkg/claude"
	"clauster/pkg/terminal"
)

// screenNews is what one piece of terminal output changed.
type screenNews struct {
	facts []claude.Fact
	state claude.ScreenState
}

// pump moves the terminal's output into the ring and has the screen read it.
// It is one goroutine; busy and wait are for others.
type pump struct {
	pty    *os.File
	ring   *terminal.Ring
	memo   *memo
	screen *claude.Screen
	news   chan<- screenNews
	event  func(line string) // gets each event line, once

	busySince atomic.Int64 // Unix nanoseconds, 0 while waiting
	broken    atomic.Bool  // it ended although the terminal lives: no watchdog any more
	columns   atomic.Int32 // of the terminal, as last set; 0 for unchanged

	mu      sync.Mutex
	changed chan struct{} // closed and replaced when the ring grew
	ended   bool
}

func newPump(k *keeper, mode bridge.Mode, news chan<- screenNews) *pump {
	_, cols := k.ring.Screen()
	if cols == 0 {
		cols = defaultCols
	}
	p := &pump{pty: k.pty, ring: k.ring, memo: k.memo, screen: claude.NewScreen(mode, int(cols)), news: news,
		changed: make(chan struct{})}
	p.remember()
	return p
}

// remember rebuilds the screen of a predecessor from the ring, silently: what
// was scanned was told.
func (p *pump) remember() {
	const back = 64 << 10
	upTo := p.memo.scanned()
	from := uint64(0)
	if upTo > back {
		from = upTo - back
	}
	buf := make([]byte, 4096)
	for from < upTo {
		n, lost := p.ring.ReadAt(buf[:min(uint64(len(buf)), upTo-from)], from)
		if n == 0 {
			return
		}
		p.screen.Feed(buf[:n], func(claude.Fact) {})
		from += lost + uint64(n)
	}
}

// run pumps until the terminal is hung up or ctx ends (with a past read
// deadline on the terminal).
func (p *pump) run(ctx context.Context) {
	buf := make([]byte, 4096)
	p.scan(ctx, buf) // what was recovered
	for ctx.Err() == nil {
		if err := p.read(); err != nil {
			hungUp := errors.Is(err, unix.EIO) || errors.Is(err, io.EOF) || errors.Is(err, os.ErrDeadlineExceeded)
			p.broken.Store(!hungUp)
			break
		}
		p.scan(ctx, buf)
	}
	p.busySince.Store(0)
	p.wake(ctx.Err() == nil)
}

func (p *pump) read() error {
	p.busySince.Store(0)
	raw, err := p.pty.SyscallConn()
	if err != nil {
		return err
	}
	var readErr error
	err = raw.Read(func(fd uintptr) bool {
		_, readErr = p.ring.ReadFrom(int(fd))
		return !errors.Is(readErr, unix.EAGAIN)
	})
	p.busySince.Store(time.Now().UnixNano())
	p.wake(false)
	return errors.Join(err, readErr)
}

// scan feeds the screen from where the last scan ended up to the head.
func (p *pump) scan(ctx context.Context, buf []byte) {
	if columns := p.columns.Swap(0); columns > 0 {
		p.screen.Resize(int(columns))
	}
	var facts []claude.Fact
	at := p.memo.scanned()
	for {
		n, lost := p.ring.ReadAt(buf, at)
		if n == 0 && lost == 0 {
			break
		}
		p.screen.Feed(buf[:n], func(f claude.Fact) {
			if f.Kind == claude.FactEvent {
				p.event(f.Text)
				return
			}
			facts = append(facts, f)
		})
		at += lost + uint64(n)
		p.memo.setScanned(at)
	}
	p.screen.Settle(func(f claude.Fact) { facts = append(facts, f) })
	if len(facts) == 0 {
		return
	}
	select {
	case p.news <- screenNews{facts, p.screen.State()}:
	case <-ctx.Done():
	}
}

// drain takes what is left in the terminal after the bridge's end, bounded:
// a leftover child may still write.
func (p *pump) drain(deadline time.Time) {
	p.pty.SetReadDeadline(deadline)
	for total := 0; total < 4*ringSize && time.Now().Before(deadline); {
		n, err := p.ring.ReadFrom(p.fd())
		if err != nil {
			break // EAGAIN: nothing is left; EIO: hung up
		}
		total += n
	}
	p.wake(true)
}

func (p *pump) fd() (fd int) {
	fd = -1
	if raw, err := p.pty.SyscallConn(); err == nil {
		_ = raw.Control(func(n uintptr) { fd = int(n) })
	}
	return fd
}

// busy is how long the pump has been at one piece of work.
func (p *pump) busy() time.Duration { return since(p.busySince.Load()) }

func since(unixNano int64) time.Duration {
	if unixNano == 0 {
		return 0
	}
	return time.Since(time.Unix(0, unixNano))
}

// more gives a channel that is closed when the ring has grown past offset, or
// the terminal has ended (then ended is true and nothing more will come).
func (p *pump) more(offset uint64) (changed <-chan struct{}, ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.ring.Head() > offset {
		now := make(chan struct{})
		close(now)
		return now, false
	}
	return p.changed, p.ended
}

func (p *pump) wake(ended bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	close(p.changed)
	p.changed = make(chan struct{})
	p.ended = p.ended || ended
}
