package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sort"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sys/unix"
)

// recorder is the side file for assertions: JSON lines, the first describes
// the process, later ones say what happened to it. A nil one records nothing.
type recorder struct {
	mu   sync.Mutex
	path string
}

// descriptor is one open file at the first instant of the process.
type descriptor struct {
	FD     int    `json:"fd"`
	Target string `json:"target"`
	// Inherited is false for what Go's own runtime opened (close-on-exec).
	Inherited bool `json:"inherited"`
}

// openDescriptors lists /proc/self/fd by raw calls, so that listing opens
// nothing that stays.
func openDescriptors() []descriptor {
	dir, err := unix.Open("/proc/self/fd", unix.O_RDONLY|unix.O_DIRECTORY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil
	}
	defer func() { _ = unix.Close(dir) }()
	var names []string
	buf := make([]byte, 8192)
	for {
		n, err := unix.ReadDirent(dir, buf)
		if err != nil || n <= 0 {
			break
		}
		_, _, names = unix.ParseDirent(buf[:n], -1, names)
	}
	var list []descriptor
	for _, name := range names {
		fd, err := strconv.Atoi(name)
		if err != nil || fd == dir {
			continue
		}
		target, _ := os.Readlink("/proc/self/fd/" + name)
		flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0)
		list = append(list, descriptor{fd, target, err == nil && flags&unix.FD_CLOEXEC == 0})
	}
	sort.Slice(list, func(i, j int) bool { return list[i].FD < list[j].FD })
	return list
}

// recordPath decides where the side file is: the key record (a file, or a
// directory for one file per process), else beside the debug file.
func (c *cli) recordPath(debugPath string) string {
	path := c.set.str("record", "")
	switch {
	case path == "off" || path == "no":
		return ""
	case path == "" && debugPath == "":
		return ""
	case path == "":
		return debugPath + ".argv.json"
	}
	if rest, ok := strings.CutPrefix(path, "~/"); ok {
		path = filepath.Join(c.places.home, rest)
	}
	if info, err := os.Stat(path); (err == nil && info.IsDir()) || strings.HasSuffix(path, "/") {
		_ = os.MkdirAll(path, 0o777)
		path = filepath.Join(path, fmt.Sprintf("%s-%d.argv.json", filepath.Base(c.places.cwd), os.Getpid()))
	}
	return path
}

// record opens the side file with its first line.
func (c *cli) record(debugPath string) *recorder {
	path := c.recordPath(debugPath)
	if path == "" {
		return nil
	}
	r := &recorder{path: path}
	r.add(c.describe())
	return r
}

// event appends {"event":name,"time":…,key:value…}.
func (r *recorder) event(name string, pairs ...any) {
	line := map[string]any{"event": name, "time": time.Now().UTC().Format(time.RFC3339Nano)}
	for i := 0; i+1 < len(pairs); i += 2 {
		line[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	r.add(line)
}

func (r *recorder) add(line map[string]any) {
	if r == nil {
		return
	}
	text, err := json.Marshal(line)
	if err != nil {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	f, err := os.OpenFile(r.path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return
	}
	defer func() { _ = f.Close() }()
	_, _ = f.Write(append(text, '\n'))
}

// describe is what the process found itself with.
func (c *cli) describe() map[string]any {
	umask := unix.Umask(0)
	unix.Umask(umask)
	groups, _ := os.Getgroups()
	sid, _ := unix.Getsid(0)
	rows, cols := windowSize(0)
	names, values := environment(c.set.str("record-env", defaultRecorded))
	var files, core unix.Rlimit
	_ = unix.Getrlimit(unix.RLIMIT_NOFILE, &files)
	_ = unix.Getrlimit(unix.RLIMIT_CORE, &core)
	executable, _ := os.Executable()
	return map[string]any{
		"event": "start", "time": c.begun.UTC().Format(time.RFC3339Nano),
		"argv": c.argv, "executable": executable, "cwd": c.places.cwd, "settings": c.set.active(),
		"env_names": names, "env": values,
		"pid": os.Getpid(), "ppid": os.Getppid(), "pgid": unix.Getpgrp(), "sid": sid,
		"uid": os.Getuid(), "euid": os.Geteuid(), "gid": os.Getgid(), "groups": groups,
		"umask": fmt.Sprintf("%04o", umask), "status": processStatus(), "fds": c.fds,
		"isatty": []bool{isTerminal(0), isTerminal(1), isTerminal(2)}, "rows": rows, "cols": cols,
		"nofile": []uint64{files.Cur, files.Max}, "core": []uint64{core.Cur, core.Max},
		"cgroup": readText("/proc/self/cgroup"), "oom_score_adj": readText("/proc/self/oom_score_adj"),
	}
}

const defaultRecorded = "HOME,USER,LOGNAME,SHELL,TERM,LANG,PATH,DISABLE_AUTOUPDATER"

// environment is every name, and the values of the chosen ones.
func environment(chosen string) (names []string, values map[string]string) {
	values = map[string]string{}
	wanted := "," + chosen + ","
	for _, entry := range os.Environ() {
		name, value, _ := strings.Cut(entry, "=")
		names = append(names, name)
		if chosen == "*" || strings.Contains(wanted, ","+name+",") {
			values[name] = value
		}
	}
	sort.Strings(names)
	return names, values
}

// processStatus picks capabilities, privileges and signal sets out of
// /proc/self/status.
func processStatus() map[string]string {
	picked := map[string]string{}
	for _, line := range strings.Split(readText("/proc/self/status"), "\n") {
		name, value, _ := strings.Cut(line, ":")
		switch name {
		case "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb", "NoNewPrivs", "Seccomp", "SigBlk", "SigIgn", "Uid", "Gid", "Groups":
			picked[name] = strings.TrimSpace(value)
		}
	}
	return picked
}

func readText(path string) string {
	text, _ := os.ReadFile(path)
	return strings.TrimSpace(string(text))
}
