package journal

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fakeStore is a journalctl over a file of entries, one JSON object a line, that
// does what the real one (252) does: --after-cursor passes over the next entry
// where its own is gone.
const fakeStore = `echo "$*" >>args
cursor= after= follow=
for a; do case "$a" in
--cursor=*) cursor=${a#--cursor=} ;;
--after-cursor=*) after=${a#--after-cursor=} ;;
--follow) follow=1 ;;
esac; done
if [ -n "$cursor" ]; then
	grep -F -A 99 "\"__CURSOR\":\"$cursor\"" entries || head -n 1 entries
	exit 0
fi
if [ -z "$after" ]; then cat entries
elif grep -qF "\"__CURSOR\":\"$after\"" entries; then sed "0,/\"__CURSOR\":\"$after\"/d" entries
else tail -n +2 entries
fi
[ -z "$follow" ] || exec sleep 60
`

func entryLine(cursor, message string) string {
	return `{"__CURSOR":"` + cursor + `","__REALTIME_TIMESTAMP":"7","MESSAGE":"` + message + `"}` + "\n"
}

// read follows until a message comes, and gives all of them.
func readUntil(t *testing.T, w Follower, end string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []string
	err := w.Run(ctx, func(e Entry) error {
		got = append(got, e.Get("MESSAGE"))
		if e.Get("MESSAGE") == end {
			return ErrStop
		}
		return nil
	})
	if err != nil {
		t.Fatalf("%v, %v", got, err)
	}
	return strings.Join(got, "")
}

func TestFollowerKnowsItsCursor(t *testing.T) {
	dir := fakeJournalctl(t, fakeStore)
	if err := os.WriteFile(filepath.Join(dir, "entries"), []byte(entryLine("s=1;i=1", "a")+entryLine("s=1;i=2", "b")+entryLine("s=1;i=3", "c")), 0o644); err != nil {
		t.Fatal(err)
	}
	lost := 0
	w := Follower{Lost: func() error { lost++; return nil }}
	w.Query.After = "s=1;i=1"
	if got := readUntil(t, w, "c"); got != "bc" || lost != 0 {
		t.Errorf("%q, lost %d", got, lost)
	}
	w.Query.After = "s=0;i=9"
	if got := readUntil(t, w, "c"); got != "abc" || lost != 1 {
		t.Errorf("%q, lost %d", got, lost)
	}
	no := errors.New("no")
	w.Lost = func() error { return no }
	if err := w.Run(t.Context(), func(Entry) error { return nil }); !errors.Is(err, no) {
		t.Error(err)
	}
}

func TestAfter(t *testing.T) {
	dir := fakeJournalctl(t, fakeStore)
	if err := os.WriteFile(filepath.Join(dir, "entries"), []byte(entryLine("s=1;i=1", "a")+entryLine("s=1;i=2", "b")+entryLine("s=1;i=3", "c")), 0o644); err != nil {
		t.Fatal(err)
	}
	for cursor, want := range map[string]string{"s=1;i=1": "bc", "s=1;i=3": "", "s=0;i=1": "unknown"} {
		got := ""
		known, err := After(t.Context(), Query{After: cursor}, func(e Entry) error { got += e.Get("MESSAGE"); return nil })
		if !known {
			got += "unknown"
		}
		if err != nil || got != want {
			t.Errorf("%s: %q, %v", cursor, got, err)
		}
	}
}

// A journal that cannot be read is no lost cursor: it is told and tried again.
func TestFollowerTrouble(t *testing.T) {
	dir := fakeJournalctl(t, `if [ -e ready ]; then `+"\n"+fakeStore+"\n"+`fi; touch ready; echo "no such file" >&2; exit 1`)
	if err := os.WriteFile(filepath.Join(dir, "entries"), []byte(entryLine("s=1;i=1", "a")+entryLine("s=1;i=2", "b")), 0o644); err != nil {
		t.Fatal(err)
	}
	var trouble error
	w := Follower{Query: Query{After: "s=1;i=1"}, Lost: func() error { return errors.New("lost") }, Trouble: func(err error) { trouble = err }}
	if got := readUntil(t, w, "b"); got != "b" || !errors.Is(trouble, ErrNoJournal) {
		t.Errorf("%q, %v", got, trouble)
	}
}

func TestSameEntry(t *testing.T) {
	run := "s=aaa;i=1;b=c;m=d;t=e;x=f"
	for other, want := range map[string]bool{
		run: true, "s=bbb;i=7;b=c;m=d;t=e;x=f": true, // moved from /run to /var
		"s=aaa;i=1;b=c;m=9;t=e;x=f": false, "s=aaa;i=1;b=c;m=d;t=e;x=9": false, "": false, "s=aaa": false,
	} {
		if sameEntry(other, run) != want {
			t.Errorf("%s: not %v", other, want)
		}
	}
	if sameEntry("", "") || sameEntry("x", "y") {
		t.Error("nothing is the same as nothing")
	}
}

// Every boot is followed, and no other machine: in each half of an «or».
func TestFollowArgs(t *testing.T) {
	for want, matches := range map[string][]string{
		"_MACHINE_ID=m":                         nil,
		"_MACHINE_ID=m A=1 B=2":                 {"A=1", "B=2"},
		"_MACHINE_ID=m A=1 + _MACHINE_ID=m B=2": {"A=1", "+", "B=2"},
	} {
		args := strings.Join(followArgs(Query{Matches: matches}, "m"), " ")
		if !strings.HasPrefix(args[strings.Index(args, "_MACHINE_ID"):], want+" --follow --merge") {
			t.Errorf("%v: %s", matches, args)
		}
	}
	if args := strings.Join(followArgs(Query{Matches: []string{"A=1"}}, ""), " "); strings.Contains(args, "--merge") {
		t.Errorf("a machine without an id: %s", args)
	}
}
