package tail

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"

	"clauster/pkg/bridge"
	"clauster/pkg/journal"
	"clauster/pkg/wire"
)

var blog = bridge.Instance{Project: "blog"}

// scripted is a journal with a past; what is sent on live comes after it.
func scripted(past int, live <-chan string) Source {
	entry := func(n int, text string) journal.Entry {
		e := journal.NewEntry(time.Unix(int64(n), 0), map[string]string{"MESSAGE": text, "PRIORITY": "6"})
		e.Cursor = fmt.Sprint(n)
		return e
	}
	return Source{
		Read: func(_ context.Context, q journal.Query, f func(journal.Entry) error) error {
			for n := max(0, past-q.Lines); n < past; n++ {
				if err := f(entry(n, fmt.Sprint("past ", n))); err != nil {
					return err
				}
			}
			return nil
		},
		Follow: func(ctx context.Context, _ journal.Query, f func(journal.Entry) error) error {
			for {
				select {
				case text := <-live:
					if err := f(entry(0, text)); err != nil {
						return err
					}
				case <-ctx.Done():
					return ctx.Err()
				}
			}
		},
	}
}

func read(t *testing.T, v *Viewer, want int) (lines []wire.LogLine, skipped uint64) {
	t.Helper()
	for len(lines) < want {
		more, lost, err := v.Next(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		lines, skipped = append(lines, more...), skipped+lost
	}
	return lines, skipped
}

func TestFollow(t *testing.T) {
	live := make(chan string)
	tails := New(journal.Origin{}, scripted(5000, live))
	a, err := tails.Follow(t.Context(), blog, 3, "")
	if err != nil {
		t.Fatal(err)
	}
	b, err := tails.Follow(t.Context(), blog, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	live <- "now \x1b[31mred session_01ABCDEFGHJKMNPQRSTVWXYZ12"
	lines, _ := read(t, a, 4)
	if lines[0].Text != "past 4997" || lines[3].Text == "" || strings.ContainsRune(lines[3].Text, '\x1b') || strings.Contains(lines[3].Text, "01ABCDEF") {
		t.Errorf("%+v", lines)
	}
	if lines, _ := read(t, b, 2); lines[0].Text != "past 4999" {
		t.Errorf("%+v", lines)
	}
	a.Close()
	a.Close()
	b.Close()
	if len(tails.open) != 0 {
		t.Error("a log is followed that nobody looks at")
	}
}

// A viewer that comes back goes on behind the last line it has seen, and where
// that is too long ago with the oldest at hand.
func TestResume(t *testing.T) {
	live := make(chan string)
	tails := New(journal.Origin{}, scripted(5000, live))
	a, err := tails.Follow(t.Context(), blog, 5, "")
	if err != nil {
		t.Fatal(err)
	}
	lines, _ := read(t, a, 5)
	a.Close()
	other := New(journal.Origin{}, scripted(5000, live)) // another process
	for id, want := range map[string]string{lines[1].ID: "past 4997", idOf(number{}, "1"): "past 4000"} {
		b, err := other.Follow(t.Context(), blog, 1, id)
		if err != nil {
			t.Fatal(err)
		}
		if lines, _ := read(t, b, 1); lines[0].Text != want {
			t.Errorf("after %s: %+v, want %s", id, lines[0], want)
		}
		b.Close()
	}
}

// Ids are framing: nothing of a journal's bytes is in them.
func TestIDs(t *testing.T) {
	pattern := regexp.MustCompile(IDPattern)
	for _, id := range []string{idOf(number{"r\ndata: x", 7}, ""), idOf(number{}, "s=1;i=2\n\n"), idOf(number{"", 1<<64 - 1}, "")} {
		if !pattern.MatchString(id) {
			t.Errorf("%q", id)
		}
	}
	if idOf(number{"a", 1}, "") == idOf(number{"b", 1}, "") || idOf(number{"a", 1}, "x") != idOf(number{"a", 1}, "") {
		t.Error("ids of different lines are equal, or the same line has two")
	}
}

// A viewer that does not read loses the oldest lines and learns how many.
func TestSlowViewer(t *testing.T) {
	live := make(chan string)
	tails := New(journal.Origin{}, scripted(0, live))
	v, err := tails.Follow(t.Context(), blog, 10, "")
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	const sent = ringLines + 100
	for n := range sent {
		live <- fmt.Sprint(n)
	}
	quick, err := tails.Follow(t.Context(), blog, 1, "")
	if err != nil {
		t.Fatal(err)
	}
	defer quick.Close()
	live <- "last"
	for last := ""; last != "last"; { // the ring has everything then
		lines, _ := read(t, quick, 1)
		last = lines[len(lines)-1].Text
	}
	lines, skipped := read(t, v, ringLines)
	if skipped != sent+1-ringLines || lines[len(lines)-1].Text != "last" {
		t.Errorf("%d lines, %d skipped, last %q", len(lines), skipped, lines[len(lines)-1].Text)
	}
}

func TestRingIsBounded(t *testing.T) {
	r := newRing()
	for range 100 {
		r.add(wire.LogLine{Text: strings.Repeat("x", 48<<10)})
	}
	if r.bytes > ringBytes || r.next-r.first > 45 {
		t.Errorf("%d bytes in %d lines", r.bytes, r.next-r.first)
	}
}
