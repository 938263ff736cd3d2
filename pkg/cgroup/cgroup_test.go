package cgroup

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

// tree writes files below a directory of their own and gives it as a host:
// names under root/ and proc/.
func tree(t testing.TB, files map[string]string) Host {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return Host{Root: filepath.Join(dir, "root"), Proc: filepath.Join(dir, "proc")}
}

const scope = "/clauster.slice/clauster-bridge-blog.scope"

// machine is a bridge as a kernel 6.1 shows it.
func machine() map[string]string {
	in := "root" + scope + "/"
	return map[string]string{
		"root/cgroup.controllers": "cpu io memory pids\n",
		in + "cgroup.procs":       "4711\n4712\n",
		in + "cgroup.events":      "populated 1\nfrozen 0\n",
		in + "cpu.stat":           "usage_usec 4201337\nuser_usec 4000000\nsystem_usec 201337\nnr_periods 0\n",
		in + "memory.current":     "209715200\n",
		in + "memory.peak":        "314572800\n",
		in + "memory.events":      "low 0\nhigh 5\nmax 12\noom 2\noom_kill 1\noom_group_kill 0\n",
		in + "memory.pressure":    "some avg10=1.25 avg60=0.50 avg300=0.00 total=12345\nfull avg10=100.00 avg60=0.07 avg300=0.01 total=99\n",
		in + "io.stat":            "8:0 rbytes=1000 wbytes=2000 rios=3 wios=4 dbytes=5 dios=6\n259:0 rbytes=1 wbytes=2 rios=0 wios=0 dbytes=0 dios=0\n8:16 \n",
		in + "pids.current":       "17\n",
		"proc/4711/cgroup":        "0::" + scope + "\n",
		"proc/4711/statm":         "250000 1000 300 1 0 5000 0\n",
		"proc/4711/smaps_rollup":  "55d0-7ffe ---p 00000000 00:00 0 [rollup]\nRss:            9000 kB\nPss:            3000 kB\nPss_Anon: 1 kB\n",
		"proc/4712/statm":         "250000 500 300 1 0 5000 0\n",
	}
}

func known(n uint64) Count { return Count{N: n, Known: true} }

func TestUsage(t *testing.T) {
	u, err := tree(t, machine()).Usage(scope)
	want := Usage{
		Memory: known(209715200), MemorySource: MemoryCgroup, MemoryPeak: known(314572800),
		CPUMicros: known(4201337), IORead: known(1001), IOWritten: known(2002), Pids: known(17),
	}
	if err != nil || u != want {
		t.Errorf("%v\n%s", err, cmp.Diff(want, u))
	}
	if u.CPU() != 4201337*time.Microsecond {
		t.Errorf("cpu %v", u.CPU())
	}
}

func TestUsageWithoutControllers(t *testing.T) {
	files := machine()
	for _, file := range []string{"memory.current", "memory.peak", "io.stat", "pids.current"} {
		delete(files, "root"+scope+"/"+file)
	}
	u, err := tree(t, files).Usage(scope)
	pages := uint64(500 * os.Getpagesize())
	if err != nil || u.Memory != known(3000<<10+pages) || u.MemorySource != MemoryRSS || u.IORead.Known || u.Pids.Known || !u.CPUMicros.Known {
		t.Errorf("%+v %v", u, err)
	}
	delete(files, "proc/4712/statm") // it has just ended
	if u, _ := tree(t, files).Usage(scope); u.Memory != known(3000<<10) || u.MemorySource != MemoryPSS {
		t.Errorf("%+v", u)
	}
	var many strings.Builder
	for pid := range 2 * MaxProcs {
		many.WriteString(strconv.Itoa(100000+pid) + "\n")
	}
	files["root"+scope+"/cgroup.procs"] = many.String()
	if u, _ := tree(t, files).Usage(scope); u.Memory.Known {
		t.Errorf("a part of the processes was taken for all: %+v", u)
	}
}

func TestGroupFiles(t *testing.T) {
	g, err := tree(t, machine()).Open(scope)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	if e, ok := g.MemoryEvents(); !ok || e != (MemoryEvents{High: 5, Max: 12, OOM: 2, OOMKill: 1}) {
		t.Errorf("memory.events %+v %v", e, ok)
	}
	want := Pressure{Some: Stall{1.25, 0.5, 0, 12345}, Full: Stall{100, 0.07, 0.01, 99}}
	if p, ok := g.Pressure("memory"); !ok || p != want {
		t.Errorf("pressure %+v %v", p, ok)
	}
	if _, ok := g.Pressure("io"); ok {
		t.Error("pressure from nowhere")
	}
	if _, ok := g.Pressure("../memory"); ok {
		t.Error("a path as a resource")
	}
	if populated, frozen, err := g.State(); !populated || frozen || err != nil {
		t.Errorf("state %v %v %v", populated, frozen, err)
	}
	if pids, whole, err := g.Procs(); !cmp.Equal(pids, []int{4711, 4712}) || !whole || err != nil {
		t.Errorf("procs %v %v %v", pids, whole, err)
	}
}

func TestGoneGroup(t *testing.T) {
	h := tree(t, machine())
	g, err := h.Open(scope)
	if err != nil {
		t.Fatal(err)
	}
	defer g.Close()
	os.RemoveAll(filepath.Join(h.Root, scope))
	if _, err := g.Usage(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("usage: %v", err)
	}
	if _, _, err := g.State(); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("state: %v", err)
	}
	if err := g.Kill(time.Second); err != nil {
		t.Errorf("kill: %v", err)
	}
	if err := h.Kill(scope, time.Second); err != nil {
		t.Errorf("kill by path: %v", err)
	}
	if _, err := h.Open(scope); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("open: %v", err)
	}
}

func TestPath(t *testing.T) {
	for name, c := range map[string]struct{ content, path, err string }{
		"unified":     {"0::" + scope + "\n", scope, ""},
		"root":        {"0::/\n", "/", ""},
		"beside v1":   {"9:name=systemd:/\n1:cpu:/\n0::/a/b\n", "/a/b", ""},
		"deleted":     {"0::/a (deleted)\n", "", "removed"},
		"outside":     {"0::/../../b\n", "", "not a path below"},
		"v1":          {"9:name=systemd:/\n", "", "unified"},
		"empty":       {"", "", "unified"},
		"a bad path":  {"0::relative\n", "", "not a path below"},
		"double":      {"0::/a//b\n", "", "not a path below"},
		"name has ::": {"0::/a::b/c:d\n", "/a::b/c:d", ""},
	} {
		t.Run(name, func(t *testing.T) {
			files := machine()
			files["proc/7/cgroup"] = c.content
			path, err := tree(t, files).Path(7)
			if path != c.path || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%q, %v", path, err)
			}
		})
	}
	if _, err := tree(t, machine()).Path(8); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("no process: %v", err)
	}
}

func TestCheck(t *testing.T) {
	for name, c := range map[string]struct{ file, want string }{
		"v2":     {"root/cgroup.controllers", ""},
		"hybrid": {"root/unified/cgroup.controllers", "hybrid"},
		"v1":     {"root/memory/tasks", "cgroup v1"},
		"none":   {"proc/x", "no cgroup file system"},
	} {
		h := tree(t, map[string]string{c.file: ""})
		err := h.Check()
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if err != nil && !errors.Is(err, ErrNoCgroup2) {
			t.Errorf("%s: %v is not ErrNoCgroup2", name, err)
		}
	}
}

func TestOpenStaysBelowTheRoot(t *testing.T) {
	h := tree(t, machine())
	os.Symlink("/", filepath.Join(h.Root, "link"))
	os.Symlink("clauster.slice", filepath.Join(h.Root, "inner"))
	for _, path := range []string{"", ".", "..", "/..", "/../proc", "/clauster.slice/../..", "clauster.slice", "//", "/link", "/link/etc", "/inner", "/a\x00b", "/cgroup.controllers", "/" + strings.Repeat("a/", 3000) + "a"} {
		if g, err := h.Open(path); err == nil {
			g.Close()
			t.Errorf("%q was opened", path)
		}
	}
	g, err := h.Open("/")
	if err != nil {
		t.Fatal(err)
	}
	g.Close()
}

func FuzzParse(f *testing.F) {
	for _, content := range machine() {
		f.Add([]byte(content))
	}
	f.Add([]byte("some avg10=99999999999999999999.99 total=18446744073709551616\nusage_usec max"))
	f.Fuzz(func(t *testing.T, data []byte) {
		field(data, "usage_usec")
		sum(data, "rbytes")
		if s := stall(data, "some"); s.Avg10 < 0 || s.Avg10 > 1001 {
			t.Errorf("pressure %v", s)
		}
		if n, ok := number(data); ok && n > 0 && !strings.Contains(string(data), strconv.FormatUint(n, 10)) {
			t.Errorf("number %d of %q", n, data)
		}
	})
}

func BenchmarkUsage(b *testing.B) {
	g, err := tree(b, machine()).Open(scope)
	if err != nil {
		b.Fatal(err)
	}
	defer g.Close()
	b.ReportAllocs()
	for b.Loop() {
		g.Usage()
	}
}
