package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// Resident is what a service uses while nobody asks it anything.
type Resident struct {
	RSS        float64 `json:"rss_kb"`      // of the main process
	PSS        float64 `json:"pss_kb"`      // of it and its children
	CPUPercent float64 `json:"cpu_percent"` // of one core, with its children
}

// resident watches a service for a while: the API, or the process given.
func resident(ctx context.Context, d time.Duration, process string) (any, error) {
	pids, err := processesOf(ctx, process)
	if err != nil {
		return nil, err
	}
	before, err := cpuTime(pids)
	if err != nil {
		return nil, err
	}
	time.Sleep(d)
	after, err := cpuTime(pids)
	if err != nil {
		return nil, err
	}
	r := Resident{RSS: rss(pids[0]), CPUPercent: (after - before).Seconds() / d.Seconds() * 100}
	for _, pid := range pids {
		r.PSS += number(fmt.Sprintf("/proc/%d/smaps_rollup", pid), "Pss:")
	}
	return r, nil
}

// processesOf are the API's, the main one and its children, or the one given.
func processesOf(ctx context.Context, process string) ([]int, error) {
	if process != "" {
		pid, err := strconv.Atoi(process)
		return []int{pid}, err
	}
	pid, err := apiPID(ctx)
	if err != nil {
		return nil, err
	}
	pids := []int{pid}
	tasks, _ := os.ReadDir(fmt.Sprintf("/proc/%d/task", pid))
	for _, t := range tasks { // a child belongs to the thread that made it
		children, _ := os.ReadFile(fmt.Sprintf("/proc/%d/task/%s/children", pid, t.Name()))
		for child := range strings.FieldsSeq(string(children)) {
			if n, err := strconv.Atoi(child); err == nil {
				pids = append(pids, n)
			}
		}
	}
	return pids, nil
}

func rss(pid int) float64 { return number(fmt.Sprintf("/proc/%d/status", pid), "VmRSS:") }

// cpuTime sums the CPU time of processes to the nanosecond; in /proc it is in
// hundredths of a second, which is what the idle use in half a minute.
func cpuTime(pids []int) (sum time.Duration, err error) {
	for _, pid := range pids {
		const sched = 2
		var t unix.Timespec
		if err := unix.ClockGettime(int32(^pid<<3|sched), &t); err != nil { // MAKE_PROCESS_CPUCLOCK
			return 0, fmt.Errorf("cannot read the CPU clock of %d: %w", pid, err)
		}
		sum += time.Duration(t.Nano())
	}
	return sum, nil
}

// Logins is what logging in costs.
type Logins struct {
	Figures
	RSS float64 `json:"rss_kb"` // a while after the last
}

// logins logs in by password on the web door.
func logins(ctx context.Context, n int, address, password string) (any, error) {
	pid, err := apiPID(ctx)
	if err != nil {
		return nil, err
	}
	body, _ := json.Marshal(map[string]string{"password": password})
	var l Logins
	var ms []float64
	for range n {
		begin := time.Now()
		res, err := http.Post("http://"+address+"/api/v1/login", "application/json", bytes.NewReader(body))
		if err != nil {
			return nil, err
		}
		text, _ := io.ReadAll(res.Body)
		res.Body.Close()
		if res.StatusCode != http.StatusNoContent {
			return nil, errors.New("login: " + res.Status + " " + string(text))
		}
		ms = append(ms, milliseconds(time.Since(begin)))
	}
	time.Sleep(5 * time.Second)
	l.Figures, l.RSS = figures(ms), rss(pid)
	return l, nil
}
