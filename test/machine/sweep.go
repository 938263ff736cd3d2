package machine

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
)

// claim makes the run directory of a machine and locks it: as long as the
// returned file is open, the machine counts as live. It first sweeps what dead
// owners left.
func (d dirs) claim(name string) (*os.File, error) {
	// Held while a run directory is made or swept: a sweeper must not meet a
	// directory whose lock is not taken yet.
	gate, err := lock(d.runLock(), true)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	if err := d.sweepLocked(); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(d.run(name), 0o755); err != nil {
		return nil, err
	}
	return lock(filepath.Join(d.run(name), "lock"), false)
}

// Sweep removes what machines left whose owner died without a chance to clean
// up. Live machines are not touched. Every start sweeps by itself.
func Sweep() error {
	d, err := findDirs()
	if err != nil {
		return err
	}
	gate, err := lock(d.runLock(), true)
	if err != nil {
		return err
	}
	defer gate.Close()
	return d.sweepLocked()
}

func (d dirs) sweepLocked() error {
	entries, err := os.ReadDir(d.runs())
	if err != nil {
		return err
	}
	var errs error
	for _, e := range entries {
		l, err := lock(filepath.Join(d.run(e.Name()), "lock"), false)
		if errors.Is(err, errLocked) {
			continue // its owner lives
		}
		errs = errors.Join(errs, err, d.discard(e.Name()))
		if l != nil {
			l.Close()
		}
	}
	return errs
}

// discard removes a dead machine's cgroups, then its run directory, so that a
// failure on the way leaves the name for the next sweep.
func (d dirs) discard(name string) error {
	host, err := hostCgroups()
	if err != nil {
		return err
	}
	// The sweeper may sit in another cgroup than the machine's owner did.
	text, err := os.ReadFile(filepath.Join(d.run(name), "cgroups"))
	cg := host.of(name)
	if err == nil {
		cg = decodeCgroups(string(text), name)
	}
	if err := cg.remove(); err != nil {
		return err
	}
	return os.RemoveAll(d.run(name))
}

func (c cgroups) encode() string { return c.unified + "\n" + c.v1 + "\n" }

// decodeCgroups reads back encode. A path that does not end in the machine's
// own name is dropped: this one is going to be killed and removed.
func decodeCgroups(text, name string) cgroups {
	unified, rest, _ := strings.Cut(text, "\n")
	v1, _, _ := strings.Cut(rest, "\n")
	keep := func(p string) string {
		if filepath.Base(p) != cgroupPrefix+name {
			return ""
		}
		return p
	}
	return cgroups{keep(unified), keep(v1)}
}
