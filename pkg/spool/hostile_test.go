package spool

import (
	"bytes"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestRotatedFile(t *testing.T) {
	b := newBench(t, Options{})
	b.follow()
	b.write("one\n")
	b.expect("one")
	writer, err := os.OpenFile(b.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	if err := os.Rename(b.path, b.path+".1"); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintln(writer, "still the old one")
	b.expect("still the old one")
	fmt.Fprint(writer, "its last words")
	b.write("new\n")
	b.expect("its last words", "new")
	b.expectNotice(NoticeSwitched)
	b.write("newer\n")
	b.expect("newer")
}

func TestDeletedFile(t *testing.T) {
	b := newBench(t, Options{Tick: 10 * time.Millisecond})
	b.follow()
	b.write("one\n")
	b.expect("one")
	writer, err := os.OpenFile(b.path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer writer.Close()
	os.Remove(b.path)
	fmt.Fprintln(writer, "into the void")
	b.expect("into the void")
	b.write("back\n")
	b.expect("back")

	// the whole directory, as a user may in user mode
	os.RemoveAll(b.dir)
	rounds := 0
	b.until("a look at nothing", func() bool {
		if rounds == 0 {
			rounds = b.rounds
		}
		return b.rounds > rounds+2
	})
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b.write("home again\n")
	b.expect("home again")
}

// A keeper may be replaced while its spool is gone: it once died of that, eight
// times a second, for as long as the bridge lived.
func TestOpenWithoutDirectory(t *testing.T) {
	b := newBench(t, Options{Tick: 10 * time.Millisecond})
	os.RemoveAll(b.dir)
	b.open(Options{Tick: 10 * time.Millisecond})
	b.follow()
	if err := os.Mkdir(b.dir, 0o700); err != nil {
		t.Fatal(err)
	}
	b.write("home again\n")
	b.expect("home again")
}

func TestWhatIsNoFileIsRefused(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "secret")
	if err := os.WriteFile(secret, []byte("secret\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cases := map[string]func(path string) error{
		"symlink":  func(path string) error { return os.Symlink(secret, path) },
		"hardlink": func(path string) error { return os.Link(secret, path) },
		"fifo":     func(path string) error { return unix.Mkfifo(path, 0o600) },
		"dir":      func(path string) error { return os.Mkdir(path, 0o700) },
		"socket": func(path string) error {
			l, err := net.ListenUnix("unix", &net.UnixAddr{Name: path, Net: "unix"})
			if err == nil {
				l.SetUnlinkOnClose(false)
				l.Close()
			}
			return err
		},
		"foreign": func(path string) error {
			if os.Geteuid() != 0 {
				return os.Symlink(secret, path)
			}
			os.WriteFile(path, []byte("foreign\n"), 0o666)
			return os.Chown(path, 12345, 12345)
		},
	}
	for name, put := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t, Options{})
			b.follow()
			b.write("one\n")
			b.expect("one")
			if err := os.Remove(b.path); err != nil {
				t.Fatal(err)
			}
			if err := put(b.path); err != nil {
				t.Skip(err)
			}
			b.expectNotice(NoticeRefused)
			if err := os.RemoveAll(b.path); err != nil {
				t.Fatal(err)
			}
			b.write("two\n")
			b.expect("two")
		})
	}
	if got, _ := os.ReadFile(secret); string(got) != "secret\n" {
		t.Errorf("the linked file holds %q now", got)
	}
}

// The agent may hold a lease on its file, which makes every open of others wait
// or fail with EAGAIN.
func TestLeasedFileDoesNotBlock(t *testing.T) {
	b := newBench(t, Options{Tick: 10 * time.Millisecond})
	holder, err := os.OpenFile(b.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer holder.Close()
	if _, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_WRLCK); err != nil {
		t.Skip(err)
	}
	b.follow()
	b.expectNotice(NoticeRefused)
	if _, err := unix.FcntlInt(holder.Fd(), unix.F_SETLEASE, unix.F_UNLCK); err != nil {
		t.Fatal(err)
	}
	os.Chmod(b.path, 0o640) // any event wakes
	b.write("one\n")
	os.Chmod(b.path, 0o600)
	b.expect("one")
}

func TestUnreadableFile(t *testing.T) {
	if os.Geteuid() == 0 {
		t.Skip("root reads everything")
	}
	b := newBench(t, Options{})
	os.Chmod(b.path, 0)
	b.follow()
	b.expectNotice(NoticeRefused)
	os.Chmod(b.path, 0o600)
	b.write("one\n")
	b.expect("one")
}

func TestTruncatedFile(t *testing.T) {
	b := newBench(t, Options{})
	b.follow()
	b.write(strings.Repeat("0123456789abcde\n", 1000))
	b.until("lines", func() bool { return len(b.lines) == 1000 })
	b.note(func() { b.lines = nil })
	if err := os.Truncate(b.path, 0); err != nil {
		t.Fatal(err)
	}
	b.write("anew\n")
	b.expect("anew")
	b.expectNotice(NoticeTruncated)
	b.write("on\n")
	b.expect("on")
}

// A file of terabytes of nothing is passed over in one step.
func TestSparseFile(t *testing.T) {
	b := newBench(t, Options{})
	b.follow()
	b.write("one\nunfinished")
	b.expect("one")
	size := int64(1) << 60
	for os.Truncate(b.path, size) != nil {
		size >>= 1
	}
	b.write("two\nthree\n")
	b.until("the line after the hole", func() bool { return len(b.lines) > 0 && b.lines[len(b.lines)-1] == "three" })
	s := b.f.Stats()
	if s.Holes == 0 || s.Bytes > 1<<20 {
		t.Errorf("read %d bytes, jumped over %d holes of a file of %d", s.Bytes, s.Holes, size)
	}
	t.Logf("size %d: lines %.80q", size, b.lines)
	// and islands of data in it
	w, err := os.OpenFile(b.path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer w.Close()
	for i := range int64(300) {
		w.WriteAt([]byte("x\n"), size+(i+1)<<24)
	}
	b.write("four\n")
	b.until("the line after the islands", func() bool { return b.lines[len(b.lines)-1] == "four" })
	if s := b.f.Stats(); s.Holes < 300 || s.Bytes > 1<<27 {
		t.Errorf("stats %+v", s)
	}
}

// What is unread and too much is dropped unread, and said.
func TestBacklogIsBounded(t *testing.T) {
	b := newBench(t, Options{Backlog: 1 << 20})
	b.write(strings.Repeat(strings.Repeat("x", 99)+"\n", 40000))
	b.write("last\n")
	b.follow()
	b.until("the end", func() bool { return len(b.lines) > 0 && b.lines[len(b.lines)-1] == "last" })
	if len(b.lines) > 1<<20/100 {
		t.Errorf("%d lines of a dropped backlog", len(b.lines))
	}
	if len(b.lines[0]) != 99 {
		t.Errorf("reading went on inside a line: %q", b.lines[0])
	}
	b.expectNotice(NoticeBacklog)
}

// An agent that touches things without end does not set the pace.
func TestEventStormIsCoalesced(t *testing.T) {
	b := newBench(t, Options{})
	b.follow()
	began := time.Now()
	for i := 0; time.Since(began) < 400*time.Millisecond; i++ {
		os.WriteFile(filepath.Join(b.dir, fmt.Sprint("other", i%10)), nil, 0o600)
		os.Remove(filepath.Join(b.dir, fmt.Sprint("other", i%10)))
		b.write("x\n")
	}
	b.stop()
	took := time.Since(began)
	if most := int(took/(10*time.Millisecond)) + 10; b.rounds > most {
		t.Errorf("%d looks in %v, want at most %d", b.rounds, took, most)
	}
}

// FuzzSplit appends pieces and compares what is handed on with the plain rule.
func FuzzSplit(f *testing.F) {
	f.Add([]byte("one\ntwo\n\nthree"), uint16(3), uint16(5))
	f.Add([]byte("\x00\x00a\x00b\x00\n"), uint16(1), uint16(2))
	f.Add(bytes.Repeat([]byte("0123456789\n"), 20), uint16(7), uint16(9000))
	f.Fuzz(func(t *testing.T, piece []byte, step, times uint16) {
		content := bytes.Repeat(piece, 1+int(times)%4000)
		if len(content) > 1<<20 {
			content = content[:1<<20]
		}
		fd, err := unix.MemfdCreate("spool", unix.MFD_CLOEXEC)
		if err != nil {
			t.Fatal(err)
		}
		var got [][]byte
		fl := &Follower{dir: -1, fd: fd, buf: make([]byte, smallBuffer)}
		fl.opt.settle()
		fl.opt.Handle = func(line []byte) { got = append(got, bytes.Clone(line)) }
		defer unix.Close(fd)
		for rest := content; len(rest) > 0; {
			n := min(len(rest), 1+int(step)*16)
			unix.Pwrite(fd, rest[:n], int64(len(content)-len(rest)))
			rest = rest[n:]
			for fl.batch(len(rest) == 0) {
			}
		}
		want := bytes.Split(content, []byte("\n"))
		if len(want[len(want)-1]) == 0 {
			want = want[:len(want)-1]
		}
		if len(got) != len(want) {
			t.Fatalf("%d lines, want %d", len(got), len(want))
		}
		for i := range want {
			w := want[i]
			if len(w) > MaxLine {
				w = w[:MaxLine]
			}
			if !bytes.Equal(got[i], bytes.Trim(w, "\x00")) {
				t.Fatalf("line %d is %.80q, want %.80q", i, got[i], w)
			}
		}
	})
}
