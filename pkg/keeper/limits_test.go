package keeper

import (
	"slices"
	"testing"

	"clauster/pkg/config"
)

func TestLimitsNotInForce(t *testing.T) {
	wanted := scopeLimits(config.Limits{MemoryMax: 1, MemoryHigh: 1, CPUQuota: 1, CPUWeight: 1, IOWeight: 1, TasksMax: 1})
	all := func(string) bool { return true }
	only := func(files ...string) func(string) bool {
		return func(f string) bool { return slices.Contains(files, f) }
	}
	for _, c := range []struct {
		name    string
		refused []string
		has     func(string) bool
		want    string
	}{
		{"all hold", nil, all, ""},
		{"249: no limit of ours", []string{"OOMPolicy"}, all, ""},
		{"refused", []string{"CPUWeight", "IOWeight"}, all,
			"limits that are not in force: cpu_weight, io_weight (this systemd does not take it on a scope)"},
		{"no controllers", nil, only("cpu.max", "cpu.weight", "pids.max"),
			"limits that are not in force: memory_max, memory_high, io_weight (there is no cgroup controller for it)"},
		{"another scheduler", nil, only("cpu.max", "cpu.weight", "pids.max", "memory.max", "memory.high", "io.bfq.weight"), ""},
		{"both", []string{"TasksMax"}, only("memory.max", "memory.high", "cpu.max", "cpu.weight"),
			"limits that are not in force: tasks_max (this systemd does not take it on a scope), io_weight (there is no cgroup controller for it)"},
	} {
		if got := notInForce(wanted, c.refused, c.has); got != c.want {
			t.Errorf("%s: %q, want %q", c.name, got, c.want)
		}
	}
	if got := notInForce(scopeLimits(config.Limits{}), nil, only()); got != "" {
		t.Errorf("nothing wanted: %q", got)
	}
}

// Every limit that can be configured has a key and a file.
func TestEveryLimitIsKnown(t *testing.T) {
	for _, p := range (config.Limits{MemoryMax: 1, MemoryHigh: 1, CPUQuota: 1, CPUWeight: 1, IOWeight: 1, TasksMax: 1}).Properties() {
		if key, files := limitOf(p.Name); key == "" || len(files) == 0 {
			t.Errorf("%s has no key or no file", p.Name)
		}
	}
}
