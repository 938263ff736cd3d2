package e2e

import (
	"context"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"clauster/test/machine"
)

const schemathesis = "schemathesis==4.32.5"

// needSchemathesis gives the program, installed once, and skips the test where
// no package index is reached.
func needSchemathesis(t *testing.T) string {
	t.Helper()
	root, err := machine.RepoRoot()
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(root, "build/tools", strings.Replace(schemathesis, "==", "-", 1))
	program := filepath.Join(dir, "bin/schemathesis")
	if exec.Command(program, "--version").Run() == nil {
		return program
	}
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	for _, args := range [][]string{{"python3", "-m", "venv", "--clear", dir}, {filepath.Join(dir, "bin/pip"), "install", "--quiet", "--disable-pip-version-check", schemathesis}} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			_ = os.RemoveAll(dir)
			t.Skipf("cannot install %s: %v\n%s", schemathesis, err, out)
		}
	}
	return program
}

// outside lets programs of the host reach a unix socket of the machine, and
// gives the address. Whoever uses it is root to the API.
func (b *bed) outside(socket string) string {
	b.t.Helper()
	path := fmt.Sprintf("/proc/%d/root%s", b.Leader(), socket)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.t.Fatal(err)
	}
	var group sync.WaitGroup
	pass := func(to, from net.Conn) {
		_, _ = io.Copy(to, from)
		to.Close()
		from.Close()
	}
	group.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			in, err := net.Dial("unix", path)
			if err != nil {
				c.Close()
				continue
			}
			group.Go(func() { pass(in, c) })
			group.Go(func() { pass(c, in) })
		}
	})
	b.t.Cleanup(func() {
		l.Close()
		_, _ = b.Run("systemctl", "stop", "clauster-api.service") // ends what is open
		group.Wait()
	})
	return "http://" + l.Addr().String()
}

// TestAPISchema: whatever schemathesis makes of the document, right and wrong,
// is answered as the document says, and never with an error of ours.
func TestAPISchema(t *testing.T) {
	t.Parallel()
	program := needSchemathesis(t)
	b := withAPI(t)
	b.newProject("hello", nil)
	b.writeConfig("[observability]\nprometheus_enabled = true\n")
	b.must("POST", "/api/v1/instances", `{"project":"hello"}`)
	address := b.outside(apiSocket)
	config, err := filepath.Abs("testdata/schemathesis.toml")
	if err != nil {
		t.Fatal(err)
	}
	args := []string{"--config-file", config, "run", address + "/openapi.json", "--phases", "examples,coverage,fuzzing", "--continue-on-failure", "--request-timeout", "30", "--no-color",
		"--exclude-path", "/api/v1/events/stream", // never ends
		"--max-examples", fmt.Sprint(soak(5, 500)), "--generation-database", "none"}
	if soak(0, 1) == 0 {
		args = append(args, "--seed", "1") // the same each time
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Duration(soak(4, 120))*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Dir = t.TempDir()
	begun := time.Now()
	out, err := cmd.CombinedOutput()
	text := string(out)
	if err != nil || !strings.Contains(text, "Test cases:") {
		t.Errorf("schemathesis: %v\n%s", err, text)
	}
	_, cases, _ := strings.Cut(text, "Test cases:")
	t.Logf("%.80s in %v", strings.TrimSpace(cases), time.Since(begun).Round(time.Second))
	for _, e := range b.MustJournal("_SYSTEMD_UNIT=clauster-api.service") {
		if strings.Contains(e.Get("MESSAGE"), "panic") {
			t.Errorf("the journal: %s", e.Get("MESSAGE"))
		}
	}
	if n := b.MustShow("clauster-api.service", "NRestarts"); n != "0" {
		t.Errorf("the service was restarted %s times", n)
	}
}
