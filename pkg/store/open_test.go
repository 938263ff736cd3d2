package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"clauster/pkg/wire"
)

// later is a schema after the newest, for tests of migrations.
func later(n int) string { return fmt.Sprintf("CREATE TABLE later%d (x INTEGER) STRICT;\n", n) }

// openingOf opens with more schemas than there are.
func openingOf(t testing.TB, path string, more int) opening {
	t.Helper()
	all, err := schemas()
	if err != nil {
		t.Fatal(err)
	}
	for n := range more {
		all = append(all, later(n))
	}
	return opening{path: path, schemas: all, step: func(string) {}}
}

func testOpen(t testing.TB, path string) *Store {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Close() })
	return s
}

// fill stores n events.
func fill(t testing.TB, s *Store, n int) {
	t.Helper()
	for i := range n {
		if _, err := s.AddEvents(t.Context(), events("crash", fmt.Sprintf("filler-%d", i)), Position{}, nil); err != nil {
			t.Fatal(err)
		}
	}
}

func TestOpenMakesItPrivate(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clauster.db")
	s := testOpen(t, path)
	fill(t, s, 1)
	for _, suffix := range []string{"", "-wal", "-shm"} {
		info, err := os.Stat(path + suffix)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", suffix, info, err)
		}
	}
	if at, err := s.Created(t.Context()); err != nil || at.IsZero() {
		t.Errorf("created: %v, %v", at, err)
	}
	s.Close()
	if err := os.Chmod(path, 0o644); err != nil {
		t.Fatal(err)
	}
	testOpen(t, path)
	if info, _ := os.Stat(path); info.Mode().Perm() != 0o600 {
		t.Errorf("a readable database stays readable: %v", info.Mode())
	}
}

func TestMigrationKeepsSnapshots(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clauster.db")
	s := testOpen(t, path)
	fill(t, s, 3)
	s.Close()
	base := newestSchema()
	for more := 1; more <= 5; more++ {
		o := openingOf(t, path, more)
		s, err := o.open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	got := snapshots(path)
	if len(got) != keptSnapshots || got[0].version != base+5 || got[2].version != base+3 {
		t.Fatalf("%+v", got)
	}
	for _, snap := range got {
		if info, err := os.Stat(snap.path); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%v, %v", info, err)
		}
	}
	// A snapshot is a database of the version before, with what was in it.
	back := openingOf(t, got[0].path, 4)
	s, err := back.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	if page, err := s.Events(t.Context(), EventQuery{}); err != nil || len(page) != 3 {
		t.Fatalf("%v, %v", page, err)
	}
}

// refused opens and wants a refusal.
func refused(t *testing.T, path string, why Reason) *RefusedError {
	t.Helper()
	s, err := Open(t.Context(), path)
	if err == nil {
		s.Close()
	}
	var r *RefusedError
	if !errors.As(err, &r) || r.Reason != why {
		t.Fatalf("want %s: %v", why, err)
	}
	if r.Hint() == "" || !strings.HasPrefix(r.Error(), "cannot ") {
		t.Errorf("%q, hint %q", r.Error(), r.Hint())
	}
	return r
}

func TestRefusedNewer(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clauster.db")
	testOpen(t, path).Close()
	s, err := openingOf(t, path, 2).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	r := refused(t, path, Newer)
	if r.Have != newestSchema()+2 || r.Known != newestSchema() {
		t.Errorf("%+v", r)
	}
	if strings.Contains(r.Hint(), "cp -p") {
		t.Errorf("offers a snapshot that it cannot read either: %s", r.Hint())
	}
	// One version after the other leaves a snapshot that can be read here.
	path = filepath.Join(t.TempDir(), "clauster.db")
	testOpen(t, path).Close()
	for more := 1; more <= 2; more++ {
		s, err := openingOf(t, path, more).open(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		s.Close()
	}
	want := fmt.Sprintf("cp -p aside/clauster.db.before-v%d clauster.db", newestSchema()+1)
	if r := refused(t, path, Newer); !strings.Contains(r.Hint(), want) {
		t.Errorf("hint %q, want %q", r.Hint(), want)
	}
}

// The way back in a hint is followed by the shell, and then it opens.
func TestHintLeadsBack(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "clauster.db")
	s := testOpen(t, path)
	fill(t, s, 1)
	s.Close()
	if err := os.WriteFile(filepath.Join(dir, "systemctl"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	follow := func(hint string) {
		_, hint, _ = strings.Cut("x: "+strings.TrimPrefix(hint, "install the newer Clauster again, or: "), "x: ")
		if strings.Contains(hint, ".socket") {
			t.Errorf("%s: it opens a web door that was closed on purpose", hint)
		}
		cmd := exec.Command("sh", "-ec", hint)
		cmd.Env = append(os.Environ(), "PATH="+dir+":"+os.Getenv("PATH"))
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Fatalf("%s: %v\n%s", hint, err, out)
		}
	}
	s, err := openingOf(t, path, 1).open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	follow(refused(t, path, Newer).Hint())
	s = testOpen(t, path)
	if page, err := s.Events(t.Context(), EventQuery{}); err != nil || len(page) != 1 {
		t.Fatalf("the snapshot has lost its event: %v, %v", page, err)
	}
	s.Close()
	if err := os.WriteFile(path, []byte(strings.Repeat("not a database ", 1000)), 0o600); err != nil {
		t.Fatal(err)
	}
	follow(refused(t, path, Damaged).Hint())
	testOpen(t, path)
}

func TestRefusedDamaged(t *testing.T) {
	fresh := func(t *testing.T) string {
		path := filepath.Join(t.TempDir(), "clauster.db")
		s := testOpen(t, path)
		fill(t, s, 50)
		if err := s.Close(); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, damage := range map[string]func(data []byte) []byte{
		"text":      func([]byte) []byte { return []byte(strings.Repeat("hello\n", 2000)) },
		"short":     func([]byte) []byte { return []byte("x") },
		"truncated": func(d []byte) []byte { return d[:8192] },
		"schema":    func(d []byte) []byte { copy(d[100:4096], make([]byte, 3996)); return d },
		"pages": func(d []byte) []byte {
			for i := 4096; i < len(d); i++ {
				d[i] = 0xA5
			}
			return d
		},
	} {
		t.Run(name, func(t *testing.T) {
			path := fresh(t)
			data, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, damage(data), 0o600); err != nil {
				t.Fatal(err)
			}
			refused(t, path, Damaged)
		})
	}
	t.Run("foreign", func(t *testing.T) {
		path := filepath.Join(t.TempDir(), "clauster.db")
		db, err := connect(path, "rwc")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("CREATE TABLE photos (x)"); err != nil {
			t.Fatal(err)
		}
		db.Close()
		refused(t, path, Damaged)
	})
	t.Run("a table is missing", func(t *testing.T) {
		path := fresh(t)
		db, err := connect(path, "rw")
		if err != nil {
			t.Fatal(err)
		}
		if _, err := db.Exec("DROP TABLE deliveries"); err != nil {
			t.Fatal(err)
		}
		db.Close()
		refused(t, path, Damaged)
	})
	t.Run("a migration that does not fit", func(t *testing.T) {
		path := fresh(t)
		o := openingOf(t, path, 0)
		o.schemas = append(o.schemas, "ALTER TABLE nothing ADD COLUMN x;")
		var r *RefusedError
		if _, err := o.open(t.Context()); !errors.As(err, &r) {
			t.Fatal(err)
		}
		testOpen(t, path) // and nothing was changed
	})
}

func TestRefusedUnreadable(t *testing.T) {
	dir := t.TempDir()
	refused(t, filepath.Join(dir, "nowhere", "clauster.db"), Unreadable)
	refused(t, dir, Unreadable)
	link := filepath.Join(dir, "link.db")
	if err := os.Symlink(filepath.Join(dir, "clauster.db"), link); err != nil {
		t.Fatal(err)
	}
	refused(t, link, Unreadable)
	if os.Geteuid() == 0 {
		return // root may read everything; the rest is for CI's user and the machine
	}
	path := filepath.Join(dir, "clauster.db")
	testOpen(t, path).Close()
	if err := os.Chmod(path, 0); err != nil {
		t.Fatal(err)
	}
	refused(t, path, Unreadable)
}

// smallDisk gives a directory with room for one megabyte, and what takes all of
// it: a tmpfs of its own, so as root only.
func smallDisk(t *testing.T) (dir string, fill func() (ballast string)) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root to mount a small tmpfs")
	}
	dir = t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=1m"); err != nil {
		t.Skipf("cannot mount: %v", err)
	}
	t.Cleanup(func() { unix.Unmount(dir, unix.MNT_DETACH) })
	return dir, func() string {
		ballast := filepath.Join(dir, "ballast")
		if err := os.WriteFile(ballast, make([]byte, 2<<20), 0o600); !errors.Is(err, unix.ENOSPC) {
			t.Fatal(err)
		}
		return ballast
	}
}

// bigEvent is one that finds no room on a full disk.
func bigEvent() []wire.Event {
	big := events("crash", "big")
	big[0].Message = strings.Repeat("x", 300<<10)
	return big
}

// A disk without room.
func TestFullAndGoesOn(t *testing.T) {
	dir, fill := smallDisk(t)
	s := testOpen(t, filepath.Join(dir, "clauster.db"))
	ballast := fill()
	_, err := s.AddEvents(t.Context(), bigEvent(), Position{}, nil)
	var r *RefusedError
	if !errors.As(err, &r) || r.Reason != Full || s.Refused() == nil {
		t.Fatalf("%v; refused %v", err, s.Refused())
	}
	if _, err := s.Events(t.Context(), EventQuery{}); err != nil {
		t.Errorf("reading while full: %v", err)
	}
	refused(t, filepath.Join(dir, "other.db"), Full)
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	if added, err := s.AddEvents(t.Context(), events("crash", "small"), Position{}, nil); err != nil || len(added) != 1 || s.Refused() != nil {
		t.Fatalf("with room again: %v, %v, refused %v", added, err, s.Refused())
	}
}

// A page that breaks under a running store: the write is refused, and all
// later ones.
func TestDamageAtRuntime(t *testing.T) {
	path := filepath.Join(t.TempDir(), "clauster.db")
	s := testOpen(t, path)
	fill(t, s, 200)
	if _, err := s.writer.Exec("PRAGMA wal_checkpoint(TRUNCATE)"); err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	info, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	junk := make([]byte, info.Size()-4096)
	for i := range junk {
		junk[i] = 0xA5
	}
	if _, err := f.WriteAt(junk, 4096); err != nil {
		t.Fatal(err)
	}
	// Not closed before the end: see prepare.
	t.Cleanup(func() { f.Close() })
	if _, err := s.writer.Exec("PRAGMA shrink_memory"); err != nil {
		t.Fatal(err)
	}
	for n := range 20 { // until the pages in memory are used up
		_, err = s.AddEvents(t.Context(), events("stop", fmt.Sprint("after-", n)), Position{}, nil)
	}
	var r *RefusedError
	if !errors.As(err, &r) || r.Reason != Damaged || s.Refused() == nil {
		t.Fatalf("%v", err)
	}
	called := false
	if err := s.Write(t.Context(), func(*sql.Tx) error { called = true; return nil }); !errors.As(err, &r) || called {
		t.Fatalf("a damaged database is written: %v", err)
	}
}

// TestOrdinaryErrorsAreNotRefusals: a broken rule, a cancelled context.
func TestOrdinaryErrorsAreNotRefusals(t *testing.T) {
	s := testOpen(t, filepath.Join(t.TempDir(), "clauster.db"))
	err := s.Write(t.Context(), func(tx *sql.Tx) error {
		_, err := tx.Exec("INSERT INTO meta (name) VALUES ('x')")
		return err
	})
	if err == nil || s.Refused() != nil {
		t.Fatalf("%v, %v", err, s.Refused())
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.AddEvents(ctx, events("stop", "x"), Position{}, nil); !errors.Is(err, context.Canceled) || s.Refused() != nil {
		t.Fatalf("%v, %v", err, s.Refused())
	}
}

// killStep is the name of the step at which the child of
// TestKilledAtEveryStep ends, and the environment's word for it.
const killStep = "CLAUSTER_TEST_KILL_STEP"

// TestKilledAtEveryStep: SIGKILL between any two things that opening does
// leaves a database that opens, with everything in it.
func TestKilledAtEveryStep(t *testing.T) {
	if step := os.Getenv(killStep); step != "" {
		path, rest, _ := strings.Cut(step, "|")
		o := openingOf(t, path, 2)
		o.step = func(name string) {
			if name == rest {
				unix.Kill(os.Getpid(), unix.SIGKILL)
				select {}
			}
		}
		s, err := o.open(context.Background())
		t.Fatalf("step %s was not reached: %v, %v", rest, s, err)
	}
	for _, existing := range []bool{false, true} {
		for _, step := range stepsOf(t, existing) {
			t.Run(fmt.Sprintf("existing=%v/%s", existing, step), func(t *testing.T) {
				path := filepath.Join(t.TempDir(), "clauster.db")
				if existing {
					s := testOpen(t, path)
					fill(t, s, 20)
					s.Close()
				}
				cmd := exec.Command(os.Args[0], "-test.run=^TestKilledAtEveryStep$")
				cmd.Env = append(os.Environ(), killStep+"="+path+"|"+step)
				out, err := cmd.CombinedOutput()
				if err == nil || cmd.ProcessState.String() != "signal: killed" {
					t.Fatalf("the child was not killed: %v\n%s", err, out)
				}
				o := openingOf(t, path, 2)
				s, err := o.open(t.Context())
				if err != nil {
					t.Fatal(err)
				}
				defer s.Close()
				want := 0
				if existing {
					want = 20
				}
				if page, err := s.Events(t.Context(), EventQuery{}); err != nil || len(page) != want {
					t.Fatalf("%d events, %v", len(page), err)
				}
				if left, _ := filepath.Glob(path + "*.tmp"); len(left) > 0 {
					t.Errorf("left behind: %v", left)
				}
			})
		}
	}
}

// stepsOf records the steps of one opening.
func stepsOf(t *testing.T, existing bool) []string {
	path := filepath.Join(t.TempDir(), "clauster.db")
	if existing {
		testOpen(t, path).Close()
	}
	var steps []string
	o := openingOf(t, path, 2)
	o.step = func(name string) { steps = append(steps, name) }
	s, err := o.open(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	s.Close()
	if !slices.Contains(steps, "committed") || slices.Contains(steps, "snapshot kept") != existing {
		t.Fatalf("steps: %v", steps)
	}
	return steps
}
