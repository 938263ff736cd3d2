package e2e

import (
	"strconv"
	"strings"
	"time"

	"clauster/test/machine"
)

const vmScopes = "/sys/fs/cgroup/clauster.slice/clauster-bridge-"

// The limits of a project are in force in the scope's own files, and each does
// what it is for.
func vmLimits(b *bed) {
	// First, because its keeper looks at it with each feeding of the watchdog.
	b.newProject("vm-child", map[string]string{"eat": "256M:child"})
	b.mustStart("vm-child")
	child := b.status("vm-child")
	b.limitsInForce()
	b.outOfMemory()
	b.forkBomb()
	b.childOutOfMemory(child)
}

func (b *bed) limitsInForce() {
	b.t.Helper()
	b.newProject("vm-limits", nil)
	b.newProject("vm-free", nil)
	b.mustStart("vm-limits")
	b.mustStart("vm-free")
	for file, want := range map[string][2]string{
		"memory.max": {strconv.Itoa(300 << 20), "max"}, "memory.high": {strconv.Itoa(200 << 20), "max"},
		"cpu.max": {"50000 100000", "max 100000"}, "cpu.weight": {"50", "100"}, "io.weight": {"default 20", "default 100"},
		"pids.max": {"48", ""},
	} {
		for n, instance := range []string{"vm-limits", "vm-free"} {
			got := strings.TrimSpace(b.MustReadFile(vmScopes + instance + ".scope/" + file))
			if want[n] != "" && got != want[n] {
				b.t.Errorf("%s of %s: %q, want %q", file, instance, got, want[n])
			}
		}
	}
	b.noWarnings("vm-limits")
	b.MustRun("systemctl", "stop", "clauster@vm-limits", "clauster@vm-free")
}

// noWarnings checks that no limit, or anything else, was refused.
func (b *bed) noWarnings(instance string) {
	b.t.Helper()
	for _, e := range b.events(instance) {
		if e.Get("CLAUSTER_EVENT") == "warning" {
			b.t.Errorf("warning: %s", e.Get("MESSAGE"))
		}
	}
}

// A fork bomb fills its own scope and nothing else: the bridge serves on, its
// keeper can die and come back, and a stop takes no longer than it may.
func (b *bed) forkBomb() {
	b.t.Helper()
	b.MustWriteFile("/home/op/projects/vm-limits/.fakeclaude", "attack=bomb.sh\n", 0o644, "op")
	b.MustWriteFile("/home/op/projects/vm-limits/bomb.sh", "b() { b & b & }\nwhile :; do (b) 2>/dev/null; done\n", 0o644, "op")
	b.mustStart("vm-limits")
	scope := vmScopes + "vm-limits.scope/"
	b.MustWaitFor("the bomb at its limit", vmSettle, func() bool {
		return !strings.HasPrefix(b.MustReadFile(scope+"pids.events"), "max 0\n")
	})
	was := b.status("vm-limits")
	b.MustSh(`kill -9 "$(systemctl show -P MainPID clauster@vm-limits)"`)
	b.MustWaitFor("a new keeper over the bomb", vmSettle, func() bool {
		s := b.status("vm-limits")
		return s.Status == "running" && s.Health == "ok" && s.PID == was.PID
	})
	began := time.Now()
	b.stop("vm-limits")
	if took := time.Since(began); took > 30*time.Second {
		b.t.Errorf("the stop took %s", took)
	}
	if r := b.result("test", "-e", scope); r.Code == 0 {
		b.t.Errorf("left of the bomb: %s", b.MustReadFile(scope+"cgroup.procs"))
	}
	b.waitRuns("vm-limits", "spawn ready stop", "spawn ready stop")
}

// A bridge that exceeds memory_max is killed by the kernel, and everybody says
// so with the figures.
func (b *bed) outOfMemory() {
	b.t.Helper()
	b.newProject("vm-oom", map[string]string{"eat": "256M"})
	b.mustStart("vm-oom")
	e := b.MustWaitJournal("the crash of vm-oom", isEvent("crash"), "CLAUSTER_INSTANCE=vm-oom")
	b.hasFigures(e)
	if e.Get("CLAUSTER_VERDICT") != "oom" || e.Get("CLAUSTER_EXIT_SIGNAL") != "SIGKILL" {
		b.t.Errorf("verdict %q, signal %q", e.Get("CLAUSTER_VERDICT"), e.Get("CLAUSTER_EXIT_SIGNAL"))
	}
	const reason = "the kernel killed it at its memory limit of 64 MiB (1 OOM kill)"
	if s := b.status("vm-oom"); s.Status != "crashed" || !strings.Contains(s.Reason, reason) {
		b.t.Errorf("status: %+v", s)
	}
	if text := b.result("systemctl", "status", "--no-pager", "--full", "clauster@vm-oom").Stdout; !strings.Contains(text, reason) {
		b.t.Errorf("systemctl status: %s", text)
	}
}

// Where only a child is killed the bridge lives on, and its log would say
// nothing about why a session died.
func (b *bed) childOutOfMemory(was status) {
	b.t.Helper()
	e := b.MustWaitJournal("the warning of vm-child", isEvent("warning"), "CLAUSTER_INSTANCE=vm-child")
	b.hasFigures(e)
	if now := b.status("vm-child"); now.PID != was.PID || now.Status != "running" || now.Health != "ok" {
		b.t.Errorf("status: %+v, was %+v", now, was)
	}
	b.stop("vm-child")
	b.hasFigures(b.MustWaitJournal("the stop of vm-child", isEvent("stop"), "CLAUSTER_INSTANCE=vm-child"))
}

func isEvent(name string) func(machine.Entry) bool {
	return func(e machine.Entry) bool { return e.Get("CLAUSTER_EVENT") == name }
}

// hasFigures checks those of one OOM kill at a limit of 64 MiB.
func (b *bed) hasFigures(e machine.Entry) {
	b.t.Helper()
	peak, _ := strconv.Atoi(e.Get("CLAUSTER_MEMORY_PEAK"))
	if e.Get("CLAUSTER_OOM_KILLS") != "1" || e.Get("CLAUSTER_MEMORY_MAX") != strconv.Itoa(64<<20) || peak < 60<<20 || peak > 66<<20 {
		b.t.Errorf("%s: OOM kills %q, limit %q, peak %q", e.Get("MESSAGE"), e.Get("CLAUSTER_OOM_KILLS"),
			e.Get("CLAUSTER_MEMORY_MAX"), e.Get("CLAUSTER_MEMORY_PEAK"))
	}
}
