package terminal

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"sync/atomic"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Sizes of a ring. The data area is a power of two so that an absolute offset
// becomes a position by a mask.
const (
	DefaultRingSize = 256 << 10
	MinRingSize     = 16 << 10
	MaxRingSize     = 16 << 20

	ringWindow = 4096 // the most one ReadFrom takes, and what lies zeroed past the head
	ringHeader = 4096 // the first page of the memfd
)

// RingMarks is the number of words a ring keeps for its owner.
const RingMarks = 8

// The header page, in the machine's byte order: a memfd never leaves it.
const (
	ringMagic   = "clstring"
	ringVersion = 1

	atMagic   = 0  // 8 bytes
	atVersion = 8  // uint32
	atData    = 16 // uint64: size of the data area
	atHead    = 24 // uint64, atomic: bytes ever written
	atScreen  = 32 // uint32, atomic: rows<<16 | cols
	atMarks   = 64 // RingMarks × uint64, atomic
)

// maxHead keeps every sum of an offset and a size inside 64 bits.
const maxHead = 1 << 62

// Ring keeps the last bytes of a terminal in an mmap'ed memfd. The memfd stays
// in systemd's fd store, so that what an operator sees on attach, and the last
// screen of a bridge that died, survive the keeper.
//
// Bytes have absolute offsets: the first byte ever written is 0, Head is the
// offset of the next. Nothing here allocates but Tail.
//
// Concurrency: one writer (ReadFrom, Recover) at a time, in one process; any
// number of readers (Head, Oldest, ReadAt, Tail) beside it. The atomics are
// free for all. A reader takes no lock: it copies, then loads the head again
// and throws away what the writer may have touched meanwhile (a seqlock whose
// sequence is the head). While the published head is h the writer changes
// nothing but [h, h+4096), where it reads, and [h+4096, h+8192), which it
// zeroes: so a byte at or past h'+8192-size, h' loaded after the copy, is whole.
// Close must come after every other call has returned.
//
// Why the writer can die anywhere: the 4 KiB past the published head are zero
// whenever the head is published. read(2) fills them, what will be the next
// window is zeroed, then the head moves, in this order. A SIGKILL in between
// leaves the bytes, taken from the kernel for good, past the old head, where
// Recover finds them. Zeroing the window just before the read instead would
// let a kill in the middle of it pass off bytes of the last lap as new; reading
// into a buffer and copying lost lines outright.
type Ring struct {
	fd    int
	mem   []byte // header and data
	data  []byte
	mask  uint64
	head  *uint64
	fence atomic.Uint32
}

// NewRing makes a ring of the given data size: a power of two between
// MinRingSize and MaxRingSize. The memfd is close-on-exec and sealed against
// a change of its size, without which a foreign truncate would be our SIGBUS.
func NewRing(size int) (*Ring, error) {
	if !ringSizeOK(uint64(size)) {
		return nil, fmt.Errorf("cannot make terminal ring: %d bytes is not a power of two between %d and %d", size, MinRingSize, MaxRingSize)
	}
	fd, err := unix.MemfdCreate("clauster-ring", unix.MFD_CLOEXEC|unix.MFD_ALLOW_SEALING)
	if err != nil {
		return nil, fmt.Errorf("cannot make terminal ring: memfd_create: %w", err)
	}
	r, err := newRing(fd, size)
	if err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot make terminal ring: %w", err)
	}
	return r, nil
}

func newRing(fd, size int) (*Ring, error) {
	if err := unix.Ftruncate(fd, int64(ringHeader+size)); err != nil {
		return nil, fmt.Errorf("ftruncate: %w", err)
	}
	if _, err := unix.FcntlInt(uintptr(fd), unix.F_ADD_SEALS, unix.F_SEAL_SHRINK|unix.F_SEAL_GROW|unix.F_SEAL_SEAL); err != nil {
		return nil, fmt.Errorf("sealing: %w", err)
	}
	r, err := mapRing(fd, size)
	if err != nil {
		return nil, err
	}
	binary.NativeEndian.PutUint32(r.mem[atVersion:], ringVersion)
	binary.NativeEndian.PutUint64(r.mem[atData:], uint64(size))
	copy(r.mem[atMagic:], ringMagic)
	return r, nil
}

// OpenRing maps a ring that came back from the fd store and owns fd when it
// succeeds. The content is checked like any input: a memfd that is not a whole
// ring is refused, and a wild head can only show wrong bytes, never reach
// outside the mapping. Call Recover before the first ReadFrom.
func OpenRing(fd int) (*Ring, error) {
	r, err := openRing(fd)
	if err != nil {
		return nil, fmt.Errorf("cannot open terminal ring: %w", err)
	}
	return r, nil
}

func openRing(fd int) (*Ring, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("fstat: %w", err)
	}
	size := st.Size - ringHeader
	if st.Mode&unix.S_IFMT != unix.S_IFREG || size < 0 || !ringSizeOK(uint64(size)) {
		return nil, fmt.Errorf("it is no ring of a known size (%d bytes)", st.Size)
	}
	seals, err := unix.FcntlInt(uintptr(fd), unix.F_GET_SEALS, 0)
	if err != nil || seals&unix.F_SEAL_SHRINK == 0 {
		return nil, errors.New("it is not sealed against shrinking")
	}
	r, err := mapRing(fd, int(size))
	if err != nil {
		return nil, err
	}
	if err := r.check(uint64(size)); err != nil {
		unix.Munmap(r.mem)
		return nil, err
	}
	unix.CloseOnExec(fd)
	return r, nil
}

func (r *Ring) check(size uint64) error {
	switch version := binary.NativeEndian.Uint32(r.mem[atVersion:]); {
	case string(r.mem[atMagic:atMagic+len(ringMagic)]) != ringMagic:
		return errors.New("it does not begin like one")
	case version != ringVersion:
		return fmt.Errorf("its version %d is not known", version)
	case binary.NativeEndian.Uint64(r.mem[atData:]) != size:
		return errors.New("its size differs from what it says")
	case r.Head() > maxHead:
		return errors.New("its head is beyond every length")
	}
	return nil
}

func mapRing(fd, size int) (*Ring, error) {
	mem, err := unix.Mmap(fd, 0, ringHeader+size, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("mmap: %w", err)
	}
	return &Ring{
		fd:   fd,
		mem:  mem,
		data: mem[ringHeader:],
		mask: uint64(size) - 1,
		head: (*uint64)(unsafe.Pointer(&mem[atHead])),
	}, nil
}

func ringSizeOK(size uint64) bool {
	return size >= MinRingSize && size <= MaxRingSize && size&(size-1) == 0
}

// Fd is the memfd, for the fd store. The ring keeps owning it.
func (r *Ring) Fd() int { return r.fd }

// Close unmaps the ring and closes its memfd. No call may be under way, none
// may follow.
func (r *Ring) Close() error {
	err := unix.Munmap(r.mem)
	r.mem, r.data, r.head = nil, nil, nil
	return errors.Join(err, unix.Close(r.fd))
}

// Head is the number of bytes ever written: the offset of the next.
func (r *Ring) Head() uint64 { return atomic.LoadUint64(r.head) }

// Oldest is the offset of the oldest byte that can still be read.
func (r *Ring) Oldest() uint64 { return r.floor(r.Head()) }

// floor gives the oldest offset the writer cannot touch while head is published.
func (r *Ring) floor(head uint64) uint64 {
	size := uint64(len(r.data))
	if head+2*ringWindow <= size {
		return 0
	}
	return head + 2*ringWindow - size
}

// Capacity is how many of the last bytes the ring holds for readers.
func (r *Ring) Capacity() int { return len(r.data) - 2*ringWindow }

// ReadFrom does one read(2) of at most 4096 bytes from fd into the ring and
// publishes them. At the end of file it gives io.EOF; every other error is the
// bare errno of read(2): EAGAIN where fd does not block and has nothing (so it
// can be used inside syscall.RawConn.Read), EIO where a terminal was hung up.
// Only the one writer may call it.
func (r *Ring) ReadFrom(fd int) (int, error) {
	head := r.Head()
	pos := head & r.mask
	window := r.data[pos:min(pos+ringWindow, uint64(len(r.data)))]
	for {
		n, err := unix.Read(fd, window)
		switch {
		case err == unix.EINTR:
			continue
		case err != nil:
			return 0, err
		case n <= 0:
			return 0, io.EOF
		}
		r.publish(head, uint64(n))
		return n, nil
	}
}

// publish makes the n bytes past head readable, having zeroed what becomes the
// window past the new head.
func (r *Ring) publish(head, n uint64) {
	for from, end := head+ringWindow, head+ringWindow+n; from < end; {
		pos := from & r.mask
		part := r.data[pos:min(pos+end-from, uint64(len(r.data)))]
		clear(part)
		from += uint64(len(part))
	}
	// A swap, not a store: it also keeps the next read's bytes from being seen
	// before the head that allows them.
	atomic.SwapUint64(r.head, head+n)
}

// Recover publishes what a writer that was killed had read but not published,
// and gives its length (at most 4096). The new writer calls it once, before its
// first ReadFrom. NUL bytes at the very end of such a read cannot be told from
// nothing and are lost; a terminal ignores them.
func (r *Ring) Recover() int {
	head := r.Head()
	pos := head & r.mask
	window := r.data[pos:min(pos+ringWindow, uint64(len(r.data)))]
	n := len(window)
	for n > 0 && window[n-1] == 0 {
		n--
	}
	if n > 0 {
		r.publish(head, uint64(n))
	}
	return n
}

// ReadAt copies bytes from the absolute offset off into p. lost is how many
// bytes from off on were overwritten before they could be read: p[:n] begins at
// off+lost, and the next offset to read is off+lost+n. Both are 0 where off is
// at or past the head.
func (r *Ring) ReadAt(p []byte, off uint64) (n int, lost uint64) {
	start := off
	for {
		head := r.Head()
		off = max(off, r.floor(head))
		if off >= head || len(p) == 0 {
			if start >= head {
				return 0, 0
			}
			return 0, off - start
		}
		n = int(min(uint64(len(p)), head-off, uint64(r.Capacity())))
		r.copyOut(p[:n], off)
		// Orders the copy before the second load of the head; a plain atomic
		// load would let a weakly ordered machine copy after it.
		r.fence.Add(1)
		if over := r.floor(r.Head()); over > off {
			cut := over - off
			if cut >= uint64(n) {
				continue
			}
			copy(p, p[cut:n])
			n, off = n-int(cut), over
		}
		return n, off - start
	}
}

func (r *Ring) copyOut(p []byte, off uint64) {
	pos := off & r.mask
	n := copy(p, r.data[pos:])
	copy(p[n:], r.data)
}

// Tail gives a copy of the last n bytes, fewer where fewer were written or are
// kept, and the offset after them, where a follower goes on with ReadAt.
func (r *Ring) Tail(n int) (p []byte, next uint64) {
	head := r.Head()
	n = int(min(uint64(max(n, 0)), head-r.floor(head)))
	p = make([]byte, n)
	off := head - uint64(n)
	got, lost := r.ReadAt(p, off)
	return p[:got], off + lost + uint64(got)
}

// SetScreen records the size of the terminal, in cells, beside its bytes.
func (r *Ring) SetScreen(rows, cols uint16) {
	atomic.StoreUint32((*uint32)(unsafe.Pointer(&r.mem[atScreen])), uint32(rows)<<16|uint32(cols))
}

// Screen gives the size last recorded, 0×0 if none was.
func (r *Ring) Screen() (rows, cols uint16) {
	v := atomic.LoadUint32((*uint32)(unsafe.Pointer(&r.mem[atScreen])))
	return uint16(v >> 16), uint16(v)
}

// Mark gives word i (0 to RingMarks-1) of those the ring keeps for its owner:
// offsets that must survive the keeper with the ring, such as how far the
// terminal was scanned and the debug file consumed. Zero until set.
func (r *Ring) Mark(i int) uint64 { return atomic.LoadUint64(r.mark(i)) }

// SetMark sets word i.
func (r *Ring) SetMark(i int, v uint64) { atomic.StoreUint64(r.mark(i), v) }

func (r *Ring) mark(i int) *uint64 {
	marks := (*[RingMarks]uint64)(unsafe.Pointer(&r.mem[atMarks]))
	return &marks[i]
}
