// Command probe measures from inside a machine, so that no figure contains the
// way into it. It prints one JSON object. See test/bench.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	osuser "os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/creack/pty"

	"clauster/pkg/bridge"
	"clauster/pkg/systemd"
)

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}

// Figures are what one measurement prints; times are milliseconds.
type Figures struct {
	N   int     `json:"n"`
	P50 float64 `json:"p50"`
	P99 float64 `json:"p99"`
	Max float64 `json:"max"`
}

func figures(ms []float64) Figures {
	slices.Sort(ms)
	at := func(q float64) float64 { return ms[min(len(ms)-1, int(q*float64(len(ms))))] }
	return Figures{len(ms), at(0.5), at(0.99), ms[len(ms)-1]}
}

func run(args []string) error {
	if len(args) < 2 {
		return errors.New("usage: probe start|standin|scope|crash|reattach|restart|list|usage ARGUMENT…")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	ctx := context.Background()
	var out any
	switch args[0] {
	case "start":
		out, err = start(ctx, args[2], n)
	case "standin":
		out, err = standin(n)
	case "scope":
		out, err = command(n, "systemd-run", "--scope", "--quiet", "true")
	case "list":
		out, err = command(n, "clauster-ctl", "list")
	case "crash":
		out, err = killed(ctx, args[2], n, bridge.EventCrash)
	case "reattach":
		out, err = killed(ctx, args[2], n, bridge.EventReattached)
	case "restart":
		out, err = restart(ctx, n)
	case "usage":
		out, err = usage(time.Duration(n) * time.Second)
	default:
		err = fmt.Errorf("cannot measure %q", args[0])
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func milliseconds(d time.Duration) float64 { return float64(d.Microseconds()) / 1000 }

// start measures from asking systemd to the job's result.
func start(ctx context.Context, instance string, n int) (any, error) {
	bus, err := systemd.Connect(ctx, systemd.System)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	unit := "clauster@" + instance + ".service"
	var ms []float64
	for range n {
		begin := time.Now()
		if result, err := bus.StartUnit(ctx, unit); err != nil || result != "done" {
			return nil, fmt.Errorf("start: %s, %w", result, err)
		}
		ms = append(ms, milliseconds(time.Since(begin)))
		if _, err := bus.StopUnit(ctx, unit); err != nil {
			return nil, err
		}
	}
	return figures(ms), nil
}

// standin measures the stand-in's own way to its poll loop, on a terminal, as
// the bridge user: what no supervisor can save.
func standin(n int) (any, error) {
	u, err := osuser.Lookup("op")
	if err != nil {
		return nil, err
	}
	uid, _ := strconv.Atoi(u.Uid)
	gid, _ := strconv.Atoi(u.Gid)
	var ms []float64
	for i := range n {
		debug := filepath.Join(u.HomeDir, fmt.Sprintf("standin-%d.log", i))
		cmd := exec.Command(u.HomeDir+"/.local/bin/claude", "remote-control", "--name", "x", "--debug-file", debug, "--spawn", "same-dir")
		cmd.Dir, cmd.Env = u.HomeDir+"/projects/bench", []string{"HOME=" + u.HomeDir, "PATH=/usr/bin:/bin", "TERM=xterm"}
		attr := &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, Setsid: true, Setctty: true}
		begin := time.Now()
		tty, err := pty.StartWithAttrs(cmd, &pty.Winsize{Rows: 40, Cols: 120}, attr)
		if err != nil {
			return nil, err
		}
		go func() { _, _ = io.Copy(io.Discard, tty) }()
		if err := until(5*time.Second, func() bool {
			data, _ := os.ReadFile(debug)
			return strings.Contains(string(data), "Starting poll loop")
		}); err != nil {
			return nil, err
		}
		ms = append(ms, milliseconds(time.Since(begin)))
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		tty.Close()
		os.Remove(debug)
	}
	return figures(ms), nil
}

func until(limit time.Duration, cond func() bool) error {
	for deadline := time.Now().Add(limit); !cond(); time.Sleep(200 * time.Microsecond) {
		if time.Now().After(deadline) {
			return errors.New("cannot wait longer for a condition")
		}
	}
	return nil
}

// command measures whole processes.
func command(n int, name string, args ...string) (any, error) {
	var ms []float64
	for range n {
		begin := time.Now()
		if err := exec.Command(name, args...).Run(); err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		ms = append(ms, milliseconds(time.Since(begin)))
	}
	return figures(ms), nil
}

// killed measures from SIGKILL to the journal's own time of the event: of the
// bridge to its crash, or of the keeper to the reattach.
func killed(ctx context.Context, instance string, n int, event bridge.Event) (any, error) {
	bus, err := systemd.Connect(ctx, systemd.System)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	inst := bridge.Instance{Project: instance}
	if _, err := bus.RestartUnit(ctx, inst.Unit()); err != nil {
		return nil, err
	}
	var ms []float64
	for i := range n {
		if event == bridge.EventCrash && i > 0 { // do not wait out the growing delay
			if _, err := bus.RestartUnit(ctx, inst.Unit()); err != nil {
				return nil, err
			}
		}
		pid, err := victim(ctx, bus, inst, event)
		if err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return nil, err
		}
		at, err := eventAfter(inst, event, begin)
		if err != nil {
			return nil, err
		}
		ms = append(ms, milliseconds(at.Sub(begin)))
		if event == bridge.EventReattached { // systemd has seen READY again, and the brake (keeper/brake.go) counts ten in 10 s
			time.Sleep(1100 * time.Millisecond)
			if err := until(5*time.Second, func() bool {
				state, err := bus.ActiveState(ctx, inst.Unit())
				return err == nil && state == "active"
			}); err != nil {
				return nil, err
			}
		}
	}
	return figures(ms), nil
}

func victim(ctx context.Context, bus *systemd.Bus, inst bridge.Instance, event bridge.Event) (int, error) {
	if event == bridge.EventReattached {
		return bus.MainPID(ctx, inst.Unit())
	}
	procs, err := os.ReadFile("/sys/fs/cgroup/clauster.slice/" + inst.Scope() + "/cgroup.procs")
	if err != nil {
		return 0, err
	}
	for pid := range strings.FieldsSeq(string(procs)) {
		if comm, _ := os.ReadFile("/proc/" + pid + "/comm"); strings.TrimSpace(string(comm)) == "claude" {
			return strconv.Atoi(pid)
		}
	}
	return 0, errors.New("cannot find claude in the scope")
}

// eventAfter gives the journal's receive time of the first such event since.
func eventAfter(inst bridge.Instance, event bridge.Event, since time.Time) (at time.Time, err error) {
	err = until(20*time.Second, func() bool {
		at = lastEntry("CLAUSTER_INSTANCE="+inst.String(), "CLAUSTER_EVENT="+string(event))
		return at.After(since)
	})
	return at, err
}

// Usage is what all keepers and reapers use together.
type Usage struct {
	Keepers    int     `json:"keepers"`
	KeeperPSS  float64 `json:"keeper_pss_kb"` // mean
	ReaperPSS  float64 `json:"reaper_pss_kb"` // mean
	CPUPercent float64 `json:"cpu_percent"`   // of one core, all keepers together
	Switches   float64 `json:"switches"`      // voluntary context switches of one keeper in 10 s, all threads
}

// usage watches the keepers for a while.
func usage(d time.Duration) (any, error) {
	u := Usage{}
	keepers, reapers := processes("run"), processes("gate")
	if len(keepers) == 0 || len(reapers) == 0 {
		return nil, errors.New("cannot find keepers and reapers")
	}
	u.Keepers = len(keepers)
	u.KeeperPSS, u.ReaperPSS = meanPSS(keepers), meanPSS(reapers)
	ticks, switches := cpuTicks(keepers), contextSwitches(keepers)
	time.Sleep(d)
	const hz = 100 // USER_HZ
	u.CPUPercent = float64(cpuTicks(keepers)-ticks) / hz / d.Seconds() * 100
	u.Switches = float64(contextSwitches(keepers)-switches) / float64(len(keepers)) / d.Seconds() * 10
	return u, nil
}

// processes finds our processes of one subcommand.
func processes(subcommand string) (pids []string) {
	dirs, _ := filepath.Glob("/proc/[0-9]*")
	for _, d := range dirs {
		line, _ := os.ReadFile(d + "/cmdline")
		words := strings.Split(string(line), "\x00")
		if len(words) > 1 && filepath.Base(words[0]) == "clauster-keeper" && words[1] == subcommand {
			pids = append(pids, filepath.Base(d))
		}
	}
	return pids
}

func meanPSS(pids []string) float64 {
	sum := 0.0
	for _, p := range pids {
		sum += number("/proc/"+p+"/smaps_rollup", "Pss:")
	}
	return sum / float64(len(pids))
}

func contextSwitches(pids []string) (sum int) {
	for _, p := range pids {
		tasks, _ := filepath.Glob("/proc/" + p + "/task/*/status")
		for _, t := range tasks {
			sum += int(number(t, "voluntary_ctxt_switches:"))
		}
	}
	return sum
}

func number(file, field string) float64 {
	data, _ := os.ReadFile(file)
	for line := range strings.Lines(string(data)) {
		if f := strings.Fields(line); len(f) > 1 && f[0] == field {
			n, _ := strconv.ParseFloat(f[1], 64)
			return n
		}
	}
	return 0
}

// cpuTicks sums utime and stime (proc(5), fields 14 and 15).
func cpuTicks(pids []string) (sum int) {
	for _, p := range pids {
		data, _ := os.ReadFile("/proc/" + p + "/stat")
		f := strings.Fields(string(data[strings.LastIndexByte(string(data), ')')+1:]))
		if len(f) > 13 {
			user, _ := strconv.Atoi(f[11])
			system, _ := strconv.Atoi(f[12])
			sum += user + system
		}
	}
	return sum
}
