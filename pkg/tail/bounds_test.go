package tail

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
	"unicode/utf8"

	"clauster/pkg/bridge"
	"clauster/pkg/control"
	"clauster/pkg/journal"
	"clauster/pkg/wire"
)

// requested is an entry that anybody may write, by which uid about blog, in
// whose name.
func requested(uid, actor, text string) journal.Entry {
	e := journal.NewEntry(time.Unix(1, 0), map[string]string{"MESSAGE": text, "MESSAGE_ID": bridge.EventRequested.MessageID(), "_UID": uid,
		bridge.FieldEvent: string(bridge.EventRequested), bridge.FieldSchema: bridge.EventSchema, bridge.FieldInstance: blog.String(), bridge.FieldActorUID: actor})
	e.Cursor = text[max(0, len(text)-9):]
	return e
}

// past is a journal of some entries.
func past(entries int, entry func(n int) journal.Entry) Source {
	s := scripted(0, nil)
	s.Read = func(_ context.Context, q journal.Query, f func(journal.Entry) error) error {
		for n := max(0, entries-q.Lines); n < entries; n++ {
			if err := f(entry(n)); err != nil {
				return err
			}
		}
		return nil
	}
	return s
}

// Entries of megabytes, which an agent can plant, cost neither the memory nor
// the newest lines.
func TestLastIsBounded(t *testing.T) {
	s := past(200, func(n int) journal.Entry {
		return requested("1000", "1000", fmt.Sprint(n, strings.Repeat(" x", 400_000)))
	})
	lines, err := New(journal.Origin{}, s).Last(t.Context(), blog, 200)
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if err != nil || m.HeapAlloc > 32<<20 {
		t.Errorf("%v: %d MB are held", err, m.HeapAlloc>>20)
	}
	sum := 0
	for n, l := range lines {
		sum += len(l.Text)
		if want := fmt.Sprint(200-len(lines)+n, " x"); !strings.HasPrefix(l.Text, want) || !strings.HasSuffix(l.Text, " bytes more)") {
			t.Fatalf("line %d: %.20q … %q", n, l.Text, l.Text[len(l.Text)-20:])
		}
	}
	if sum > ringBytes || sum < ringBytes-2*maxText {
		t.Errorf("%d lines of %d bytes", len(lines), sum)
	}
	runtime.KeepAlive(lines)
}

// What is cut says how much, is whole characters, and what was missing is
// counted.
func TestTextIsCut(t *testing.T) {
	for _, c := range []struct {
		raw  string
		kept int
	}{
		{strings.Repeat("x", maxText), maxText},
		{strings.Repeat("x", maxText+1), maxText},
		{strings.Repeat("x", maxRaw), maxText},
		{strings.Repeat("x", 4<<20), maxText},
		{"xx" + strings.Repeat("日", maxText), maxText - 2},
		{strings.Repeat("é", maxRaw), maxText},
		{"", 0},
	} {
		got := textOf(c.raw)
		kept, more, cut := strings.Cut(got, "… (")
		if kept != c.raw[:c.kept] || !utf8.ValidString(got) || cut != (len(kept) < len(c.raw)) {
			t.Errorf("%.5q: %d of %d bytes, want %d", c.raw, len(kept), len(c.raw), c.kept)
		}
		if cut && more != strconv.Itoa(len(c.raw)-c.kept)+" bytes more)" {
			t.Errorf("%.5q: %q, %d are missing", c.raw, more, len(c.raw)-c.kept)
		}
	}
}

// A secret is not shown in part because a cut goes through it, neither through
// the text nor, behind much that is not shown, through what is looked at.
func TestCutSecrets(t *testing.T) {
	for _, secret := range []string{"ghp_0123456789abcdefghijABCDEFGHIJ012345", "7d4df7a3-0123-4000-8000-0123456789ab", "Bearer 0123456789abcdefghij", "clauster_metrics_0123456789abcdef",
		"https://claude.ai/code/session_0123456789abcdefgh", "AKIA0123456789ABCDEF"} {
		for before := 0; before < len(secret); before += 3 {
			for name, raw := range map[string]string{
				"text": strings.Repeat(" ", maxText-before) + secret + " and on",
				"raw":  strings.Repeat("\x1b[1m", maxRaw/4-25) + strings.Repeat(" ", 100-before) + secret + strings.Repeat(" and on", maxRaw),
				"both": strings.Repeat("\x1b[1m", (maxRaw-maxText-100)/4) + strings.Repeat(" ", maxText+100-before) + secret + " and on",
			} {
				if got := textOf(raw); strings.Contains(got, "0123") || strings.Contains(got, "7d4") {
					t.Fatalf("%s in the %s, %d bytes before the cut: %q", secret, name, before, strings.TrimSpace(got))
				}
			}
		}
	}
}

// Who asked is told where it is believed; a forged one is no line at all.
func TestForgedRequestsAreNoLines(t *testing.T) {
	s := past(2, func(n int) journal.Entry {
		return requested("1000", []string{"0", "1000"}[n], "asked by "+[]string{"root", "op"}[n])
	})
	s.Follow = func(ctx context.Context, _ journal.Query, f func(journal.Entry) error) error {
		for n := range 2 {
			if err := f(requested("1000", []string{"0", "1000"}[n], "again by "+[]string{"root", "op"}[n])); err != nil {
				return err
			}
		}
		<-ctx.Done()
		return ctx.Err()
	}
	tails := New(journal.Origin{}, s)
	lines, err := tails.Last(t.Context(), blog, 10)
	if err != nil || len(lines) != 1 || lines[0].Text != "asked by op" || lines[0].Event != string(bridge.EventRequested) {
		t.Errorf("%v %+v", err, lines)
	}
	v, err := tails.Follow(t.Context(), blog, 10, "")
	if err != nil {
		t.Fatal(err)
	}
	defer v.Close()
	if lines, _ = read(t, v, 2); lines[0].Text != "asked by op" || lines[1].Text != "again by op" {
		t.Errorf("%+v", lines)
	}
}

// As many requests at once as a door lets in: few journalctls run, the others
// wait for as long as they like.
func TestReadersTakeTurns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var mu sync.Mutex
		running, most := 0, 0
		s := Source{Read: func(context.Context, journal.Query, func(journal.Entry) error) error {
			mu.Lock()
			running++
			most = max(most, running)
			mu.Unlock()
			<-time.After(time.Second)
			mu.Lock()
			running--
			mu.Unlock()
			return nil
		}}
		tails := New(journal.Origin{}, s)
		ctx, cancel := context.WithTimeout(t.Context(), 10500*time.Millisecond)
		defer cancel()
		var group sync.WaitGroup
		well, busy := 0, 0
		for range 400 {
			group.Go(func() {
				_, err := tails.Last(ctx, blog, 10)
				mu.Lock()
				defer mu.Unlock()
				if err == nil {
					well++
				}
				if errors.Is(err, ErrBusy) {
					busy++
				}
			})
		}
		group.Wait()
		if most != maxReads || well != 11*maxReads || well+busy != 400 {
			t.Errorf("%d at once, %d had their turn, %d had none", most, well, busy)
		}
	})
}

// Only so many instances are followed, by any number of viewers; who leaves
// makes room.
func TestFollowedAreBounded(t *testing.T) {
	tails := New(journal.Origin{}, scripted(1, nil))
	follow := func(n int) (*Viewer, error) {
		return tails.Follow(t.Context(), bridge.Instance{Project: fmt.Sprint("p", n)}, 1, "")
	}
	var viewers []*Viewer
	for n := range maxFollowed {
		v, err := follow(n)
		if err != nil {
			t.Fatal(n, err)
		}
		viewers = append(viewers, v)
	}
	for range 3 {
		v, err := follow(0)
		if err != nil {
			t.Fatal("a second viewer:", err)
		}
		v.Close()
		if _, err := follow(maxFollowed); !errors.Is(err, ErrBusy) {
			t.Fatal(err)
		}
	}
	viewers[1].Close()
	v, err := follow(maxFollowed)
	if err != nil {
		t.Fatal(err)
	}
	for _, v := range append(viewers, v) {
		v.Close()
	}
	if tails.followed != 0 {
		t.Errorf("%d are followed by nobody", tails.followed)
	}
}

// A viewer holds little of what the ring has let go.
func TestNextIsBounded(t *testing.T) {
	r := newRing()
	for range 100 {
		r.add(wire.LogLine{Text: strings.Repeat("x", maxText)})
	}
	if lines, _, _, _, _ := r.take(0, atOnce); len(lines) != atOnceBytes/maxText {
		t.Errorf("%d lines at once", len(lines))
	}
}

// What a keeper calls an event is one of ours or none: it is not bounded by
// the ring.
func TestKeepersEvents(t *testing.T) {
	for event, want := range map[string]string{"ready": "ready", strings.Repeat("x", 60<<10): "", "": ""} {
		if l := lineOfKeeper(control.Line{Event: event, Text: strings.Repeat("x", 60<<10)}); l.Event != want || len(l.Text) > maxText+64 {
			t.Errorf("%.10q: %.10q, %d bytes of text", event, l.Event, len(l.Text))
		}
	}
}
