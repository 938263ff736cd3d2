package main

import (
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

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
