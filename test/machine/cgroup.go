package machine

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// cgroupPrefix begins the name of every cgroup of ours on the host.
const cgroupPrefix = "clauster-machine-"

// cgroups are the directories a machine's processes live in on the host: one
// in the v2 tree, and one in the v1 "name=systemd" tree where there is one.
// Two nspawn in one cgroup would share payload/, hence one for each machine.
type cgroups struct {
	unified string
	v1      string // empty on a host with v2 only
}

// hostCgroups gives the parents under which machines make theirs: the test
// binary's own cgroups.
func hostCgroups() (cgroups, error) {
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return cgroups{}, err
	}
	own, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return cgroups{}, err
	}
	return findCgroups(string(mounts), string(own))
}

func findCgroups(mounts, own string) (cgroups, error) {
	var c cgroups
	for _, line := range strings.Split(mounts, "\n") {
		f := strings.Fields(line)
		switch {
		case len(f) < 4:
		case f[2] == "cgroup2" && c.unified == "":
			c.unified = f[1]
		case f[2] == "cgroup" && hasOption(f[3], "name=systemd"):
			c.v1 = f[1]
		}
	}
	if c.unified == "" {
		return c, errors.New("cannot boot a machine: this host has no cgroup v2 mount")
	}
	for _, line := range strings.Split(own, "\n") {
		f := strings.SplitN(line, ":", 3)
		switch {
		case len(f) < 3:
		case f[0] == "0":
			c.unified = filepath.Join(c.unified, f[2])
		case hasOption(f[1], "name=systemd") && c.v1 != "":
			c.v1 = filepath.Join(c.v1, f[2])
		}
	}
	return c, nil
}

func hasOption(list, want string) bool {
	for _, o := range strings.Split(list, ",") {
		if o == want {
			return true
		}
	}
	return false
}

// of gives the directories of one machine.
func (c cgroups) of(name string) cgroups {
	c.unified = filepath.Join(c.unified, cgroupPrefix+name)
	if c.v1 != "" {
		c.v1 = filepath.Join(c.v1, cgroupPrefix+name)
	}
	return c
}

func (c cgroups) all() []string {
	var dirs []string
	for _, d := range [...]string{c.unified, c.v1} {
		if d != "" {
			dirs = append(dirs, d)
		}
	}
	return dirs
}

func (c cgroups) make() error {
	for _, dir := range c.all() {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return fmt.Errorf("cannot make cgroup: %w", err)
		}
	}
	return nil
}

// remove kills what still runs in the machine's cgroup and removes it. The
// kernel takes a moment to empty a killed cgroup: hence the bounded retry.
func (c cgroups) remove() error {
	if _, err := os.Stat(c.unified); err == nil {
		_ = os.WriteFile(filepath.Join(c.unified, "cgroup.kill"), []byte("1"), 0) // absent before Linux 5.14
	}
	var last error
	waitFor(5*time.Second, func() bool {
		last = nil
		for _, dir := range c.all() {
			last = errors.Join(last, removeCgroup(dir))
		}
		return last == nil
	})
	return last
}

// removeCgroup removes a cgroup directory and those below it, deepest first;
// the files in them are the kernel's and cannot be removed.
func removeCgroup(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, os.ErrNotExist) {
		return nil
	} else if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			err = errors.Join(err, removeCgroup(filepath.Join(dir, e.Name())))
		}
	}
	if err != nil {
		return err
	}
	if err := os.Remove(dir); err != nil && !errors.Is(err, os.ErrNotExist) {
		return err
	}
	return nil
}
