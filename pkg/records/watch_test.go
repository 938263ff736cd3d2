package records

import (
	"context"
	"encoding/binary"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"clauster/pkg/bridge"
)

func TestWatchTellsOfRecords(t *testing.T) {
	d := Dir{Path: t.TempDir(), UID: -1, GID: -1}
	ctx, cancel := context.WithCancel(t.Context())
	ready := make(chan struct{}, 1)
	seen := make(chan bridge.Instance, 100)
	ended := make(chan error)
	go func() {
		ended <- d.Watch(ctx, func() { ready <- struct{}{} }, func(i bridge.Instance) { seen <- i })
	}()
	<-ready
	r := bridge.Record{Schema: 1, Kind: bridge.KindBridge, Instance: "blog:a", Label: "a", Path: "/p"}
	if err := d.Write(r); err != nil {
		t.Fatal(err)
	}
	if i := <-seen; i.String() != "blog:a" {
		t.Errorf("written: %s", i)
	}
	if err := d.Remove(bridge.Instance{Project: "blog", Label: "a"}); err != nil {
		t.Fatal(err)
	}
	if i := <-seen; i.String() != "blog:a" {
		t.Errorf("removed: %s", i)
	}
	cancel()
	if err := <-ended; err == nil {
		t.Error("it ended without an error")
	}
}

func TestWatchEndsWithTheDirectory(t *testing.T) {
	d := Dir{Path: filepath.Join(t.TempDir(), "x")}
	if err := d.Watch(t.Context(), func() {}, nil); err == nil {
		t.Error("a directory that is not there was watched")
	}
	if err := os.Mkdir(d.Path, 0o700); err != nil {
		t.Fatal(err)
	}
	err := d.Watch(t.Context(), func() { os.Remove(d.Path) }, func(bridge.Instance) {})
	if err == nil {
		t.Error("the watch of a removed directory went on")
	}
}

func FuzzParseNotices(f *testing.F) {
	event := make([]byte, 32)
	binary.NativeEndian.PutUint32(event[4:], 0x80)
	binary.NativeEndian.PutUint32(event[12:], 16)
	copy(event[16:], "blog.json")
	f.Add(event)
	f.Add(event[:20])
	f.Fuzz(func(t *testing.T, data []byte) {
		changed, _, _ := parseNotices(data)
		if slices.ContainsFunc(changed, func(i bridge.Instance) bool { return i.Project == "" }) {
			t.Fatal("an instance without a name")
		}
	})
}
