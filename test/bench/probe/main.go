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
		return errors.New("usage: probe WORD COUNT ARGUMENT…; the words are in measure")
	}
	n, err := strconv.Atoi(args[1])
	if err != nil {
		return err
	}
	out, err := measure(context.Background(), args[0], n, append(args[2:], "", ""))
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

// measure takes one kind of figure; n is a count, or seconds.
func measure(ctx context.Context, word string, n int, args []string) (any, error) {
	seconds := time.Duration(n) * time.Second
	switch word {
	case "start":
		return start(ctx, args[0], n)
	case "standin":
		return standin(n)
	case "scope":
		return command(n, "systemd-run", "--scope", "--quiet", "true")
	case "list":
		return command(n, "clauster-ctl", "list")
	case "crash":
		return killed(ctx, args[0], n, bridge.EventCrash)
	case "reattach":
		return killed(ctx, args[0], n, bridge.EventReattached)
	case "restart":
		return restart(ctx, n)
	case "usage":
		return usage(seconds)
	case "cold":
		return cold(ctx, n, args[0])
	case "sandbox":
		return sandbox(ctx, n)
	case "latency":
		return latency(n, args[0], args[1])
	case "scrape":
		return scrape(n, args[0], args[1])
	case "rate":
		return rate(ctx, n, args[0])
	case "bare":
		return nil, bare(args[0])
	case "resident":
		return resident(ctx, seconds, args[0])
	case "logins":
		return logins(ctx, n, args[0], args[1])
	case "webhook":
		return webhook(ctx, n, args[0], args[1])
	case "lines":
		return lines(ctx, n, args[0])
	case "viewers":
		return viewers(ctx, n, args[0], 20*time.Second)
	}
	return nil, fmt.Errorf("cannot measure %q", word)
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
