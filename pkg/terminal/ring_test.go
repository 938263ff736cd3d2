package terminal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"testing"

	"golang.org/x/sys/unix"
)

func newTestRing(t testing.TB, size int) *Ring {
	t.Helper()
	r, err := NewRing(size)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close() })
	return r
}

// feed puts p into the ring the way the pump does, through a descriptor.
func feed(t testing.TB, r *Ring, p []byte) {
	t.Helper()
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	defer unix.Close(fds[1])
	for len(p) > 0 {
		n, err := unix.Write(fds[1], p[:min(len(p), 4096)])
		if err != nil {
			t.Fatal(err)
		}
		for want := r.Head() + uint64(n); r.Head() < want; {
			if _, err := r.ReadFrom(fds[0]); err != nil {
				t.Fatal(err)
			}
		}
		p = p[n:]
	}
}

// pattern is a stream in which every byte tells its offset modulo 251.
func pattern(off uint64, n int) []byte {
	p := make([]byte, n)
	for i := range p {
		p[i] = byte((off+uint64(i))%251) + 1
	}
	return p
}

func TestRingKeepsTheLastBytes(t *testing.T) {
	r := newTestRing(t, MinRingSize)
	for total := uint64(0); total < 5*MinRingSize; {
		n := 1 + rand.IntN(5000)
		feed(t, r, pattern(total, n))
		total += uint64(n)
		if r.Head() != total {
			t.Fatalf("head %d, want %d", r.Head(), total)
		}
		tail, next := r.Tail(MaxRingSize)
		if next != total || uint64(len(tail)) != total-r.Oldest() {
			t.Fatalf("tail of %d ends at %d; head %d, oldest %d", len(tail), next, total, r.Oldest())
		}
		if !bytes.Equal(tail, pattern(total-uint64(len(tail)), len(tail))) {
			t.Fatalf("at head %d the tail is not what was written", total)
		}
	}
	if got := len(first(r.Tail(MaxRingSize))); got != r.Capacity() {
		t.Fatalf("a full ring gives %d bytes, want %d", got, r.Capacity())
	}
}

func first(p []byte, _ uint64) []byte { return p }

func TestRingReadAtTellsWhatWasLost(t *testing.T) {
	r := newTestRing(t, MinRingSize)
	feed(t, r, pattern(0, 3*MinRingSize))
	p := make([]byte, 100)
	n, lost := r.ReadAt(p, 10)
	if lost != r.Oldest()-10 || n != 100 || !bytes.Equal(p, pattern(r.Oldest(), 100)) {
		t.Fatalf("n %d lost %d, oldest %d", n, lost, r.Oldest())
	}
	for _, off := range []uint64{r.Head(), r.Head() + 1, 1 << 63, ^uint64(0)} {
		if n, lost := r.ReadAt(p, off); n != 0 || lost != 0 {
			t.Fatalf("at %d past the head: n %d lost %d", off, n, lost)
		}
	}
	if n, lost := r.ReadAt(p, r.Head()-7); n != 7 || lost != 0 {
		t.Fatalf("before the head: n %d lost %d", n, lost)
	}
}

func TestRingReadFromErrors(t *testing.T) {
	r := newTestRing(t, MinRingSize)
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC|unix.O_NONBLOCK); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	if _, err := r.ReadFrom(fds[0]); !errors.Is(err, unix.EAGAIN) {
		t.Errorf("empty: %v, want EAGAIN", err)
	}
	unix.Close(fds[1])
	if _, err := r.ReadFrom(fds[0]); err != io.EOF {
		t.Errorf("closed: %v, want EOF", err)
	}
}

func TestRingSurvivesItsMapping(t *testing.T) {
	r := newTestRing(t, MinRingSize)
	feed(t, r, pattern(0, 20000))
	r.SetScreen(40, 120)
	r.SetMark(0, 12345)
	r.SetMark(RingMarks-1, ^uint64(0))
	fd, err := unix.FcntlInt(uintptr(r.Fd()), unix.F_DUPFD, 0)
	if err != nil {
		t.Fatal(err)
	}
	again, err := OpenRing(fd)
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	if n := again.Recover(); n != 0 {
		t.Errorf("recovered %d bytes that nobody wrote", n)
	}
	rows, cols := again.Screen()
	if again.Head() != 20000 || rows != 40 || cols != 120 || again.Mark(0) != 12345 || again.Mark(RingMarks-1) != ^uint64(0) {
		t.Errorf("head %d, %d×%d, marks %d %d", again.Head(), rows, cols, again.Mark(0), again.Mark(RingMarks-1))
	}
	if tail, _ := again.Tail(8000); !bytes.Equal(tail, pattern(12000, 8000)) {
		t.Error("the bytes differ")
	}
	if flags, _ := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); flags&unix.FD_CLOEXEC == 0 {
		t.Error("the memfd would be inherited by the next child")
	}
}

// A kill may fall between any two steps of a read; each intermediate state is
// built by hand here, at many heads, and must come back whole.
func TestRingRecoversFromEveryStep(t *testing.T) {
	r := newTestRing(t, MinRingSize)
	for r.Head() < 4*MinRingSize {
		head := r.Head()
		pos := head & r.mask
		room := min(ringWindow, MinRingSize-int(pos))
		n := 1 + rand.IntN(room)
		copy(r.data[pos:], pattern(head, n)) // read(2) is done
		for i := range rand.IntN(n + 1) {    // and a part of the zeroing
			r.data[(head+ringWindow+uint64(i))&r.mask] = 0
		}
		if got := r.Recover(); got != n || r.Head() != head+uint64(n) {
			t.Fatalf("at %d: recovered %d, want %d", head, got, n)
		}
		if got := r.Recover(); got != 0 {
			t.Fatalf("at %d: a second recovery found %d more", head, got)
		}
		if tail, _ := r.Tail(n); !bytes.Equal(tail, pattern(head, n)) {
			t.Fatalf("at %d: wrong bytes", head)
		}
	}
}

// A reader beside a writer at full speed sees whole bytes or is told of a loss.
func TestRingReaderBesideWriter(t *testing.T) {
	r := newTestRing(t, MinRingSize)
	var fds [2]int
	if err := unix.Pipe2(fds[:], unix.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	defer unix.Close(fds[0])
	total := 200 * MinRingSize
	if testing.Short() {
		total /= 10
	}
	go func() {
		defer unix.Close(fds[1])
		for off := 0; off < total; {
			n, err := unix.Write(fds[1], pattern(uint64(off), min(4096, total-off)))
			if err != nil {
				return
			}
			off += n
		}
	}()
	done := make(chan struct{})
	go func() {
		defer close(done)
		for {
			if _, err := r.ReadFrom(fds[0]); err != nil {
				return
			}
		}
	}()
	p := make([]byte, 6000)
	var off, lostAll uint64
	for running := true; running || off < r.Head(); {
		select {
		case <-done:
			running = false
		default:
		}
		n, lost := r.ReadAt(p, off)
		if !bytes.Equal(p[:n], pattern(off+lost, n)) {
			t.Fatalf("%d bytes at %d (after %d lost) are torn", n, off+lost, lost)
		}
		off += lost + uint64(n)
		lostAll += lost
	}
	if off != uint64(total) {
		t.Fatalf("read up to %d, want %d", off, total)
	}
	t.Logf("%d bytes, %d lost to the slow reader", total, lostAll)
}

func TestOpenRingRefuses(t *testing.T) {
	good := func(t *testing.T) []byte {
		mem := make([]byte, ringHeader+MinRingSize)
		copy(mem, ringMagic)
		binary.NativeEndian.PutUint32(mem[atVersion:], ringVersion)
		binary.NativeEndian.PutUint64(mem[atData:], MinRingSize)
		return mem
	}
	cases := map[string]func([]byte) []byte{
		"empty":        func(b []byte) []byte { return nil },
		"no magic":     func(b []byte) []byte { b[0] = 'x'; return b },
		"newer":        func(b []byte) []byte { b[atVersion]++; return b },
		"other size":   func(b []byte) []byte { b[atData]++; return b },
		"wild head":    func(b []byte) []byte { binary.NativeEndian.PutUint64(b[atHead:], 1<<63); return b },
		"short":        func(b []byte) []byte { return b[:len(b)-1] },
		"header alone": func(b []byte) []byte { return b[:ringHeader] },
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			fd := sealedMemfd(t, spoil(good(t)))
			defer unix.Close(fd)
			if _, err := OpenRing(fd); err == nil {
				t.Error("it was taken")
			}
		})
	}
	t.Run("unsealed", func(t *testing.T) {
		fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
		if err != nil {
			t.Fatal(err)
		}
		defer unix.Close(fd)
		unix.Pwrite(fd, good(t), 0)
		if _, err := OpenRing(fd); err == nil {
			t.Error("it was taken")
		}
	})
	t.Run("no memfd", func(t *testing.T) {
		if _, err := OpenRing(0); err == nil {
			t.Error("standard input was taken")
		}
		if _, err := OpenRing(-1); err == nil {
			t.Error("no descriptor was taken")
		}
	})
	for _, size := range []int{-1, 0, 4096, MinRingSize + 1, 2 * MaxRingSize} {
		if _, err := NewRing(size); err == nil {
			t.Errorf("a ring of %d bytes was made", size)
		}
	}
}

func sealedMemfd(t testing.TB, content []byte) int {
	t.Helper()
	fd, err := unix.MemfdCreate("x", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := unix.Pwrite(fd, content, 0); err != nil {
		t.Fatal(err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW); err != nil {
		t.Fatal(err)
	}
	return fd
}

// FuzzOpenRing opens a memfd with a foreign header; whatever opens must be
// usable without leaving the mapping.
func FuzzOpenRing(f *testing.F) {
	head := make([]byte, 128)
	copy(head, ringMagic)
	binary.NativeEndian.PutUint32(head[atVersion:], ringVersion)
	binary.NativeEndian.PutUint64(head[atData:], MinRingSize)
	f.Add(head, uint64(0))
	binary.NativeEndian.PutUint64(head[atHead:], maxHead)
	f.Add(head, uint64(maxHead-5))
	f.Add([]byte(fmt.Sprintf("%s%s", ringMagic, "\x01")), ^uint64(0))
	f.Fuzz(func(t *testing.T, header []byte, off uint64) {
		content := make([]byte, ringHeader+MinRingSize)
		copy(content[:ringHeader], header)
		copy(content[ringHeader:], pattern(0, MinRingSize))
		fd := sealedMemfd(t, content)
		r, err := OpenRing(fd)
		if err != nil {
			unix.Close(fd)
			return
		}
		defer r.Close()
		r.Recover()
		p := make([]byte, 3*MinRingSize)
		for range 3 {
			if n, lost := r.ReadAt(p, off); n > r.Capacity() || off+lost+uint64(n) > max(r.Head(), off) {
				t.Fatalf("read %d, lost %d at %d of %d", n, lost, off, r.Head())
			}
			r.Tail(int(off))
			feed(t, r, []byte("more"))
		}
	})
}

func BenchmarkRingReadFrom(b *testing.B) {
	r := newTestRing(b, DefaultRingSize)
	zero, err := unix.Open("/dev/zero", unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer unix.Close(zero)
	b.SetBytes(ringWindow)
	b.ReportAllocs()
	for b.Loop() {
		if _, err := r.ReadFrom(zero); err != nil {
			b.Fatal(err)
		}
	}
}
