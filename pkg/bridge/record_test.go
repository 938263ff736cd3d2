package bridge

import (
	"encoding/json"
	"strings"
	"testing"
)

func goodRecord() Record {
	return Record{Schema: 1, Kind: KindBridge, Host: "h", Instance: "blog:two", Label: "two", Path: "/srv/blog", Run: "abc", BootID: "b",
		Options: Options{Mode: PTY, SpawnMode: Worktree, PermissionMode: PermPlan, Capacity: 4}}
}

func TestRecordRoundTrip(t *testing.T) {
	want := goodRecord()
	data, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	got, err := DecodeRecord(data)
	if err != nil || got != want {
		t.Fatalf("got %+v, %v", got, err)
	}
}

func TestRecordRules(t *testing.T) {
	for name, spoil := range map[string]func(*Record){
		"schema":          func(r *Record) { r.Schema = 2 },
		"kind":            func(r *Record) { r.Kind = "task" },
		"instance":        func(r *Record) { r.Instance = "../x" },
		"mode":            func(r *Record) { r.Mode = "tmux" },
		"permission mode": func(r *Record) { r.PermissionMode = "root" },
		"label":           func(r *Record) { r.Label = "--dangerously-skip-permissions" },
		"name":            func(r *Record) { r.Name = "a\x1b]0;b" },
		"worktree":        func(r *Record) { r.Worktree = "../../etc" },
		"resumed":         func(r *Record) { r.Resumed = "--help" },
		"path":            func(r *Record) { r.Path = "srv" },
		"run":             func(r *Record) { r.Run = "a b" },
	} {
		r := goodRecord()
		spoil(&r)
		if err := r.Validate(); err == nil || !strings.Contains(err.Error(), name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func FuzzDecodeRecord(f *testing.F) {
	data, _ := json.Marshal(goodRecord())
	f.Add(data)
	f.Add([]byte(`{"schema":1,"kind":"bridge","instance":"a"}`))
	f.Fuzz(func(t *testing.T, data []byte) {
		r, err := DecodeRecord(data)
		if err != nil {
			return
		}
		if strings.HasPrefix(r.Label, "-") || strings.ContainsAny(r.Worktree, "/") || !strings.HasPrefix(r.Path, "/") {
			t.Fatalf("accepted %+v", r)
		}
	})
}

func TestRequestHasNoSessionInPTY(t *testing.T) {
	for want, r := range map[error]Request{
		ErrSessionInPTY: {Instance: "a", Options: Options{Mode: PTY, SpawnMode: Session}},
		nil:             {Instance: "a", Options: Options{SpawnMode: Session}},
	} {
		if err := r.Validate(); err != want {
			t.Errorf("%+v: %v", r, err)
		}
	}
}
