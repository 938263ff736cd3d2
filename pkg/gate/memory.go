package gate

import (
	"os"

	"clauster/pkg/bridge"
	"clauster/pkg/cgroup"
)

// lookAtMemory adds what the own cgroup's memory files say, while the cgroup
// still exists; nothing without the memory controller.
func lookAtMemory(exit *bridge.Exit) {
	path, err := cgroup.Path(os.Getpid())
	if err != nil {
		return
	}
	group, err := cgroup.System().Open(path)
	if err != nil {
		return
	}
	defer group.Close()
	exit.OOM, exit.Memory = Memory(group)
}

// Memory reads how many processes of a scope the kernel killed for lack of
// memory since the scope was made, and the figures beside it (cgroup-v2.rst).
// The kernel counts «oom» in the cgroup whose own limit was hit, and «oom_kill»
// in that of the victim, whoever ran out.
func Memory(scope *cgroup.Group) (kills int, m bridge.Memory) {
	events, ok := scope.MemoryEvents()
	if !ok {
		return 0, m
	}
	m = bridge.Memory{Peak: scope.MemoryPeak().N, Max: scope.MemoryMax().N, AtLimit: events.OOM > 0}
	return int(events.OOMKill), m
}
