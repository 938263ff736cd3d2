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
func victim(name string) int {
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
	name := freshName()
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "MACHINE_TEST_VICTIM="+name)
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
	if nsPID(leader) != 1 {
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
