package machine

import (
	"fmt"
	"strings"
	"time"
)

// Dump tells the state of the machine for a person who reads a failed test:
// units of interest, and the journal since a time. It never fails; what cannot
// be had is said.
func (m *Machine) Dump(since time.Time) string {
	var b strings.Builder
	fmt.Fprintf(&b, "==== machine %s ====\n", m.name)
	part := func(title string, args ...string) {
		r, err := m.Run(args...)
		fmt.Fprintf(&b, "---- %s\n%s%s", title, r.Stdout, r.Stderr)
		if err != nil {
			fmt.Fprintf(&b, "(%v)\n", err)
		}
	}
	part("units", "systemctl", "list-units", "--all", "--no-pager", "--no-legend", "--plain", "--full", "clauster*")
	part("failed", "systemctl", "list-units", "--failed", "--no-pager", "--no-legend", "--plain", "--full")
	part("jobs", "systemctl", "list-jobs", "--no-pager", "--no-legend")
	// Without the kernel threads of a VM.
	part("processes", "ps", "--ppid", "2", "-p", "2", "--deselect", "-o", "pid,ppid,user:12,stat,etimes,cgroup:60,args")
	from := fmt.Sprintf("--since=@%d", since.Unix())
	part("journal", "journalctl", "--no-pager", "--quiet", "--output=short-monotonic", "--lines=400", from)
	fmt.Fprintf(&b, "---- console\n%s", m.back.console())
	return b.String()
}
