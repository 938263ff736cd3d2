package cgroup

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// realGroup makes a cgroup of the kernel's, if that is allowed here.
func realGroup(t testing.TB) (Host, string) {
	t.Helper()
	for _, root := range []string{"/sys/fs/cgroup", "/sys/fs/cgroup/unified"} {
		h := Host{Root: root, Proc: "/proc"}
		if h.Check() != nil {
			continue
		}
		path := fmt.Sprintf("/clauster-test-%d", os.Getpid())
		if err := os.Mkdir(filepath.Join(root, path), 0o755); err != nil {
			t.Skip(err)
		}
		t.Cleanup(func() {
			h.Kill(path, 5*time.Second)
			os.Remove(filepath.Join(root, path))
		})
		return h, path
	}
	t.Skip("no cgroup v2 here")
	return Host{}, ""
}

// A tree that ignores TERM, has stopped and setsid members and forks on is gone
// when Kill returns.
func TestKillForReal(t *testing.T) {
	h, path := realGroup(t)
	script := fmt.Sprintf(`echo $$ > %s/cgroup.procs
trap '' TERM HUP
setsid sleep 1000 &
sleep 1000 & kill -STOP $!
echo ready
while :; do sleep 0.01; done`, filepath.Join(h.Root, path))
	cmd := exec.Command("sh", "-c", script)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer cmd.Process.Kill()
	if line, _ := bufio.NewReader(out).ReadString('\n'); line != "ready\n" {
		t.Skipf("a process cannot be moved here: %q", line)
	}
	if got, err := h.Path(cmd.Process.Pid); err != nil || got != path {
		t.Errorf("path %q %v", got, err)
	}
	g, err := h.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if pids, _, err := g.Procs(); err != nil || len(pids) < 3 {
		t.Errorf("procs %v %v", pids, err)
	}
	if populated, _, err := g.State(); !populated || err != nil {
		t.Errorf("populated %v %v", populated, err)
	}
	if u, err := g.Usage(); err != nil || !u.Memory.Known || u.Memory.N == 0 {
		t.Errorf("usage %+v %v", u, err)
	}
	if err := g.WaitEmpty(time.Millisecond); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("waiting for the living: %v", err)
	}
	began := time.Now()
	if err := h.Kill(path, 10*time.Second); err != nil {
		t.Fatal(err)
	}
	t.Logf("killed in %v", time.Since(began))
	if populated, _, _ := g.State(); populated {
		t.Error("still populated")
	}
	var ws unix.WaitStatus
	unix.Wait4(cmd.Process.Pid, &ws, 0, nil)
	if ws.Signal() != unix.SIGKILL {
		t.Errorf("ended by %v", ws)
	}
	if err := h.Kill(path, time.Second); err != nil {
		t.Errorf("killing nobody: %v", err)
	}
}

func TestKillRefusesItsOwn(t *testing.T) {
	files := machine()
	files["proc/"+strconv.Itoa(os.Getpid())+"/cgroup"] = "0::" + scope + "\n"
	files["root"+scope+"/cgroup.kill"] = ""
	files["root/clauster.slice/cgroup.kill"] = ""
	h := tree(t, files)
	for _, path := range []string{"/", "/clauster.slice", scope} {
		if err := h.Kill(path, time.Millisecond); err == nil {
			t.Errorf("%s was killed", path)
		}
	}
	if text, _ := os.ReadFile(filepath.Join(h.Root, scope, "cgroup.kill")); len(text) > 0 {
		t.Errorf("%q was written", text)
	}
}

func BenchmarkUsageForReal(b *testing.B) {
	h, path := realGroup(b)
	g, err := h.Open(path)
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	var buf [fileSize]byte
	b.ReportAllocs()
	for b.Loop() {
		g.ReadInto("cgroup.events", buf[:])
	}
}
