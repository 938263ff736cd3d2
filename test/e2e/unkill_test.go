package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"clauster/test/machine"
)

// Helpers of the tests in which keepers die.

// build builds a static command of this repository for a machine and gives its
// path on the host.
func build(t testing.TB, name, source string, flags ...string) string {
	t.Helper()
	root, err := machine.RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	out := filepath.Join(root, "build/bin", name)
	cmd := exec.Command("go", append(append([]string{"build", "-trimpath", "-o", out}, flags...), source)...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if slices.Contains(flags, "-race") {
		cmd.Env = append(os.Environ(), "CGO_ENABLED=1")
	}
	if text, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("cannot build %s: %v\n%s", name, err, text)
	}
	return out
}

const keeperPath = "/usr/lib/clauster/clauster-keeper"

// installKeeper puts another keeper in the place of the packaged one, as a
// package does: a new file under the old name.
func (b *bed) installKeeper(file string) {
	b.t.Helper()
	if err := b.CopyIn(file, keeperPath+".new", ""); err != nil {
		b.t.Fatal(err)
	}
	b.MustSh(`chmod 0711 "$1.new" && mv "$1.new" "$1"`, keeperPath)
}

// watchRaces installs a keeper with Go's race detector, and fails the test at
// its end if the detector has found anything.
func (b *bed) watchRaces() {
	b.t.Helper()
	b.installKeeper(build(b.t, "clauster-keeper-race", "./cmd/clauster-keeper", "-race"))
	b.MustWriteFile("/etc/systemd/system/clauster@.service.d/race.conf",
		"[Service]\nEnvironment=GORACE=atexit_sleep_ms=0\nMemoryMax=infinity\n", 0o644, "")
	b.MustRun("systemctl", "daemon-reload")
	b.t.Cleanup(func() {
		if r := b.result("sh", "-c", `journalctl --no-pager -o cat | grep -A60 "DATA RACE"`); r.Code == 0 {
			b.t.Errorf("the keeper races:\n%.6000s", r.Stdout)
		}
	})
}

// keeperPID is the main process of an instance's unit, 0 without one.
func (b *bed) keeperPID(instance string) int {
	b.t.Helper()
	pid, err := strconv.Atoi(b.MustShow("clauster@"+instance+".service", "MainPID"))
	if err != nil {
		b.t.Fatal(err)
	}
	return pid
}

// shootKeeper sends SIGKILL to the keeper and reports whether it met a living
// one.
func (b *bed) shootKeeper(instance string) bool {
	b.t.Helper()
	pid := b.keeperPID(instance)
	return pid != 0 && b.Kill(pid, syscall.SIGKILL) == nil
}

// waitReattached waits until another keeper than old serves.
func (b *bed) waitReattached(instance string, old int) {
	b.t.Helper()
	unit := "clauster@" + instance + ".service"
	b.MustWaitFor("a new keeper of "+instance, settle, func() bool {
		s, err := b.Show(unit, "MainPID", "ActiveState")
		return err == nil && s["ActiveState"] == "active" && s["MainPID"] != "0" && s["MainPID"] != strconv.Itoa(old)
	})
}

// recording is a recorder at work (test/e2e/recorder).
type recording struct {
	b *bed
	p *machine.Process
}

const recorderPath = "/usr/local/bin/recorder"

// record begins to check the numbered output of an instance. The bridge needs
// count=RATE, and the machine the recorder (needRecorder).
func (b *bed) record(instance string) *recording {
	b.t.Helper()
	return &recording{b, b.MustStart(machine.Command{Args: []string{recorderPath, instance}, Timeout: 2 * time.Hour})}
}

// attached waits until the recorder has the terminal.
func (r *recording) attached() *recording {
	r.b.t.Helper()
	if err := r.p.WaitOutput(settle, func(out string) bool { return strings.Contains(out, "\nat ") }); err != nil {
		r.b.t.Fatal(err)
	}
	return r
}

func (b *bed) needRecorder() {
	b.t.Helper()
	if err := b.CopyIn(build(b.t, "recorder", "./test/e2e/recorder"), recorderPath, ""); err != nil {
		b.t.Fatal(err)
	}
}

// finish waits for the recorder's end, which comes with the bridge's, and
// checks that nothing was lost and nothing came twice.
func (r *recording) finish(atLeast int) {
	r.b.t.Helper()
	if err := r.p.WaitOutput(settle, func(out string) bool { return strings.Contains(out, "\nend last=") }); err != nil {
		_ = r.p.Signal(syscall.SIGTERM)
	}
	got, err := r.p.Wait()
	if err != nil {
		r.b.t.Errorf("recorder: %v", err)
	}
	var last, lines, redials, faults int
	_, text, _ := strings.Cut(got.Stdout, "\nend ")
	_, _ = fmt.Sscanf(text, "last=%d lines=%d redials=%d faults=%d", &last, &lines, &redials, &faults) // zeros fail below
	if faults > 0 || lines != last || last < atLeast || got.Code != 0 {
		r.b.t.Errorf("the numbered output is not complete (%d numbers wanted at least):\n%s", atLeast, got.Stdout)
	}
	r.b.t.Logf("recorded %d numbers over %d redials", last, redials)
}

// runs gives, for each run of an instance in order, its spawn, ready, stop,
// crash and error events, repeats under the same id counted once.
func (b *bed) runs(instance string) []string {
	b.t.Helper()
	var order []string
	life, seen := map[string][]string{}, map[string]bool{}
	for _, e := range b.events(instance) {
		name, run, id := e.Get("CLAUSTER_EVENT"), e.Get("CLAUSTER_RUN"), e.Get("CLAUSTER_EVENT_ID")
		if !slices.Contains([]string{"spawn", "ready", "stop", "crash", "error"}, name) || seen[id] {
			continue
		}
		seen[id] = true
		if _, known := life[run]; !known {
			order = append(order, run)
		}
		life[run] = append(life[run], name)
	}
	for i, run := range order {
		order[i] = strings.Join(life[run], " ")
	}
	return order
}

// waitRuns waits until the runs of an instance are as wanted.
func (b *bed) waitRuns(instance string, want ...string) {
	b.t.Helper()
	err := b.WaitFor("events", 10*time.Second, func() bool { return slices.Equal(b.runs(instance), want) })
	if err != nil {
		b.t.Errorf("events of the runs of %s: %q, want %q", instance, b.runs(instance), want)
	}
}

// countEvents gives how many events of a name an instance has had.
func (b *bed) countEvents(instance, event string) (n int) {
	b.t.Helper()
	for _, e := range b.events(instance) {
		if e.Get("CLAUSTER_EVENT") == event {
			n++
		}
	}
	return n
}

// nothingLeft checks that an instance has left no process, no scope and no
// failed unit. Only for machines where nothing else runs.
func (b *bed) nothingLeft(instance string) {
	b.t.Helper()
	if out := b.result("systemctl", "list-units", "--all", "--no-legend", "--plain", "clauster@"+instance+".service", "clauster-bridge-"+instance+".scope").Stdout; strings.TrimSpace(out) != "" {
		b.t.Errorf("units are left:\n%s", out)
	}
	if r := b.result("sh", "-c", "pgrep -ax 'claude|clauster-keeper'"); r.Code == 0 || r.Stdout != "" {
		b.t.Errorf("processes are left:\n%s", r.Stdout)
	}
}
