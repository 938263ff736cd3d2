package event

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/store"
)

// journalFile is a journalctl over a file that grows.
const journalFile = `#!/bin/sh
cd "$JOURNAL"
cursor= after= first=1
for a; do case "$a" in
--cursor=*) cursor=${a#--cursor=} ;;
--after-cursor=*) after=${a#--after-cursor=} ;;
esac; done
if [ -n "$cursor" ]; then
	grep -F -A 9999999 "\"$cursor\"" entries || head -n 1 entries
	exit 0
fi
case "$*" in *--follow*) ;; *) exec cat entries ;; esac
[ -z "$after" ] || first=$(( $(grep -n -m 1 -F "\"$after\"" entries | cut -d: -f1) + 1 ))
exec tail -n +$first --pid=$PPID -s 0.05 -f entries
`

// ingestIn, in the environment, makes the test's child of it.
const ingestIn = "CLAUSTER_TEST_INGEST"

// TestKilledWhileIngesting: SIGKILL at any instant, again and again, while
// events are written: each is in the store once, in order, none is lost, and
// the outbox (here: a counter in the same transaction) agrees.
func TestKilledWhileIngesting(t *testing.T) {
	if dir := os.Getenv(ingestIn); dir != "" {
		ingestForEver(t, dir)
		return
	}
	kills := 10
	if os.Getenv("CLAUSTER_SOAK") != "" {
		kills = 100
	}
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte(journalFile), 0o755); err != nil {
		t.Fatal(err)
	}
	f, err := os.Create(filepath.Join(dir, "entries"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	n := 0
	write := func(k int) {
		var lump bytes.Buffer
		for range k {
			n++
			lump.Write(line(t, n))
		}
		if _, err := f.Write(lump.Bytes()); err != nil {
			t.Fatal(err)
		}
	}
	start := func() *exec.Cmd {
		cmd := exec.Command(os.Args[0], "-test.run=^TestKilledWhileIngesting$")
		cmd.Env = append(os.Environ(), ingestIn+"="+dir, "JOURNAL="+dir, "PATH="+dir+":"+os.Getenv("PATH"))
		cmd.Stderr = os.Stderr
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		return cmd
	}
	for range kills {
		cmd := start()
		for range 1 + rand.IntN(10) {
			write(1 + rand.IntN(60))
			<-time.After(time.Duration(rand.IntN(40)) * time.Millisecond)
		}
		cmd.Process.Kill()
		cmd.Wait()
	}
	write(1)
	cmd := start()
	defer cmd.Wait()
	defer cmd.Process.Kill()
	s, err := store.Open(t.Context(), filepath.Join(dir, "clauster.db"))
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	for deadline := time.Now().Add(60 * time.Second); ; <-time.After(20 * time.Millisecond) {
		last, err := s.LastSeq(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if last >= int64(n) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("%d of %d events after a minute", last, n)
		}
	}
	checkStored(t, s, n)
}

func checkStored(t *testing.T, s *store.Store, n int) {
	t.Helper()
	seen := 0
	for {
		page, err := s.Events(t.Context(), store.EventQuery{After: int64(seen), Ascending: true})
		if err != nil {
			t.Fatal(err)
		}
		if len(page) == 0 {
			break
		}
		for _, e := range page {
			if seen++; e.Seq != int64(seen) || e.ID != id(seen) {
				t.Fatalf("event %d is %s at place %d", seen, e.ID, e.Seq)
			}
		}
	}
	c, err := s.Counters(t.Context())
	if err != nil || seen != n || c[store.CountCrashes]["blog"] != uint64(n) {
		t.Fatalf("%d of %d events, counted %v, %v", seen, n, c, err)
	}
	t.Logf("%d events", n)
}

// line is an entry as journalctl prints it.
func line(t *testing.T, n int) []byte {
	e := entry(n, bridge.EventCrash, time.Now())
	f := map[string]string{"__CURSOR": e.Cursor, "__REALTIME_TIMESTAMP": fmt.Sprint(time.Now().UnixMicro())}
	for name, value := range e.All() {
		f[name] = value
	}
	data, err := json.Marshal(f)
	if err != nil {
		t.Fatal(err)
	}
	return append(data, '\n')
}

// ingestForEver is the child.
func ingestForEver(t *testing.T, dir string) {
	s, err := store.Open(context.Background(), filepath.Join(dir, "clauster.db"))
	if err != nil {
		t.Fatal(err)
	}
	hub, err := NewHub(context.Background(), s)
	if err != nil {
		t.Fatal(err)
	}
	i := New(Options{Store: s, Hub: hub, Origin: journal.Origin{}, Log: slog.New(slog.NewTextHandler(os.Stderr, nil)),
		Retention: func() time.Duration { return time.Hour }})
	go func() {
		for {
			i.Nudge()
			<-time.After(7 * time.Millisecond)
		}
	}()
	t.Fatal(i.Run(context.Background()))
}
