package terminal

import (
	"bufio"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// ringWriterEnv turns the test binary into a keeper that pumps until killed:
// ring, output and notice pipe are its descriptors 3, 4 and 5.
const ringWriterEnv = "CLAUSTER_TEST_RING_WRITER"

// TestRingWriter is no test: it is the process that the next one kills.
func TestRingWriter(t *testing.T) {
	if os.Getenv(ringWriterEnv) == "" {
		t.Skip("runs as a child of TestRingSurvivesKills")
	}
	r, err := OpenRing(3)
	if err != nil {
		t.Fatal(err)
	}
	r.Recover()
	for {
		if _, err := r.ReadFrom(4); err != nil {
			return
		}
		if _, err := unix.Write(5, []byte{'.'}); err != nil {
			return
		}
	}
}

// The promise of the ring: a writer killed with SIGKILL at any moment, hundreds
// of times under output, loses no byte and doubles none.
func TestRingSurvivesKills(t *testing.T) {
	kills := 300
	if testing.Short() {
		kills = 40
	}
	t.Run("pipe", func(t *testing.T) {
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		killRingWriters(t, kills/2, r, w)
	})
	t.Run("terminal", func(t *testing.T) {
		master, slave := rawTerminal(t)
		killRingWriters(t, kills/2, master, slave)
	})
}

func killRingWriters(t *testing.T, kills int, out, in *os.File) {
	defer out.Close()
	r := newTestRing(t, MinRingSize)
	produced := make(chan uint64, 1)
	credit := make(chan int, 1024) // bytes the reader has seen: the producer never laps it
	go func() {
		defer in.Close()
		produced <- produceNumbers(in, credit, r.Capacity()-ringWindow)
	}()

	check := numberCheck{t: t, ring: r, credit: credit}
	recovered := 0
	for i := range kills {
		killOneWriter(t, r, out, &check)
		check.read()
		if n := r.Recover(); n > 0 { // the child would do it; here to count
			recovered++
		}
		check.read()
		if t.Failed() {
			t.Fatalf("after kill %d", i+1)
		}
	}
	close(credit)
	check.credit = nil
	drainRing(t, r, out, &check, produced)
	t.Logf("%d kills, %d of them between read and publish, %d numbers", kills, recovered, check.last)
}

// drainRing pumps what is left until the ring holds all that was produced.
func drainRing(t *testing.T, r *Ring, out *os.File, check *numberCheck, produced <-chan uint64) {
	fd := int(out.Fd())
	if err := unix.SetNonblock(fd, true); err != nil {
		t.Fatal(err)
	}
	total := ^uint64(0)
	for r.Head() < total && !t.Failed() {
		select {
		case total = <-produced:
		default:
		}
		if _, err := r.ReadFrom(fd); err != nil {
			runtime.Gosched()
		}
		check.read()
	}
	if r.Head() != total {
		t.Errorf("%d bytes arrived of %d", r.Head(), total)
	}
}

// killOneWriter starts a writer, lets it publish a random number of times,
// then kills it wherever it is.
func killOneWriter(t *testing.T, r *Ring, out *os.File, check *numberCheck) {
	t.Helper()
	notices, tell, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer notices.Close()
	cmd := exec.Command(os.Args[0], "-test.run=^TestRingWriter$")
	cmd.Env = append(os.Environ(), ringWriterEnv+"=1")
	ringFile, err := dupFile(r.Fd())
	if err != nil {
		t.Fatal(err)
	}
	cmd.ExtraFiles = []*os.File{ringFile, out, tell}
	err = cmd.Start()
	ringFile.Close()
	tell.Close()
	if err != nil {
		t.Fatal(err)
	}
	defer cmd.Wait()
	defer cmd.Process.Kill()
	in := bufio.NewReaderSize(notices, 16)
	for range 1 + rand.IntN(40) {
		if _, err := in.ReadByte(); err != nil {
			t.Errorf("the writer ended by itself: %v", err)
			return
		}
		check.read()
	}
	for until := time.Now().Add(time.Duration(rand.IntN(200)) * time.Microsecond); time.Now().Before(until); {
		check.read()
	}
}

func dupFile(fd int) (*os.File, error) {
	n, err := unix.FcntlInt(uintptr(fd), unix.F_DUPFD_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	return os.NewFile(uintptr(n), "dup"), nil
}

// produceNumbers writes 1, 2, 3 … a line each until credit is closed, at most
// ahead bytes more than it got credit for, and gives the number of bytes.
func produceNumbers(w *os.File, credit <-chan int, ahead int) uint64 {
	var line []byte
	var total uint64
	for n := 1; ; n++ {
		line = append(strconv.AppendInt(line[:0], int64(n), 10), '\n')
		for ahead < len(line) {
			more, ok := <-credit
			if !ok {
				return total
			}
			ahead += more
		}
		if _, err := w.Write(line); err != nil {
			return total
		}
		ahead -= len(line)
		total += uint64(len(line))
	}
}

// numberCheck reads the ring and checks that the numbers go on without a gap.
type numberCheck struct {
	t      *testing.T
	ring   *Ring
	credit chan<- int // nil once the producer was stopped
	off    uint64
	last   int
	part   []byte
}

func (c *numberCheck) read() {
	var p [4096]byte
	for {
		n, lost := c.ring.ReadAt(p[:], c.off)
		if lost > 0 {
			c.t.Errorf("the test's own reader lost %d bytes", lost)
		}
		if n == 0 || c.t.Failed() {
			return
		}
		c.off += uint64(n)
		c.take(p[:n])
		if c.credit == nil {
			continue
		}
		select {
		case c.credit <- n:
		default:
			c.t.Error("the producer takes no credit")
		}
	}
}

func (c *numberCheck) take(p []byte) {
	for _, b := range p {
		if b != '\n' {
			c.part = append(c.part, b)
			continue
		}
		if want := fmt.Sprint(c.last + 1); string(c.part) != want {
			c.t.Errorf("near offset %d: got %q, want %s", c.off, c.part, want)
			return
		}
		c.last++
		c.part = c.part[:0]
	}
}

// rawTerminal opens a PTY whose line discipline changes nothing.
func rawTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	fd, err := unix.Open("/dev/ptmx", unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skipf("no terminals here: %v", err)
	}
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join("/dev/pts", strconv.Itoa(number))
	slaveFd, err := unix.Open(path, unix.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Fatal(err)
	}
	mode, err := unix.IoctlGetTermios(slaveFd, unix.TCGETS)
	if err != nil {
		t.Fatal(err)
	}
	mode.Oflag &^= unix.OPOST
	mode.Lflag &^= unix.ECHO | unix.ICANON
	if err := unix.IoctlSetTermios(slaveFd, unix.TCSETS, mode); err != nil {
		t.Fatal(err)
	}
	return os.NewFile(uintptr(fd), "ptmx"), os.NewFile(uintptr(slaveFd), path)
}
