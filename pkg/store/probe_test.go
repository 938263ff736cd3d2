package store

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"
)

// noMorePages keeps a database from growing, or lets it.
func noMorePages(t *testing.T, s *Store, on bool) {
	t.Helper()
	most := 1_000_000
	if on {
		must(t, s.writer.QueryRow("PRAGMA page_count").Scan(&most))
	}
	_, err := s.writer.Exec(fmt.Sprintf("PRAGMA max_page_count = %d", most))
	must(t, err)
}

// fillUp issues tokens until there is no room for one.
func fillUp(t *testing.T, s *Store) {
	t.Helper()
	for n := range 5000 {
		name := fmt.Sprint(time.Now().UnixNano(), n)
		if err := s.AddToken(t.Context(), Token{ID: name, Label: name, Scope: "read", Created: time.Now()}, name); err != nil {
			break
		}
	}
	var r *RefusedError
	if !errors.As(s.Refused(), &r) || r.Reason != Full {
		t.Fatalf("full, and refused is %v", s.Refused())
	}
}

func (s *Store) probed(t *testing.T) time.Time {
	t.Helper()
	at, err := s.metaTime(t.Context(), metaProbed)
	must(t, err)
	return at
}

// A full disk that a login or a token meets: everything was refused for ever,
// since nobody was let in to write and see that there is room again.
func TestRefusalPassesWithoutAWriter(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		for range 2 {
			noMorePages(t, s, true)
			fillUp(t, s)
			noMorePages(t, s, false)
			if s.Refused() == nil {
				t.Fatal("nobody has written, and nothing is refused any more")
			}
			<-time.After(firstProbe)
			synctest.Wait()
			if s.Refused() != nil {
				t.Errorf("there is room, and still: %v", s.Refused())
			}
		}
		was := s.probed(t)
		<-time.After(time.Hour)
		synctest.Wait()
		if s.prober.cancel != nil || !s.probed(t).Equal(was) {
			t.Error("it is probed, and nothing is refused")
		}
	})
}

// readOnly has SQLite refuse every write, as on a file system that was mounted
// read-only, or end that.
func readOnly(t *testing.T, s *Store, on bool) {
	t.Helper()
	_, err := s.writer.Exec(fmt.Sprintf("PRAGMA query_only = %t", on))
	must(t, err)
}

// What lasts is tried after 1 s, 2 s, 4 s and so on, then once a minute.
func TestProbesWaitLongerAndLonger(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		wait := func(d time.Duration) bool {
			<-time.After(d)
			synctest.Wait()
			return s.Refused() == nil
		}
		readOnly(t, s, true)
		var r *RefusedError
		if err := s.ClearThrottle(t.Context(), "x"); !errors.As(err, &r) || r.Reason != Unreadable {
			t.Fatal(err)
		}
		if wait(8 * time.Second) {
			t.Fatal("it is written though it cannot be")
		}
		readOnly(t, s, false) // probed after 1, 3 and 7 s; next after 15
		if wait(6900 * time.Millisecond) {
			t.Error("probed too soon")
		}
		if !wait(200 * time.Millisecond) {
			t.Error("not probed when it was due")
		}
		readOnly(t, s, true)
		_ = s.ClearThrottle(t.Context(), "x")
		if wait(time.Hour) {
			t.Fatal("it is written though it cannot be")
		}
		readOnly(t, s, false)
		if !wait(lastProbe) {
			t.Error("not probed for a minute")
		}
	})
}

// A disk stays full while it is: a probe alone may fit into what an event left
// of the log, and the refusal must not come and go with it.
func TestProbesDoNotSneakOntoAFullDisk(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir, fill := smallDisk(t)
		s := testOpen(t, filepath.Join(dir, "clauster.db"))
		ballast := fill()
		info, err := os.Stat(ballast)
		must(t, err)
		must(t, os.Truncate(ballast, info.Size()-100<<10))
		if _, err := s.AddEvents(t.Context(), bigEvent(), Position{}, nil); err == nil {
			t.Fatal("there was room")
		}
		for range 100 {
			<-time.After(10 * time.Second)
			synctest.Wait()
			if s.Refused() == nil {
				t.Fatal("the disk is full, and nothing is refused")
			}
		}
		must(t, os.Remove(ballast))
		<-time.After(lastProbe)
		synctest.Wait()
		if s.Refused() != nil {
			t.Errorf("there is room, and still: %v", s.Refused())
		}
	})
}

// A reader's error ends like a writer's; damage stays, whatever was noted
// before or comes after it.
func TestReadersErrorPassesAndDamageStays(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := openTemp(t)
		after := func(reasons ...Reason) error {
			for _, why := range reasons {
				_ = s.note(&RefusedError{Reason: why, Path: s.Path})
			}
			<-time.After(2 * lastProbe)
			synctest.Wait()
			return s.Refused()
		}
		if err := after(Unreadable, Full); err != nil {
			t.Errorf("it passed, and still: %v", err)
		}
		was := s.probed(t)
		if err := after(Unreadable, Damaged, Full); err == nil {
			t.Error("damage was forgotten")
		}
		if s.prober.cancel != nil || !s.probed(t).Equal(was) {
			t.Error("a damaged database is probed")
		}
	})
}

// Close ends the probing; a refusal that is noted behind it begins none.
func TestCloseEndsProbing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { // it fails if a goroutine is left
		s := openTemp(t)
		_ = s.note(&RefusedError{Reason: Full, Path: s.Path})
		must(t, s.Close())
		_ = s.note(&RefusedError{Reason: Full, Path: s.Path})
		if s.prober.cancel != nil {
			t.Error("a closed database is probed")
		}
	})
}
