package config

// Limits are what a bridge's scope may use. Zero means "not set"; Infinity
// lifts a limit. The values have the type and unit of systemd's properties.
type Limits struct {
	MemoryMax  uint64 `toml:"memory_max"`  // bytes
	MemoryHigh uint64 `toml:"memory_high"` // bytes
	CPUQuota   uint64 `toml:"cpu_quota"`   // microseconds of CPU time per second
	CPUWeight  uint64 `toml:"cpu_weight"`  // 1 to 10000
	IOWeight   uint64 `toml:"io_weight"`   // 1 to 10000
	TasksMax   uint64 `toml:"tasks_max"`
}

// Property is a limit under systemd's D-Bus property name (all of type t).
type Property struct {
	Name  string
	Value uint64
}

// Properties lists the limits that are set, in a fixed order.
func (l Limits) Properties() []Property {
	all := []Property{
		{"MemoryMax", l.MemoryMax}, {"MemoryHigh", l.MemoryHigh}, {"CPUQuotaPerSecUSec", l.CPUQuota},
		{"CPUWeight", l.CPUWeight}, {"IOWeight", l.IOWeight}, {"TasksMax", l.TasksMax},
	}
	set := all[:0]
	for _, p := range all {
		if p.Value != 0 {
			set = append(set, p)
		}
	}
	return set
}

// over gives l with the limits it does not set taken from base.
func (l Limits) over(base Limits) Limits {
	pick := func(own, general uint64) uint64 {
		if own != 0 {
			return own
		}
		return general
	}
	return Limits{
		MemoryMax: pick(l.MemoryMax, base.MemoryMax), MemoryHigh: pick(l.MemoryHigh, base.MemoryHigh),
		CPUQuota: pick(l.CPUQuota, base.CPUQuota), CPUWeight: pick(l.CPUWeight, base.CPUWeight),
		IOWeight: pick(l.IOWeight, base.IOWeight), TasksMax: pick(l.TasksMax, base.TasksMax),
	}
}
