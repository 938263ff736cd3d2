package keeper

import (
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sys/unix"

	"clauster/pkg/config"
	"clauster/pkg/systemd"
)

// oomPolicy is the one scope property that is no limit of ours. An OOM kill must
// not make systemd stop the scope: the reaper still has to read memory.events.
// A systemd that refuses it on scopes (249) does not stop them either.
const oomPolicy = "OOMPolicy"

// scopeLimits turns configured limits into scope properties.
func scopeLimits(l config.Limits) []systemd.Property {
	props := []systemd.Property{{Name: oomPolicy, Value: "continue"}}
	for _, p := range l.Properties() {
		props = append(props, systemd.Property{Name: p.Name, Value: p.Value})
	}
	return props
}

// limitOf gives the key of clauster.toml behind a scope property, and the files
// of the cgroup one of which shows that it is in force.
func limitOf(property string) (key string, files []string) {
	switch property {
	case "MemoryMax":
		return "memory_max", []string{"memory.max"}
	case "MemoryHigh":
		return "memory_high", []string{"memory.high"}
	case "CPUQuotaPerSecUSec":
		return "cpu_quota", []string{"cpu.max"}
	case "CPUWeight":
		return "cpu_weight", []string{"cpu.weight"}
	case "IOWeight":
		return "io_weight", []string{"io.weight", "io.bfq.weight"}
	case "TasksMax":
		return "tasks_max", []string{"pids.max"}
	}
	return "", nil
}

// notInForce says in one sentence which of the wanted limits do not hold and
// why, "" where all do. systemd takes a limit without a word where the kernel,
// or a user manager's delegation, has no controller for it.
func notInForce(wanted []systemd.Property, refused []string, has func(file string) bool) string {
	var by, without []string
	for _, p := range wanted {
		key, files := limitOf(p.Name)
		switch {
		case key == "":
		case slices.Contains(refused, p.Name):
			by = append(by, key)
		case !slices.ContainsFunc(files, has):
			without = append(without, key)
		}
	}
	var why []string
	if len(by) > 0 {
		why = append(why, strings.Join(by, ", ")+" (this systemd does not take it on a scope)")
	}
	if len(without) > 0 {
		why = append(why, strings.Join(without, ", ")+" (there is no cgroup controller for it)")
	}
	if why == nil {
		return ""
	}
	return "limits that are not in force: " + strings.Join(why, ", ")
}

// checkLimits warns once of limits that do not hold in the scope at path.
func (k *keeper) checkLimits(path string, refused []string) {
	text := notInForce(k.limits, refused, func(file string) bool {
		return unix.Access(filepath.Join("/sys/fs/cgroup", path, file), unix.F_OK) == nil
	})
	if text == "" {
		return
	}
	if k.manager == systemd.User {
		text += "; root can delegate controllers to user managers: systemctl edit user@.service, [Service] Delegate=cpu io memory pids"
	}
	k.warn(text)
}
