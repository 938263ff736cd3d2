package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"clauster/pkg/systemd"
)

const plainUnit = "probe-plain.service"

// restart kills a service that is nothing but a sleep, started again by systemd
// at once: what of a keeper's replacement is systemd's own.
func restart(ctx context.Context, n int) (any, error) {
	const text = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'echo up; exec sleep infinity'\nRestart=always\nRestartSec=0\n"
	bus, err := plain(ctx, text)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	if _, err := bus.StartUnit(ctx, plainUnit); err != nil {
		return nil, err
	}
	defer func() { _, _ = bus.StopUnit(context.Background(), plainUnit) }()
	var ms []float64
	for range n {
		time.Sleep(500 * time.Millisecond)
		pid, err := bus.MainPID(ctx, plainUnit)
		if err != nil {
			return nil, err
		}
		begin := time.Now()
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
			return nil, err
		}
		var at time.Time
		if err := until(5*time.Second, func() bool {
			at = lastEntry("_SYSTEMD_UNIT=" + plainUnit)
			return at.After(begin)
		}); err != nil {
			return nil, err
		}
		ms = append(ms, milliseconds(at.Sub(begin)))
	}
	return figures(ms), nil
}

// sandboxed is the API's unit with another program: everything that it asks
// systemd for, and nothing that belongs to the API alone.
func sandboxed(kind, program string) (string, error) {
	unit, err := os.ReadFile("/usr/lib/systemd/system/" + apiUnit)
	if err != nil {
		return "", err
	}
	var text strings.Builder
	for line := range strings.Lines(string(unit)) {
		switch key, _, _ := strings.Cut(line, "="); key {
		case "Type":
			text.WriteString("Type=" + kind + "\n")
		case "ExecStart":
			text.WriteString("ExecStart=" + program + "\n")
		case "Requires", "After", "Wants", "ExecReload", "Restart", "RestartSec", "WatchdogSec":
		default:
			text.WriteString(line)
		}
	}
	return text.String(), nil
}

// sandbox starts /bin/true in the API's sandbox: what of a cold start is
// systemd's own.
func sandbox(ctx context.Context, n int) (any, error) {
	text, err := sandboxed("oneshot", "/bin/true")
	if err != nil {
		return nil, err
	}
	bus, err := plain(ctx, text)
	if err != nil {
		return nil, err
	}
	defer bus.Close()
	var ms []float64
	for range n {
		begin := time.Now()
		if result, err := bus.StartUnit(ctx, plainUnit); err != nil || result != "done" {
			return nil, fmt.Errorf("start of the sandbox: %s, %w", result, err)
		}
		ms = append(ms, milliseconds(time.Since(begin)))
		time.Sleep(200 * time.Millisecond)
	}
	return figures(ms), nil
}

// plain writes a unit of the probe's own and connects to systemd.
func plain(ctx context.Context, text string) (*systemd.Bus, error) {
	if err := os.WriteFile("/run/systemd/system/"+plainUnit, []byte(text), 0o644); err != nil {
		return nil, err
	}
	if err := exec.Command("systemctl", "daemon-reload").Run(); err != nil {
		return nil, err
	}
	return systemd.Connect(ctx, systemd.System)
}

// lastEntry is when the journal took its last matching entry.
func lastEntry(matches ...string) time.Time {
	args := append([]string{"-q", "-o", "json", "--output-fields=__REALTIME_TIMESTAMP", "-n", "1"}, matches...)
	out, _ := exec.Command("journalctl", args...).Output()
	var entry struct {
		At string `json:"__REALTIME_TIMESTAMP"`
	}
	if json.Unmarshal(out, &entry) != nil {
		return time.Time{}
	}
	usec, _ := strconv.ParseInt(entry.At, 10, 64)
	return time.UnixMicro(usec)
}
