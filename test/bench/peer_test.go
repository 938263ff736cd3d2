package bench

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"clauster/test/machine"
)

const (
	peerVersion = "1.3.2"
	peerFleet   = 100
)

// peer is the Python product measured in this run: the figures by name, and a
// half sentence on where they are from.
type peer struct {
	figures map[string]string
	note    string
}

// or gives a figure of this run, or the one of an earlier machine.
func (p peer) or(name, earlier string) string {
	if f := p.figures[name]; f != "" {
		return f
	}
	return earlier
}

// measurePeer installs and measures the peer on the host, outside of any
// machine. Whatever goes wrong costs its figures of this run and nothing else.
func measurePeer(t *testing.T) peer {
	ctx, cancel := context.WithTimeout(t.Context(), 4*time.Minute)
	defer cancel()
	p := peer{figures: map[string]string{}}
	if err := p.measure(ctx, t.TempDir()); err != nil {
		t.Log("the peer was not measured, or not to the end:", err)
	}
	p.note = ", measured on a machine of the same kind: in this run it could not be"
	if len(p.figures) > 0 {
		p.note = ": start, RSS, idle CPU, /healthz, list and /metrics measured in this run on the host\n(no container, no sandbox), the rest earlier on a machine of the same kind"
	}
	return p
}

// server is a peer in a PID namespace of its own, so that no bridge outlives it.
type server struct {
	dir, probe, address string
	cmd                 *exec.Cmd
}

func (p *peer) measure(ctx context.Context, dir string) error {
	program, err := installPeer(ctx)
	if err != nil {
		return err
	}
	s, err := newServer(ctx, dir)
	if err != nil {
		return err
	}
	var starts []time.Duration
	for range 3 { // the first makes the database
		took, err := s.start(ctx, program)
		if err != nil {
			return err
		}
		starts = append(starts, took)
		s.stop()
	}
	p.figures["start"] = fmt.Sprintf("%.2f s", min(starts[1], starts[2]).Seconds())
	if _, err := s.start(ctx, program); err != nil {
		return err
	}
	defer s.stop()
	if err := s.post(ctx, "/api/projects/trust-all", ""); err != nil {
		return err
	}
	for i := range peerFleet {
		if err := s.post(ctx, "/api/instances", fmt.Sprintf(`{"project":"p-%d"}`, i)); err != nil {
			return err
		}
	}
	return p.read(ctx, s)
}

// read takes the figures beside a fleet.
func (p *peer) read(ctx context.Context, s *server) error {
	for name, path := range map[string]string{"healthz": "/healthz", "list": "/api/instances", "metrics": "/metrics"} {
		var f figures
		if err := s.ask(ctx, &f, "latency", "200", s.address, path); err != nil {
			return err
		}
		p.figures[name] = ms(f.P50)
		if name != "healthz" {
			p.figures[name] += fmt.Sprintf(" at %d", peerFleet)
		}
	}
	pid, err := s.pid()
	if err != nil {
		return err
	}
	var r resident
	if err := s.ask(ctx, &r, "resident", "20", pid); err != nil {
		return err
	}
	p.figures["rss"] = fmt.Sprintf("%s at %d", mb(r.RSS), peerFleet)
	p.figures["idle"] = fmt.Sprintf("%.1f %% at %d", r.CPUPercent, peerFleet)
	return nil
}

// installPeer gives the peer's program, from PyPI the first time.
func installPeer(ctx context.Context) (string, error) {
	root, err := machine.RepoRoot()
	if err != nil {
		return "", err
	}
	venv := filepath.Join(root, "build/tools/peer-"+peerVersion)
	program := filepath.Join(venv, "bin/clauster")
	if _, err := os.Stat(program); err == nil {
		return program, nil
	}
	for _, args := range [][]string{{"python3", "-m", "venv", venv}, {venv + "/bin/pip", "install", "--quiet", "--no-input", "clauster==" + peerVersion}} {
		if out, err := exec.CommandContext(ctx, args[0], args[1:]...).CombinedOutput(); err != nil {
			return "", fmt.Errorf("%v: %w: %.300s", args, err, out)
		}
	}
	return program, nil
}

// newServer makes a home with projects, the stand-in and the probe.
func newServer(ctx context.Context, dir string) (*server, error) {
	root, err := machine.RepoRoot()
	if err != nil {
		return nil, err
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s := &server{dir: dir, probe: filepath.Join(dir, "probe"), address: l.Addr().String()}
	l.Close()
	for to, pkg := range map[string]string{s.probe: "./test/bench/probe", filepath.Join(dir, "claude"): "./test/fakeclaude"} {
		build := exec.CommandContext(ctx, "go", "build", "-o", to, pkg)
		build.Dir = root
		if out, err := build.CombinedOutput(); err != nil {
			return nil, fmt.Errorf("%s: %w: %.300s", pkg, err, out)
		}
	}
	for i := range peerFleet {
		if err := os.MkdirAll(fmt.Sprintf("%s/projects/p-%d", dir, i), 0o755); err != nil {
			return nil, err
		}
	}
	_, port, _ := net.SplitHostPort(s.address)
	config := fmt.Sprintf("projects_root: %s/projects\nstate_dir: %[1]s/state\nport: %s\nclaude: {binary: %[1]s/claude}\nobservability: {prometheus_enabled: true}\n", dir, port)
	return s, errors.Join(os.WriteFile(dir+"/clauster.yml", []byte(config), 0o600),
		os.WriteFile(dir+"/.fakeclaude", []byte("scale=0\ntrust=yes\nconsent=yes\n"), 0o644))
}

// start starts it and waits for its first answer.
func (s *server) start(ctx context.Context, program string) (time.Duration, error) {
	s.cmd = exec.CommandContext(ctx, "unshare", "--pid", "--fork", "--kill-child", "--mount-proc", program, "run", "-c", s.dir+"/clauster.yml")
	s.cmd.Env = []string{"HOME=" + s.dir, "PATH=/usr/bin:/bin"}
	begin := time.Now()
	if err := s.cmd.Start(); err != nil {
		return 0, err
	}
	for time.Since(begin) < 20*time.Second {
		if res, err := http.Get("http://" + s.address + "/healthz"); err == nil {
			res.Body.Close()
			return time.Since(begin), nil
		}
		<-time.After(2 * time.Millisecond) // there is nothing to wait for but its answer
	}
	s.stop()
	return 0, errors.New("the peer does not answer")
}

func (s *server) stop() {
	_ = s.cmd.Process.Kill() // takes the whole namespace along
	_ = s.cmd.Wait()
}

// pid is the server's, below unshare.
func (s *server) pid() (string, error) {
	own := s.cmd.Process.Pid
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%[1]d/children", own))
	if pids := strings.Fields(string(text)); len(pids) > 0 {
		return pids[0], nil
	}
	return "", fmt.Errorf("cannot find the peer's process: %w", err)
}

func (s *server) post(ctx context.Context, path, body string) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, "http://"+s.address+path, strings.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Origin", "http://"+s.address)
	res, err := http.DefaultClient.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	if text, _ := io.ReadAll(res.Body); res.StatusCode >= 300 {
		return fmt.Errorf("POST %s: %s %.300s", path, res.Status, text)
	}
	return nil
}

// ask runs the probe on the host.
func (s *server) ask(ctx context.Context, into any, args ...string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, s.probe, args...)
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return fmt.Errorf("probe %v: %w: %s", args, err, said.String())
	}
	return json.Unmarshal(out, into)
}
