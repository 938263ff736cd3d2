package main

import (
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"strconv"
	"syscall"
	"time"

	"clauster/pkg/systemd"
)

const plainUnit = "probe-plain.service"

// restart kills a service that is nothing but a sleep, started again by systemd
// at once: what of a keeper's replacement is systemd's own.
func restart(ctx context.Context, n int) (any, error) {
	const text = "[Unit]\nStartLimitIntervalSec=0\n[Service]\nExecStart=/bin/sh -c 'echo up; exec sleep infinity'\nRestart=always\nRestartSec=0\n"
	if err := os.WriteFile("/run/systemd/system/"+plainUnit, []byte(text), 0o644); err != nil {
		return nil, err
	}
	if err := exec.Command("systemctl", "daemon-reload").Run(); err != nil {
		return nil, err
	}
	bus, err := systemd.Connect(ctx, systemd.System)
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
