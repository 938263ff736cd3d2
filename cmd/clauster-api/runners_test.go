package main

import (
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"clauster/pkg/cgroup"
	"clauster/pkg/config"
)

// TestRunners: a living bridge's uid is known whatever the configuration says,
// from its processes; root's helpers are nobody's.
func TestRunners(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		write := func(path, text string) {
			t.Helper()
			path = filepath.Join(dir, path)
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		write("cgroup/a.scope/cgroup.procs", "7\n8\n9\n")
		write("proc/7/status", "Name:\tsudo\nUid:\t0\t0\t0\t0\n")
		write("proc/8/status", "Name:\tclaude\nUid:\t1000\t0\t1000\t1000\nGid:\t1\t1\t1\t1\n")
		write("cgroup/b.scope/cgroup.procs", "10\n")
		write("proc/10/status", "Name:\tclaude\nUid:\t1001\t1001\t1001\t1001\n")
		write("cgroup/c.scope/cgroup.procs", "11\n") // ended
		cfg, paths := &config.Config{User: "ghost"}, []string{"/a.scope"}
		r := &runners{config: func() *config.Config { return cfg }, scopes: func() []string { return paths },
			cgroups: cgroup.Host{Root: filepath.Join(dir, "cgroup"), Proc: filepath.Join(dir, "proc")}}
		want := func(want ...int) {
			t.Helper()
			if got := r.uids(); !slices.Equal(got, want) {
				t.Errorf("%v, want %v", got, want)
			}
		}
		want(1000)
		paths = []string{"/a.scope", "/b.scope", "/c.scope", "/gone.scope"}
		want(1000) // a moment old
		cfg = &config.Config{User: "ann"}
		want(1000, 1001) // a reload
		paths = nil
		<-time.After(runnersFresh)
		want()
	})
}

func TestRealUID(t *testing.T) {
	for status, want := range map[string]int{"": 0, "Uid:\n": 0, "Uid:\tx\t1\t1\t1\n": 0, "Uid:\t5\t6\t7\t8": 5} {
		if got := realUID(status); got != want {
			t.Errorf("%q: %d", status, got)
		}
	}
	own, err := os.ReadFile("/proc/self/status")
	if err != nil {
		t.Fatal(err)
	}
	if got := realUID(string(own)); got != os.Getuid() {
		t.Errorf("own: %d", got)
	}
}

// TestBridgeUID: a user that is not there is told once, and looked for again.
func TestBridgeUID(t *testing.T) {
	var said strings.Builder
	cfg := &config.Config{User: "no-such-login"}
	uid := bridgeUID(func() *config.Config { return cfg }, slog.New(slog.NewTextHandler(&said, nil)))
	first, second := uid(), uid()
	if first != -1 || second != -1 || strings.Count(said.String(), "no-such-login") != 1+strings.Count(said.String(), "unknown user no-such-login") || said.Len() == 0 {
		t.Errorf("said %q", said.String())
	}
	cfg = &config.Config{User: "root"}
	if uid() != 0 {
		t.Errorf("root is %d", uid())
	}
}
