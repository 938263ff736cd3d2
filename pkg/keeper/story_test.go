package keeper

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"clauster/pkg/gate"
)

// A story is peeked at: every keeper reads it from its beginning, also after
// the gate has gone.
func TestStoryIsNeverConsumed(t *testing.T) {
	pair, err := unix.Socketpair(unix.AF_UNIX, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer unix.Close(pair[0])
	if s, err := readStory(pair[0]); err != nil || s.Started != nil {
		t.Fatalf("empty story: %+v, %v", s, err)
	}
	watched, err := dupFile(pair[0], "story")
	if err != nil {
		t.Fatal(err)
	}
	stories := make(chan gate.Story)
	ended := make(chan error, 1)
	go func() { ended <- watchStory(watched, stories) }()

	tell := os.NewFile(uintptr(pair[1]), "gate")
	tell.WriteString(`{"warning":"careful"}` + "\n" + `{"started":{"pid":7,"version":"2.1.330"}}` + "\n")
	if s := <-stories; s.Started == nil || s.Started.PID != 7 || len(s.Warnings) != 1 {
		t.Fatalf("first part: %+v", s)
	}
	tell.WriteString(`{"ended":{"known":true,"code":3}}` + "\n" + `{"cut sho`)
	if s := <-stories; s.Ended == nil || s.Ended.Code != 3 {
		t.Fatalf("second part: %+v", s)
	}
	tell.Close()
	for range 2 {
		s, err := readStory(pair[0])
		if err != nil || s.Ended == nil || s.Started == nil {
			t.Fatalf("after the gate's end: %+v, %v", s, err)
		}
	}
	watched.Close()
	<-ended
}
