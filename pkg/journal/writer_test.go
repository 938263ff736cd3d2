package journal

import (
	"bytes"
	"context"
	"encoding/binary"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/pkg/bridge"

	"golang.org/x/sys/unix"
)

// fakeJournald listens as journald does and parses what comes.
type fakeJournald struct {
	t    *testing.T
	conn *net.UnixConn
}

func listenAs(t *testing.T, path string) *fakeJournald {
	t.Helper()
	c, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Name: path, Net: "unixgram"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	return &fakeJournald{t, c}
}

// next reads one entry, out of a memfd where one was passed.
func (j *fakeJournald) next() map[string]string {
	j.t.Helper()
	if err := j.conn.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		j.t.Fatal(err)
	}
	buf, oob := make([]byte, 1<<20), make([]byte, 64)
	n, oobn, _, _, err := j.conn.ReadMsgUnix(buf, oob)
	if err != nil {
		j.t.Fatal(err)
	}
	data := buf[:n]
	if oobn > 0 {
		data = readPassed(j.t, oob[:oobn])
	}
	return parseNative(j.t, data)
}

func readPassed(t *testing.T, oob []byte) []byte {
	t.Helper()
	msgs, err := unix.ParseSocketControlMessage(oob)
	if err != nil {
		t.Fatal(err)
	}
	fds, err := unix.ParseUnixRights(&msgs[0])
	if err != nil {
		t.Fatal(err)
	}
	f := os.NewFile(uintptr(fds[0]), "passed")
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	data := make([]byte, fi.Size())
	if _, err := f.ReadAt(data, 0); err != nil {
		t.Fatal(err)
	}
	return data
}

func parseNative(t *testing.T, data []byte) map[string]string {
	t.Helper()
	fields := map[string]string{}
	for len(data) > 0 {
		line, rest, ok := bytes.Cut(data, []byte("\n"))
		if !ok {
			t.Fatalf("field without end: %q", data)
		}
		if name, value, ok := bytes.Cut(line, []byte("=")); ok {
			fields[string(name)], data = string(value), rest
			continue
		}
		size := binary.LittleEndian.Uint64(rest)
		fields[string(line)], data = string(rest[8:8+size]), rest[8+size+1:]
	}
	return fields
}

func closeNow(t *testing.T, w *Writer) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := w.Close(ctx); err != nil {
		t.Error(err)
	}
}

func TestWriterEvent(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	j := listenAs(t, path)
	w := NewWriter(Options{Identifier: "clauster", Socket: path,
		Base: Fields{bridge.FieldInstance: "blog", bridge.FieldRun: "old"}})
	id := w.Event(Event{Name: bridge.EventCrash, Message: "claude was killed", Fields: Fields{
		bridge.FieldRun: "new", "_UID": "0", "lower": "x", "EMPTY": "", "MESSAGE_ID": "forged",
		bridge.FieldLastScreen: "one\ntwo"}})
	got := j.next()
	want := map[string]string{
		"MESSAGE": "claude was killed", "PRIORITY": "3", "SYSLOG_IDENTIFIER": "clauster",
		"MESSAGE_ID": bridge.EventCrash.MessageID(), bridge.FieldSchema: "1", bridge.FieldEvent: "crash",
		bridge.FieldEventID: id, bridge.FieldInstance: "blog", bridge.FieldRun: "new",
		bridge.FieldLastScreen: "one\ntwo",
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("got  %v\nwant %v", got, want)
	}
	if again := w.Event(Event{Name: bridge.EventCrash, ID: id}); again != id {
		t.Errorf("a repeat got id %s", again)
	}
	j.next()
	closeNow(t, w)
	if s := w.Stats(); s != (Stats{Sent: 2}) {
		t.Errorf("stats %+v", s)
	}
}

func TestWriterLargeEntriesGoByMemfd(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	j := listenAs(t, path)
	w := NewWriter(Options{Socket: path})
	screen := strings.Repeat("x", 500_000)
	w.Event(Event{Name: bridge.EventStop, Message: "m", Fields: Fields{bridge.FieldLastScreen: screen}})
	if got := j.next()[bridge.FieldLastScreen]; got != screen {
		t.Errorf("got %d bytes of %d", len(got), len(screen))
	}
	w.Line(Info, strings.Repeat("y", MaxLine+1), nil)
	if got := j.next()["MESSAGE"]; len(got) != MaxLine {
		t.Errorf("a line of %d bytes came through", len(got))
	}
	closeNow(t, w)
}

// journald is away, then comes: lines over the bound are dropped and counted,
// every event arrives, in order.
func TestWriterOutlivesJournald(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	w := NewWriter(Options{Socket: path})
	for i := range MaxQueuedLines + 10 {
		if ok := w.Line(Info, fmt.Sprint(i), nil); ok != (i < MaxQueuedLines) {
			t.Fatalf("line %d taken: %v", i, ok)
		}
	}
	w.Event(Event{Name: bridge.EventStop, Message: "end"})
	j := listenAs(t, path)
	for i := range MaxQueuedLines {
		if got := j.next()["MESSAGE"]; got != fmt.Sprint(i) {
			t.Fatalf("line %d is %q", i, got)
		}
	}
	if got := j.next()["MESSAGE"]; got != "end" {
		t.Fatalf("the event is %q", got)
	}
	// Its socket is replaced, as by a restart of journald's socket unit.
	j.conn.Close()
	os.Remove(path)
	w.Event(Event{Name: bridge.EventSpawn, Message: "again"})
	if got := listenAs(t, path).next()["MESSAGE"]; got != "again" {
		t.Fatalf("after the restart: %q", got)
	}
	closeNow(t, w)
	if s := w.Stats(); s.LinesLost != 10 || s.EventsLost != 0 {
		t.Errorf("stats %+v", s)
	}
}

// A journald that never reads costs the caller nothing but the deadline it
// gave to Close.
func TestWriterNeverHangs(t *testing.T) {
	path := filepath.Join(t.TempDir(), "socket")
	listenAs(t, path)
	w := NewWriter(Options{Socket: path})
	for i := range 3000 {
		w.Line(Info, fmt.Sprint(i), nil)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 20*time.Millisecond)
	defer cancel()
	if err := w.Close(ctx); err == nil {
		t.Error("Close claims that everything was read")
	}
	if w.Line(Info, "late", nil) {
		t.Error("a line was taken after Close")
	}
}

func TestNewID(t *testing.T) {
	at := time.UnixMilli(0x0123456789ab)
	a, b := NewID(at), NewID(at)
	if a == b || !bridge.IsUUID(a) || !strings.HasPrefix(a, "01234567-89ab-7") || !strings.ContainsAny(a[19:20], "89ab") {
		t.Errorf("ids %s, %s", a, b)
	}
}
