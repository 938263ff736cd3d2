package cgroup

// Brief reads CPU time and, from memory.current alone, memory: two files, for
// lists of many. Where there is no memory controller memory is unknown; Usage
// would add up the processes' shares, for which the kernel walks their page
// tables (about 0.1 ms a process).
func (g *Group) Brief() (Usage, error) {
	var u Usage
	var buf [fileSize]byte
	cpu, err := g.ReadInto("cpu.stat", buf[:])
	if err != nil && g.gone() {
		return Usage{}, g.fail("read usage of", err)
	}
	u.CPUMicros = count(field(cpu, "usage_usec"))
	if u.Memory = g.single("memory.current"); u.Memory.Known {
		u.MemorySource = MemoryCgroup
	}
	return u, nil
}
