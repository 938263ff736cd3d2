package keeper

import (
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math"
	"sync"
	"sync/atomic"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"clauster/pkg/spool"
)

// memo is the keeper's memory across its own death: a memfd in systemd's fd
// store, so no file that an agent could write and no path at all. It holds one
// JSON document in two slots (the other slot is written first, then the header
// flips: a SIGKILL at any instant leaves the old or the new one whole) and two
// counters that change too often for JSON.
//
// One goroutine at a time calls save; the counters are atomic.
type memo struct {
	mu  sync.Mutex
	fd  int
	mem []byte
}

// Layout of the memfd. Words are native-endian: it never leaves the host.
const (
	memoMagic  = 0x636c757374657201 // "cluster" + layout version 1
	memoSlot   = 64 << 10
	memoHeader = 4096
	memoSize   = memoHeader + 2*memoSlot
	offMagic   = 0
	offActive  = 8  // uint32: slot in force
	offLen     = 12 // 2 × uint32
	offSpool   = 24 // 2 × uint64 with offInode: debug file consumed up to here
	offInode   = 40
	offScanned = 32 // uint64: ring scanned for event lines up to here
	offBudgets = 48 // 2 × (uint64: tokens as a float's bits, int64: Unix nanoseconds)
)

// memoBudgets is how many line budgets survive a keeper.
const memoBudgets = 2

// newMemo makes an empty memo.
func newMemo() (*memo, error) {
	fd, err := unix.MemfdCreate("clauster-state", unix.MFD_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("cannot make the state memory: %w", err)
	}
	if err := unix.Ftruncate(fd, memoSize); err != nil {
		unix.Close(fd)
		return nil, fmt.Errorf("cannot size the state memory: %w", err)
	}
	m, err := mapMemo(fd)
	if err != nil {
		unix.Close(fd)
		return nil, err
	}
	binary.NativeEndian.PutUint64(m.mem[offMagic:], memoMagic)
	return m, nil
}

// openMemo maps a memo that came out of the fd store or through a reload.
// It takes over fd on success only.
func openMemo(fd int) (*memo, error) {
	var st unix.Stat_t
	if err := unix.Fstat(fd, &st); err != nil {
		return nil, fmt.Errorf("cannot look at the state memory: %w", err)
	}
	if st.Size != memoSize {
		return nil, fmt.Errorf("cannot use the state memory: it holds %d bytes, not %d", st.Size, memoSize)
	}
	m, err := mapMemo(fd)
	if err != nil {
		return nil, err
	}
	if binary.NativeEndian.Uint64(m.mem[offMagic:]) != memoMagic {
		_ = unix.Munmap(m.mem)
		return nil, fmt.Errorf("cannot use the state memory: it has another layout")
	}
	return m, nil
}

func mapMemo(fd int) (*memo, error) {
	mem, err := unix.Mmap(fd, 0, memoSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	if err != nil {
		return nil, fmt.Errorf("cannot map the state memory: %w", err)
	}
	return &memo{fd: fd, mem: mem}, nil
}

func (m *memo) word32(off int) *uint32 { return (*uint32)(unsafe.Pointer(&m.mem[off])) }
func (m *memo) word64(off int) *uint64 { return (*uint64)(unsafe.Pointer(&m.mem[off])) }

// save writes v as the document in force.
func (m *memo) save(v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return fmt.Errorf("cannot encode the state: %w", err)
	}
	if len(data) > memoSlot {
		return fmt.Errorf("cannot keep the state: it grew to %d bytes", len(data))
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	slot := 1 - atomic.LoadUint32(m.word32(offActive))&1
	copy(m.mem[memoHeader+int(slot)*memoSlot:], data)
	atomic.StoreUint32(m.word32(offLen+4*int(slot)), uint32(len(data)))
	atomic.StoreUint32(m.word32(offActive), slot)
	return nil
}

// load reads the document in force; found is false for a memo never saved.
func (m *memo) load(v any) (found bool, err error) {
	slot := int(atomic.LoadUint32(m.word32(offActive)) & 1)
	n := int(atomic.LoadUint32(m.word32(offLen + 4*slot)))
	if n == 0 {
		return false, nil
	}
	if n > memoSlot {
		return false, fmt.Errorf("cannot read the state: its length %d is impossible", n)
	}
	begin := memoHeader + slot*memoSlot
	if err := json.Unmarshal(m.mem[begin:begin+n], v); err != nil {
		return false, fmt.Errorf("cannot read the state: %w", err)
	}
	return true, nil
}

// spool and scanned survive the keeper more often than they can be JSON.
func (m *memo) spool() spool.Position {
	return spool.PositionOf(atomic.LoadUint64(m.word64(offInode)), atomic.LoadUint64(m.word64(offSpool)))
}

func (m *memo) setSpool(p spool.Position) {
	inode, offset := p.Words()
	atomic.StoreUint64(m.word64(offSpool), offset)
	atomic.StoreUint64(m.word64(offInode), inode)
}

func (m *memo) scanned() uint64         { return atomic.LoadUint64(m.word64(offScanned)) }
func (m *memo) setScanned(total uint64) { atomic.StoreUint64(m.word64(offScanned), total) }

// budget and setBudget keep how full the budgets of lines are. A death between
// the two words mixes two neighbouring states, which is good enough.
func (m *memo) budget(n int) (tokens float64, at time.Time) {
	ns := atomic.LoadUint64(m.word64(offBudgets + 16*n + 8))
	if ns == 0 {
		return 0, time.Time{}
	}
	return math.Float64frombits(atomic.LoadUint64(m.word64(offBudgets + 16*n))), time.Unix(0, int64(ns))
}

func (m *memo) setBudget(n int, tokens float64, at time.Time) {
	if at.IsZero() {
		return
	}
	atomic.StoreUint64(m.word64(offBudgets+16*n), math.Float64bits(tokens))
	atomic.StoreUint64(m.word64(offBudgets+16*n+8), uint64(at.UnixNano()))
}
