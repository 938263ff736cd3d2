package main

import (
	"bytes"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"
)

// tally counts what was tried and what worked.
type tally struct {
	tries, hits int
	kinds       map[int]string // what each process is: run, gate, selfcheck …
}

// prowl tries everything that the kernel guards with its trace check, on every
// keeper and gate, as fast as it can, until the stop file exists.
func prowl(stop string) error {
	runtime.LockOSThread() // a tracer is a thread
	t := tally{kinds: map[int]string{}}
	if err := os.WriteFile(stop+".prowling", nil, 0o644); err != nil {
		return err
	}
	for round := 0; round%64 != 0 || !exists(stop); round++ {
		all := processes()
		for pid, kind := range all {
			delete(t.kinds, pid)
			if kind == "" {
				continue
			}
			// A fork is its parent's image until it execs: touched, but not
			// counted, or a gate would count as another keeper.
			if all[parent(pid)] != kind {
				t.kinds[pid] = kind
			}
			t.touch(pid)
		}
	}
	fmt.Printf("tries=%d pids=%d run=%d gate=%d as-user=%d hits=%d\n", t.tries, len(t.kinds), t.seen("run"), t.seen("gate"), t.seen("as-user"), t.hits)
	return nil
}

// keepers gives the processes whose command is ours.
func keepers() []int {
	var pids []int
	for pid, kind := range processes() {
		if kind != "" {
			pids = append(pids, pid)
		}
	}
	return pids
}

// processes gives every living process with its kind, "" for a program that is
// not ours: cmdline can be read of any process.
func processes() map[int]string {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil
	}
	kinds := map[int]string{}
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil {
			continue
		}
		if kind, alive := kindOf(pid); alive {
			kinds[pid] = kind
		}
	}
	return kinds
}

// parent reads the fourth word of stat; the second is in parentheses.
func parent(pid int) int {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	if err != nil {
		return 0
	}
	var state string
	var ppid int
	_, _ = fmt.Sscan(string(line[bytes.LastIndexByte(line, ')')+1:]), &state, &ppid) // 0 if it has ended
	return ppid
}

// seen counts the processes of one kind.
func (t *tally) seen(kind string) int {
	n := 0
	for _, k := range t.kinds {
		if k == kind {
			n++
		}
	}
	return n
}

// kindOf gives the subcommand a keeper, a gate or what clauster-ctl does as the
// bridge user runs, "" for any other program; alive is false of a process that
// has ended, whose command line is empty or gone.
func kindOf(pid int) (kind string, alive bool) {
	line, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/cmdline")
	if err != nil || !bytes.Contains(line, []byte("clauster-keeper")) && !bytes.HasPrefix(line, []byte("clauster-ctl\x00as-user")) {
		return "", err == nil && len(line) > 0
	}
	if words := strings.Split(string(line), "\x00"); len(words) > 1 {
		return words[1], true
	}
	return "", true
}

// touch does every try once. One that works counts only while the process is
// still ours afterwards: a gate's child that has become claude in between is
// the agent's own.
func (t *tally) touch(pid int) {
	dir := "/proc/" + strconv.Itoa(pid) + "/"
	for _, name := range []string{"mem", "environ", "maps", "auxv", "io", "syscall"} {
		t.count(pid, "read "+name, func() bool {
			f, err := os.Open(dir + name)
			if err != nil {
				return false
			}
			defer f.Close()
			_, err = f.Read(make([]byte, 1))
			return err == nil || name == "mem" // address 0 is not mapped, the open is what counts
		})
	}
	for _, name := range []string{"exe", "cwd", "root", "ns/mnt", "fd/0"} {
		t.count(pid, "readlink "+name, func() bool {
			_, err := os.Readlink(dir + name)
			return err == nil
		})
	}
	for _, name := range []string{"fd", "map_files", "root/run/clauster"} {
		t.count(pid, "list "+name, func() bool {
			_, err := os.ReadDir(dir + name)
			return err == nil
		})
	}
	t.count(pid, "write oom_score_adj", func() bool { return os.WriteFile(dir+"oom_score_adj", []byte("1000"), 0) == nil })
	t.count(pid, "pidfd_getfd", func() bool {
		fd, err := unix.PidfdOpen(pid, 0)
		if err != nil {
			return false
		}
		defer unix.Close(fd)
		got, err := unix.PidfdGetfd(fd, 3, 0)
		if err == nil {
			unix.Close(got)
		}
		return err == nil
	})
	t.count(pid, "process_vm_readv", func() bool {
		buf := make([]byte, 8)
		local := []unix.Iovec{{Base: &buf[0], Len: 8}}
		remote := []unix.RemoteIovec{{Base: uintptr(0x400000), Len: 8}} // where Go links a static program
		_, err := unix.ProcessVMReadv(pid, local, remote, 0)
		return err == nil
	})
	t.count(pid, "ptrace seize", func() bool { return seize(pid) })
}

func (t *tally) count(pid int, what string, try func() bool) {
	t.tries++
	if !try() {
		return
	}
	if kind, _ := kindOf(pid); kind != "" {
		t.hits++
		fmt.Printf("HIT %s of pid %d (%s) at %s\n", what, pid, kind, time.Now().Format(time.TimeOnly))
	}
}

// seize attaches without stopping the target, and lets go by detaching; it
// must not be left a tracer when the target turns out to be claude.
func seize(pid int) bool {
	_, _, errno := syscall.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(pid), 0, 0, 0, 0)
	if errno != 0 {
		return false
	}
	_ = unix.PtraceInterrupt(pid)
	var status unix.WaitStatus
	_, _ = unix.Wait4(pid, &status, unix.WALL, nil)
	_, _, _ = syscall.RawSyscall6(unix.SYS_PTRACE, unix.PTRACE_DETACH, uintptr(pid), 0, uintptr(unsafe.Pointer(nil)), 0, 0)
	return true
}
