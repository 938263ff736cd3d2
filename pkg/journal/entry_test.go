package journal

import (
	"bufio"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/bridge"
)

func TestDecodeEntryShapes(t *testing.T) {
	// The shapes of systemd-252.md §4.
	e, err := DecodeEntry([]byte(`{"__CURSOR":"s=1;i=2","__REALTIME_TIMESTAMP":"1700000000123456",
		"PRIORITY":"4","MESSAGE":[27,91,51,49,109,104,105,255],"BIG":null,
		"TWICE":["a","b"],"TWICE_BYTES":[[104,105],"x"],"TWICE_NULL":[null,"x"],"NONE":[]}`))
	if err != nil {
		t.Fatal(err)
	}
	if e.Cursor != "s=1;i=2" || !e.Time.Equal(time.UnixMicro(1700000000123456)) || e.Priority() != Warning {
		t.Errorf("%+v", e)
	}
	for name, want := range map[string]string{"MESSAGE": "\x1b[31mhi\xff", "BIG": "", "TWICE": "a",
		"TWICE_BYTES": "hi", "TWICE_NULL": "", "NONE": "", "ABSENT": ""} {
		if got := e.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	for _, bad := range []string{``, `[]`, `{"A":1}`, `{"A":{"b":"c"}}`, `{"A":[300]}`, `{"A":[[["x"]]]}`,
		`{"__REALTIME_TIMESTAMP":"soon"}`, `{"A":true}`, `{"A":[-1]}`} {
		if _, err := DecodeEntry([]byte(bad)); err == nil {
			t.Errorf("%s was read", bad)
		}
	}
}

func TestBoundedLinePassesOverGiants(t *testing.T) {
	text := "short\n" + strings.Repeat("x", MaxEntry+100) + "\nnext\n" + strings.Repeat("y", 200_000)
	br := bufio.NewReaderSize(strings.NewReader(text), 64<<10)
	for _, want := range []int{5, 0, 4} {
		line, err := boundedLine(br)
		if err != nil || len(line) != want {
			t.Fatalf("%d bytes, %v; want %d", len(line), err, want)
		}
	}
	if line, err := boundedLine(br); err != io.EOF || len(line) != 200_000 {
		t.Fatalf("%d bytes, %v at the end", len(line), err)
	}
}

func event(name bridge.Event, more map[string]string) Entry {
	f := map[string]string{"MESSAGE_ID": name.MessageID(), bridge.FieldEvent: string(name),
		bridge.FieldSchema: "1", bridge.FieldInstance: "blog"}
	for k, v := range more {
		f[k] = v
	}
	return NewEntry(time.Time{}, f)
}

func TestTrusted(t *testing.T) {
	blog := bridge.Instance{Project: "blog"}
	system, user := Origin{}, Origin{User: true, UID: 1000}
	unit, scope, other := "clauster@blog.service", "clauster-bridge-blog.scope", "clauster@shop.service"
	for _, tc := range []struct {
		name string
		e    Entry
		o    Origin
		want bool
	}{
		{"keeper", event("stop", map[string]string{"_SYSTEMD_UNIT": unit}), system, true},
		{"agent in its scope", event("stop", map[string]string{"_SYSTEMD_UNIT": scope}), system, false},
		{"another keeper", event("stop", map[string]string{"_SYSTEMD_UNIT": other}), system, false},
		{"nobody", event("stop", nil), system, false},
		{"a user's unit of that name", event("stop", map[string]string{"_SYSTEMD_USER_UNIT": unit,
			"_SYSTEMD_UNIT": "user@1000.service", "_UID": "1000"}), system, false},
		{"user keeper", event("stop", map[string]string{"_SYSTEMD_USER_UNIT": unit, "_UID": "1000"}), user, true},
		{"another user's", event("stop", map[string]string{"_SYSTEMD_USER_UNIT": unit, "_UID": "1001"}), user, false},
		{"system keeper, user asked for", event("stop", map[string]string{"_SYSTEMD_UNIT": unit, "_UID": "1000"}), user, false},
		{"other message id", event("stop", map[string]string{"_SYSTEMD_UNIT": unit, "MESSAGE_ID": bridge.EventReady.MessageID()}), system, false},
		{"other schema", event("stop", map[string]string{"_SYSTEMD_UNIT": unit, bridge.FieldSchema: "2"}), system, false},
		{"other instance", event("stop", map[string]string{"_SYSTEMD_UNIT": unit, bridge.FieldInstance: "shop"}), system, false},
		{"requested by who says so", event("requested", map[string]string{bridge.FieldActorUID: "1000", "_UID": "1000"}), system, true},
		{"requested in root's name", event("requested", map[string]string{bridge.FieldActorUID: "0", "_UID": "1000"}), system, false},
		{"requested by nobody", event("requested", nil), system, false},
	} {
		if got := Trusted(tc.e, blog, tc.o); got != tc.want {
			t.Errorf("%s: %v", tc.name, got)
		}
	}
}

func TestRequesterOf(t *testing.T) {
	r := RequesterOf(event("requested", map[string]string{"_UID": "0", "_AUDIT_LOGINUID": "1000", "_SYSTEMD_UNIT": "session-3.scope"}))
	if r != (Requester{0, 1000, "session-3.scope"}) {
		t.Errorf("%+v", r)
	}
	if r := RequesterOf(event("requested", map[string]string{"_UID": "7", "_AUDIT_LOGINUID": "4294967295"})); r.LoginUID != -1 {
		t.Errorf("%+v", r)
	}
}

// fakeJournalctl puts a script in front of PATH and returns the directory in
// which it works.
func fakeJournalctl(t *testing.T, script string) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "journalctl"), []byte("#!/bin/sh\ncd "+dir+"\n"+script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	return dir
}

func TestReadAndStop(t *testing.T) {
	fakeJournalctl(t, `printf '%s\n' '{"MESSAGE":"a"}' 'garbage' '{"MESSAGE":"b"}'; exec sleep 60`)
	var got []string
	err := Read(t.Context(), Query{}, func(e Entry) error {
		if got = append(got, e.Get("MESSAGE")); len(got) == 2 {
			return ErrStop
		}
		return nil
	})
	if err != nil || strings.Join(got, "") != "ab" {
		t.Fatalf("%v, %v", got, err)
	}
	fakeJournalctl(t, `echo no such cursor >&2; exit 1`)
	if err := Read(t.Context(), Query{}, nil); !errors.Is(err, ErrNoJournal) || !strings.Contains(err.Error(), "no such cursor") {
		t.Fatalf("failure: %v", err)
	}
}

// journalctl ends twice; the third run continues after the cursor, and by time
// when the cursor is refused.
func TestFollowGoesOn(t *testing.T) {
	dir := fakeJournalctl(t, `echo "$*" >>args
case "$*" in
*after-cursor=c1*) exit 1 ;;
*since=@7.000001*) printf '%s\n' '{"__CURSOR":"c2","__REALTIME_TIMESTAMP":"8000000","MESSAGE":"b"}' ;;
*) printf '%s\n' '{"__CURSOR":"c1","__REALTIME_TIMESTAMP":"7000001","MESSAGE":"a"}' ;;
esac`)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	var got []string
	err := Follow(ctx, Query{Lines: 5}, func(e Entry) error {
		if got = append(got, e.Get("MESSAGE")); len(got) == 2 {
			return ErrStop
		}
		return nil
	})
	if err != nil || strings.Join(got, "") != "ab" {
		args, _ := os.ReadFile(filepath.Join(dir, "args"))
		t.Fatalf("%v, %v\n%s", got, err, args)
	}
}

func TestLastEvents(t *testing.T) {
	dir := fakeJournalctl(t, `echo "$*" >args; cat entries; exec sleep 60`)
	line := func(instance, unit string, e bridge.Event) string {
		return `{"MESSAGE_ID":"` + e.MessageID() + `","CLAUSTER_EVENT":"` + string(e) + `","CLAUSTER_SCHEMA":"1","CLAUSTER_INSTANCE":"` +
			instance + `","_SYSTEMD_UNIT":"clauster@` + unit + `.service"}` + "\n"
	}
	entries := line("blog", "shop", "crash") + line("blog", "blog", "stop") + line("blog", "blog", "ready") + line("shop:a", "shop:a", "spawn")
	if err := os.WriteFile(filepath.Join(dir, "entries"), []byte(entries), 0o644); err != nil {
		t.Fatal(err)
	}
	blog, shop := bridge.Instance{Project: "blog"}, bridge.Instance{Project: "shop", Label: "a"}
	got, err := LastEvents(t.Context(), Origin{}, []bridge.Instance{blog, shop})
	if err != nil || got[blog].Event() != "stop" || got[shop].Event() != "spawn" {
		t.Fatalf("%v, %v", got, err)
	}
	args, err := os.ReadFile(filepath.Join(dir, "args"))
	if err != nil || !strings.Contains(string(args), "--reverse") || !strings.Contains(string(args), "_SYSTEMD_UNIT=clauster@shop:a.service") {
		t.Fatalf("%s, %v", args, err)
	}
}

func FuzzDecodeEntry(f *testing.F) {
	f.Add([]byte(`{"__CURSOR":"s=1","__REALTIME_TIMESTAMP":"17","MESSAGE":[27,1],"A":null,"B":["x",[1],null]}`))
	f.Add([]byte(`{"A":[`))
	f.Fuzz(func(t *testing.T, line []byte) {
		e, err := DecodeEntry(line)
		if err != nil {
			return
		}
		e.Event()
		e.Priority()
		if Trusted(e, bridge.Instance{Project: "blog"}, Origin{}) && e.Get(bridge.FieldInstance) != "blog" {
			t.Fatal("an event of another instance is trusted")
		}
		RequesterOf(e)
	})
}
