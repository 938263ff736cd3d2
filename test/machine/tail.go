package machine

import (
	"bytes"
	"runtime"
	"sync"
)

// tail is a writer that keeps the last 8 KiB. Safe for concurrent use.
type tail struct {
	mu  sync.Mutex
	buf []byte
}

const tailSize = 8 << 10

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.buf = append(t.buf, p...)
	if len(t.buf) > 2*tailSize {
		t.buf = append(t.buf[:0], t.buf[len(t.buf)-tailSize:]...)
	}
	return len(p), nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.buf[max(0, len(t.buf)-tailSize):])
}

// buffer is a bytes.Buffer that may be read while a process still writes.
type buffer struct {
	mu  sync.Mutex
	buf bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.buf.String()
}

// lockThread ties the calling goroutine to its thread until the goroutine
// ends. A child started with Pdeathsig dies with the *thread* that started
// it: Go retires idle threads, and a child once died in the middle of a test
// for that. The goroutine must outlive the child.
func lockThread() { runtime.LockOSThread() }
