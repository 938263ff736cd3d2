package machine

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// victim boots a machine, says the PID of its leader and waits to be killed.
// With a VM it is QEMU's, and the boot is not waited for.
func victim(name string) int {
	if vmName, isVM := strings.CutPrefix(name, "vm-"); isVM {
		go func() { _, _ = BootVM(context.Background(), Options{Name: vmName}) }()
		waitFor(time.Minute, func() bool {
			for _, pid := range children(os.Getpid()) {
				if comm, _ := os.ReadFile(procPath(pid, "comm")); strings.HasPrefix(string(comm), "qemu") {
					fmt.Println("leader", pid)
					return true
				}
			}
			return false
		})
		select {}
	}
	m, err := Boot(context.Background(), Options{Name: name})
	if err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("leader", m.Leader())
	select {}
}

// A test binary that is killed must take its machine along, and what little is
// left on disk must go at the next start.
func TestSweepAfterKill(t *testing.T) {
	t.Run("container", func(t *testing.T) {
		name := freshName()
		sweepAfterKill(t, name, name)
	})
	t.Run("VM", func(t *testing.T) {
		if testing.Short() {
			t.Skip("may build the VM image")
		}
		name := freshName()
		sweepAfterKill(t, "vm-"+name, name)
	})
}

func sweepAfterKill(t *testing.T, victim, name string) {
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "MACHINE_TEST_VICTIM="+victim)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	leader, convErr := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(line, "leader ")))
	if err != nil || convErr != nil {
		t.Fatalf("victim said %q: %v", line, err)
	}
	// As long as it lives a sweep must not touch it.
	if err := Sweep(); err != nil {
		t.Fatal(err)
	}
	if syscall.Kill(leader, 0) != nil {
		t.Fatalf("leader %d died of a sweep", leader)
	}

	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if !waitFor(5*time.Second, func() bool { return syscall.Kill(leader, 0) == syscall.ESRCH }) {
		t.Fatalf("leader %d outlived the test binary", leader)
	}
	if err := Sweep(); err != nil {
		t.Fatal(err)
	}
	host, err := hostCgroups()
	if err != nil {
		t.Fatal(err)
	}
	for _, left := range append(host.of(name).all(), shared.dirs.run(name)) {
		if _, err := os.Stat(left); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("left behind: %s (%v)", left, err)
		}
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(mounts), name) {
		t.Errorf("left mounted:\n%s", mounts)
	}
}

func TestNameIsTakenOnce(t *testing.T) {
	_, err := Boot(context.Background(), Options{Name: shared.Name()})
	if !errors.Is(err, errLocked) {
		t.Errorf("second machine of one name: %v", err)
	}
	if got := shared.With(t).MustRun("true"); got != "" {
		t.Errorf("the first one is hurt: %q", got)
	}
}
