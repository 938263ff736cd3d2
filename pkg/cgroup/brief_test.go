package cgroup

import (
	"os"
	"path/filepath"
	"testing"
)

func TestBrief(t *testing.T) {
	root := t.TempDir()
	for name, text := range map[string]string{"a/cpu.stat": "usage_usec 42\nuser_usec 1\n", "a/memory.current": "7\n",
		"b/cpu.stat": "usage_usec 43\n", "b/cgroup.procs": "1\n"} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for path, want := range map[string]Usage{
		"/a": {CPUMicros: Count{42, true}, Memory: Count{7, true}, MemorySource: MemoryCgroup},
		"/b": {CPUMicros: Count{43, true}},
	} {
		g, err := Host{Root: root, Proc: "/proc"}.Open(path)
		if err != nil {
			t.Fatal(err)
		}
		defer g.Close()
		if u, err := g.Brief(); err != nil || u != want {
			t.Errorf("%s: %+v, %v", path, u, err)
		}
	}
}
